"""The deformation graph of the default model: how nodes lie, what they move, and the lips."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.morphable.default import load_default_face_model
from tfface.morphable.deformation_graph import (
    INFLUENCES,
    NODES,
    DeformationGraph,
    deformation_graph,
    orthonormal_columns,
)
from tfface.morphable.model import MorphableModel


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def graph(model: MorphableModel) -> DeformationGraph:
    return deformation_graph(model)


def test_about_as_many_nodes_as_the_paper_has(graph: DeformationGraph) -> None:
    assert NODES == 521
    assert abs(len(graph.nodes) - NODES) < 0.05 * NODES
    assert len(np.unique(graph.nodes)) == len(graph.nodes)


def test_weights_are_local_and_sum_to_one(graph: DeformationGraph, model: MorphableModel) -> None:
    skinning = graph.skinning
    assert skinning.shape == (model.vertex_count, len(graph.nodes))
    assert skinning.data.min() > 0
    np.testing.assert_allclose(skinning.sum(axis=1), 1.0, atol=1e-6)
    assert np.diff(skinning.indptr).max() <= INFLUENCES
    at_nodes = skinning[graph.nodes].toarray()  # a node moves itself most
    np.testing.assert_array_equal(at_nodes.argmax(axis=1), np.arange(len(graph.nodes)))


def test_a_translation_of_all_nodes_moves_every_vertex_alike(graph: DeformationGraph) -> None:
    moved = graph.skinning @ np.tile([1.0, -2.0, 3.0], (len(graph.nodes), 1))
    np.testing.assert_allclose(moved, np.tile([1.0, -2.0, 3.0], (len(moved), 1)), atol=1e-6)


def test_lips_are_not_joined(graph: DeformationGraph, model: MorphableModel) -> None:
    """No node moves the middle of both lips, though they touch on the mean face."""
    upper, lower = model.landmarks[[61, 62, 63]], model.landmarks[[67, 66, 65]]
    assert np.linalg.norm(model.mean[upper] - model.mean[lower], axis=1).max() < 8.0  # mm
    shared = graph.skinning[upper] @ graph.skinning[lower].T
    assert shared.nnz == 0


def test_parts_that_are_apart_follow_the_face(graph: DeformationGraph, model) -> None:
    """Eyeballs have no nodes of their own, and follow those of the lids."""
    eyes = model.regions["eyes"] > 0.5
    movers = np.unique(graph.skinning[eyes].nonzero()[1])
    face = model.mean[graph.nodes[movers]]
    assert np.linalg.norm(face - [0, 38, 68], axis=1).max() < 70.0  # mm


def test_neighbours_move_a_vertex_in_common(graph: DeformationGraph) -> None:
    neighbours = graph.neighbours
    assert (neighbours[:, 0] < neighbours[:, 1]).all()
    assert len(np.unique(neighbours, axis=0)) == len(neighbours)
    moves = graph.skinning.toarray() > 0
    expected = np.triu(moves.T.astype(int) @ moves.astype(int), k=1) > 0
    np.testing.assert_array_equal(np.argwhere(expected), np.unique(neighbours, axis=0))


def test_displacements_of_nodes_come_back(graph: DeformationGraph) -> None:
    nodes = np.random.default_rng(0).normal(size=(len(graph.nodes), 3, 2))
    basis = (graph.skinning @ nodes.reshape(len(nodes), -1)).reshape(-1, 3, 2)
    np.testing.assert_allclose(graph.to_nodes(basis), nodes, atol=1e-6)


def test_the_graph_expresses_most_of_what_faces_are(graph: DeformationGraph, model) -> None:
    """What is left is finer than the nodes: a fifth of what identities differ by."""
    nodes = graph.to_nodes(model.identity)
    back = (graph.skinning @ nodes.reshape(len(nodes), -1)).reshape(model.identity.shape)
    face = model.regions["face"] > 0.5
    left, all_of_it = back - model.identity, model.identity
    assert np.linalg.norm(left[face]) < 0.25 * np.linalg.norm(all_of_it[face])


def test_orthonormal_columns_span_the_same() -> None:
    basis = np.random.default_rng(1).normal(size=(7, 3, 4))
    basis = np.concatenate([basis, basis[..., :1] + basis[..., 1:2]], axis=-1)  # of rank 4
    columns = orthonormal_columns(basis)
    assert columns.shape == (21, 4)
    np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-12)
    flat = basis.reshape(21, -1)
    np.testing.assert_allclose(columns @ (columns.T @ flat), flat, atol=1e-12)


@pytest.mark.parametrize("nodes", [INFLUENCES, 10**6])
def test_refuses_numbers_of_nodes(model: MorphableModel, nodes: int) -> None:
    with pytest.raises(
        ValueError, match=f"nodes: expected from {INFLUENCES + 1} to 4352 .*{nodes}"
    ):
        deformation_graph(model, nodes)
