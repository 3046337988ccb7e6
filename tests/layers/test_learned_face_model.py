"""The face model that FML learns, and the layers it is made of."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.sparse as sparse
import tensorflow as tf

from tests.layers.conftest import small_model
from tfface.layers.learned_face_model import SKIN_TONE, LearnedFaceModel
from tfface.layers.linear_face_model import LinearFaceModel
from tfface.layers.orthogonal_complement import OrthogonalComplement
from tfface.layers.sparse_map import SparseMap
from tfface.morphable.default import load_default_face_model
from tfface.morphable.deformation_graph import (
    DeformationGraph,
    deformation_graph,
    orthonormal_columns,
)

RANDOM = np.random.default_rng(12)


def small_layer() -> LearnedFaceModel:
    return LearnedFaceModel.of_model(small_model(True), small_graph(), identity=6, albedo=2)


def small_graph() -> DeformationGraph:
    """Twelve nodes of the ball that move all of it, evenly."""
    count = small_model(True).vertex_count
    weights = RANDOM.uniform(size=(count, 12))
    skinning = sparse.csr_matrix(weights / weights.sum(1, keepdims=True))
    return DeformationGraph(np.arange(12, dtype=np.int32), skinning)


def parameters(layer: LearnedFaceModel, batch: int = 2) -> list[tf.Tensor]:
    return [tf.constant(RANDOM.normal(size=(batch, n)), tf.float32) for n in layer.modes]


def test_sparse_map_is_a_matrix() -> None:
    matrix = sparse.random(9, 5, 0.4, "csr", random_state=3)
    points = RANDOM.normal(size=(2, 5, 3))
    np.testing.assert_allclose(SparseMap(matrix)(points), matrix.toarray() @ points, atol=1e-6)


def test_complement_is_equation_5() -> None:
    """Of a basis that is not orthonormal, whose span is all that counts."""
    blendshapes, theta = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=(30, 7))
    inverse = np.linalg.inv(blendshapes.T @ blendshapes)
    expected = theta - blendshapes @ inverse @ blendshapes.T @ theta
    layer = OrthogonalComplement(orthonormal_columns(blendshapes.reshape(10, 3, 4)))
    np.testing.assert_allclose(layer(theta), expected, atol=1e-5)
    np.testing.assert_allclose(layer(layer(theta)), layer(theta), atol=1e-6)


def test_complement_wants_orthonormal_columns() -> None:
    with pytest.raises(ValueError, match="basis: expected orthonormal columns, got an error of 3"):
        OrthogonalComplement(2.0 * np.eye(4, 2))


@pytest.mark.parametrize("layer", [SparseMap, OrthogonalComplement])
def test_layers_want_their_values_or_their_sizes(layer: type[keras.layers.Layer]) -> None:
    with pytest.raises(ValueError, match="expected one of them, got neither"):
        layer()


def test_before_training_it_is_the_mean_in_one_colour() -> None:
    model, layer = small_model(True), small_layer()
    zeros = [tf.zeros([1, count]) for count in layer.modes]
    vertices, colours = layer(*zeros)
    np.testing.assert_allclose(vertices[0], model.mean, atol=1e-4)
    np.testing.assert_allclose(colours[0], np.tile(SKIN_TONE, (model.vertex_count, 1)), atol=1e-6)


def test_is_equation_3() -> None:
    model, graph = small_model(True), small_graph()
    layer = LearnedFaceModel.of_model(model, graph, identity=6, albedo=2)
    alpha, delta, beta = parameters(layer)
    nodes = layer.complement(layer.node_basis) @ tf.transpose(alpha)
    moved = graph.skinning @ nodes.numpy().reshape(12, -1)  # (V, 3 B), columns as of (3, B)
    expected = model.mean[..., None] + moved.reshape(-1, 3, 2) + model.expression @ delta.numpy().T
    np.testing.assert_allclose(
        layer(alpha, delta, beta)[0], np.moveaxis(expected, -1, 0), atol=0.02
    )


def test_some_vertices_equal_all() -> None:
    layer, indices = small_layer(), np.array([7, 0, 7, 100], np.int32)
    inputs = parameters(layer)
    for some, every in zip(layer(*inputs, indices=indices), layer(*inputs), strict=True):
        np.testing.assert_allclose(some, every.numpy()[:, indices], rtol=1e-5, atol=1e-5)


def test_training_changes_the_model_and_not_its_expressions() -> None:
    layer = small_layer()
    assert {w.name for w in layer.trainable_weights} == {
        "node_basis",
        "albedo_mean",
        "albedo_basis",
    }
    inputs = parameters(layer)
    with tf.GradientTape() as tape:
        vertices, colours = layer(*inputs)
        loss = tf.reduce_mean(tf.square(vertices)) + tf.reduce_mean(tf.square(colours))
    for gradient in tape.gradient(loss, [w.value for w in layer.trainable_weights]):
        assert np.abs(gradient).max() > 0


def test_identity_stays_apart_from_expression_when_trained() -> None:
    """B_G^T OCL(Theta) of the default model, before and after Theta has gone there, for mm."""
    model = load_default_face_model("coarse")
    graph = deformation_graph(model)
    layer = LearnedFaceModel.of_model(model, graph, identity=8, albedo=1)
    blendshapes = orthonormal_columns(graph.to_nodes(model.expression))
    pull = tf.constant(100.0 * blendshapes[:, :8], tf.float32)  # mm: nothing but expressions
    optimizer = keras.optimizers.Adam(0.3)

    def shared() -> float:
        basis = layer.complement(layer.node_basis).numpy().astype(np.float64)
        return np.abs(blendshapes.T @ basis).max()

    assert shared() < 1e-6
    before = layer.node_basis.numpy()
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer.node_basis - pull))
        gradients = tape.gradient(loss, [layer.node_basis.value])
        optimizer.apply(gradients, [layer.node_basis])
    assert np.abs(layer.node_basis.numpy() - before).max() > 1.0  # mm
    assert np.abs(blendshapes.T @ layer.node_basis.numpy()).max() > 10.0
    assert shared() < 1e-6


def test_saved_and_restored(tmp_path: Path) -> None:
    layer = small_layer()
    inputs = [keras.Input((count,)) for count in layer.modes]
    model = keras.Model(inputs, layer(*inputs))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(restored.layers[-1], LearnedFaceModel)
    faces = parameters(layer)
    for found, expected in zip(restored(faces), model(faces), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_expressions_are_those_of_the_linear_model() -> None:
    model, layer = small_model(True), small_layer()
    linear = LinearFaceModel(model)
    delta = parameters(layer)[1]
    learned = layer.vertices(tf.zeros([2, 6]), delta)
    np.testing.assert_allclose(learned, linear.vertices(tf.zeros([2, 5]), delta), atol=1e-4)
