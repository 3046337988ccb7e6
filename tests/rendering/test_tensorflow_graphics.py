"""Agreement with tensorflow-graphics where it has the same function (extra `graphics`)."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.meshes import sphere
from tfface.rendering.cameras import perspective_projection, rotate
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rotations import axis_angle, rotation_matrix
from tfface.rendering.spherical_harmonics import sh_basis

RANDOM = np.random.default_rng(6)
pytest.importorskip("tensorflow_graphics", reason="needs the extra `graphics`")


@pytest.mark.slow
def test_rotations() -> None:
    module = pytest.importorskip("tensorflow_graphics.geometry.transformation.rotation_matrix_3d")
    inverse = pytest.importorskip("tensorflow_graphics.geometry.transformation.axis_angle")
    vectors = RANDOM.normal(size=(50, 3))
    angles = np.linalg.norm(vectors, axis=-1, keepdims=True)
    matrices = rotation_matrix(tf.constant(vectors))
    theirs = module.from_axis_angle(tf.constant(vectors / angles), tf.constant(angles))
    np.testing.assert_allclose(matrices, theirs, atol=1e-14)
    axis, angle = inverse.from_rotation_matrix(matrices)
    np.testing.assert_allclose(axis_angle(matrices), axis * angle, atol=1e-6)
    points = tf.constant(RANDOM.normal(size=(50, 1, 3)))
    turned = module.rotate(points[:, 0], matrices)
    np.testing.assert_allclose(rotate(points, matrices)[:, 0], turned, atol=1e-14)


def test_spherical_harmonics() -> None:
    """Theirs carry the Condon-Shortley sign, (-1)^m; ours do not."""
    module = pytest.importorskip("tensorflow_graphics.math.spherical_harmonics")
    normals = RANDOM.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    theta, phi = np.arccos(normals[:, 2:]), np.arctan2(normals[:, 1:2], normals[:, :1])
    degrees = tf.constant([0, 1, 1, 1, 2, 2, 2, 2, 2])
    orders = tf.constant([0, -1, 0, 1, -2, -1, 0, 1, 2])
    shape = (50, 9)
    theirs = module.evaluate_spherical_harmonics(
        tf.broadcast_to(degrees, shape),
        tf.broadcast_to(orders, shape),
        tf.constant(theta),
        tf.constant(phi),
    )
    signs = (-1.0) ** np.abs(orders)
    np.testing.assert_allclose(sh_basis(tf.constant(normals)), signs * theirs, atol=1e-9)


@pytest.mark.slow
def test_vertex_normals() -> None:
    module = pytest.importorskip("tensorflow_graphics.geometry.representation.mesh.normals")
    vertices, triangles = sphere(2)
    vertices = np.stack([vertices + 0.05 * RANDOM.normal(size=vertices.shape)] * 2)
    indices = np.broadcast_to(triangles, (2, *triangles.shape))
    theirs = module.vertex_normals(tf.constant(vertices), tf.constant(indices))
    ours = vertex_normals(tf.constant(vertices), MeshTopology(triangles, vertices.shape[1]))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_perspective_projection() -> None:
    """Their camera looks along +z with y down: ours with y and z turned."""
    module = pytest.importorskip("tensorflow_graphics.rendering.camera.perspective")
    points = RANDOM.normal(size=(50, 3)) + [0, 0, -6]
    focal, centre = 120.0, np.array([31.0, 37.0])
    theirs = module.project(
        tf.constant(points * [1, -1, -1]), tf.constant([focal] * 2, tf.float64), tf.constant(centre)
    )
    np.testing.assert_allclose(
        perspective_projection(tf.constant(points), focal, centre), theirs, rtol=1e-13
    )
