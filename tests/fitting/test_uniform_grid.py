"""An even grid on the face: what it covers, and that it is a linear map."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.fitting.uniform_grid import UniformGrid, uniform_grid
from tfface.metrics.closest_points import MeshDistance
from tfface.morphable.default import load_default_face_model
from tfface.morphable.deformation_graph import with_open_mouth

SPACING = 2.0  # mm


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("fine")


@pytest.fixture(scope="module")
def open_face(model) -> np.ndarray:
    return with_open_mouth(model.mean, model.expression, model.landmarks)


@pytest.fixture(scope="module")
def grid(model, open_face) -> UniformGrid:
    eyes = open_face[model.landmarks[36:48]]
    return uniform_grid(open_face, model.triangles, model.regions["face"], eyes, SPACING)


def lengths(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vertices[triangles] - vertices[np.roll(triangles, -1, axis=1)], axis=-1)


def test_its_vertices_lie_on_the_face_and_move_with_it(grid, model, open_face):
    for shape in (open_face, model.mean + model.identity[..., 0]):
        distances = MeshDistance(shape, model.triangles).query(grid.carry(shape)).distances
        np.testing.assert_allclose(distances, 0.0, atol=1e-3)


def test_triangles_are_of_one_size(grid, open_face):
    sides = lengths(grid.carry(open_face), grid.triangles)
    assert 0.8 * SPACING < np.percentile(sides, 10) < np.percentile(sides, 90) < 2.0 * SPACING


def test_it_is_a_surface_seen_from_outside(grid, model, open_face):
    vertices = grid.carry(open_face)
    ends = np.sort(grid.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, shared = np.unique(ends, axis=0, return_counts=True)
    assert shared.max() == 2
    a, b, c = vertices[grid.triangles].swapaxes(0, 1)
    normals = np.cross(b - a, c - a)
    outwards = (normals * ((a + b + c) / 3 - [0, 0, vertices[:, 2].min() - 20])).sum(axis=1)
    assert (outwards > 0).mean() > 0.99


def test_it_covers_the_face_and_nothing_else(grid, model, open_face):
    vertices = grid.carry(open_face)
    mesh = MeshDistance(vertices, grid.triangles)
    inside = model.regions["face"] > 0.5
    front = np.isin(np.arange(model.vertex_count), model.landmarks[17:48])  # brows, nose, eyes
    assert mesh.query(open_face[inside & front]).distances.max() < SPACING
    assert grid.carry(model.regions["face"][:, None]).min() > 0.5


def test_it_does_not_join_the_lips(grid, model, open_face):
    """An edge across the mouth would grow with its opening."""
    wider = open_face + 3 * (open_face - model.mean)
    before, after = (lengths(grid.carry(shape), grid.triangles) for shape in (open_face, wider))
    assert (after - before).max() < 6.0
    lips = [model.landmarks[62], model.landmarks[66]]
    gap = [np.linalg.norm(shape[lips[0]] - shape[lips[1]]) for shape in (open_face, wider)]
    assert gap[1] - gap[0] > 12.0


@pytest.mark.parametrize(
    ("spacing", "reason"), [(0.0, "a positive length, got 0"), (90.0, "less than the size")]
)
def test_impossible_spacings(model, open_face, spacing, reason):
    eyes = open_face[model.landmarks[36:48]]
    with pytest.raises(ValueError, match=f"spacing: expected {reason}"):
        uniform_grid(open_face, model.triangles, model.regions["face"], eyes, spacing)
