"""Reliefs: a height for each pixel as a mesh in model space."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tfface.rendering.weak_perspective import FAR, WeakPerspective
from tfface.visualization.relief import Relief, draw_relief, relief_mesh

SIZE, SCALE = 40, 0.5  # px, px per mm
CENTRE = np.arange(SIZE) + 0.5
X, Y = np.meshgrid(CENTRE, CENTRE)
SPHERE = np.sqrt(np.maximum(15.0**2 - (X - SIZE / 2) ** 2 - (Y - SIZE / 2) ** 2, 0.0))
MASK = SPHERE > 5.0


@pytest.fixture
def relief() -> Relief:
    random = np.random.default_rng(0)
    towards = np.tile([0.0, 0.0, 1.0], (SIZE, SIZE, 1))
    return Relief(
        random.integers(0, 255, (SIZE, SIZE, 3), np.uint8),
        SPHERE[..., None].astype(np.float32),
        towards,
        towards,
        MASK[..., None].astype(np.float32),
    )


def test_a_sphere_is_a_sphere_in_model_space(relief: Relief) -> None:
    rotation = Rotation.from_rotvec([0.2, -0.5, 0.1]).as_matrix()
    vertices, triangles, colours = relief_mesh(
        relief, MASK, SCALE, rotation, np.array([0.0, 0.0, -1.0])
    )
    assert len(vertices) == MASK.sum()
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 15.0 / SCALE, rtol=1e-5)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    outwards = np.einsum("ij,ij->i", np.cross(b - a, c - a), a)
    assert (outwards > 0).all()  # counter-clockwise seen from outside
    np.testing.assert_allclose(colours, relief.crop[MASK] / 255)


def test_vertices_project_onto_their_pixels(relief: Relief) -> None:
    """`WeakPerspective.to_picture` takes them back."""
    rotation = Rotation.from_rotvec([0.2, -0.5, 0.1]).as_matrix()
    translation = np.array([3.0, -7.0, -FAR * SIZE / SCALE])
    vertices, _, _ = relief_mesh(relief, MASK, SCALE, rotation, translation)
    camera = WeakPerspective(FAR, (0.0, 0.0, -1e5))
    turned = vertices @ rotation.T
    pixels = camera.to_picture(turned[None], translation[None], SIZE)[0].numpy()
    np.testing.assert_allclose(pixels[:, 0], X[MASK], atol=1e-6)
    np.testing.assert_allclose(pixels[:, 1], Y[MASK], atol=1e-6)
    np.testing.assert_allclose(-pixels[:, 2], SPHERE[MASK], atol=1e-5)


def test_cliffs_and_what_is_not_shown_are_left_out(relief: Relief) -> None:
    shown = MASK.copy()
    shown[:, : SIZE // 2] = False
    relief.heights[:, SIZE * 5 // 8 :] -= 50.0
    vertices, triangles, _ = relief_mesh(relief, shown, SCALE, np.eye(3), np.zeros(3))
    assert len(vertices) == shown.sum()
    edges = vertices[triangles] - vertices[np.roll(triangles, 1, axis=1)]
    assert np.linalg.norm(edges, axis=-1).max() < 20 / SCALE


def test_pictures_stand_side_by_side(relief: Relief) -> None:
    picture = draw_relief(relief)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 3 * 320
