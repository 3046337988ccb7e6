"""Front-facing visibility."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.meshes import sphere
from tfface.rendering.visibility import front_facing, unoccluded


def test_sphere_shows_its_near_cap() -> None:
    """A sphere of radius r at distance d shows what lies higher than r / d along the axis."""
    normals, _ = sphere(3)
    points = 100 * normals + [0, 0, -400]
    visible = front_facing(tf.constant(normals), tf.constant(points)).numpy()
    np.testing.assert_array_equal(visible, normals[:, 2] > 100 / 400)


def test_perspective_matters_off_the_axis() -> None:
    """A wall to the right of the camera that faces left is seen, although its normal has no Z."""
    normals = tf.constant([[[-1.0, 0, 0], [1, 0, 0], [-0.9, 0, -0.1]]])
    points = tf.constant([[[50.0, 0, -100]] * 3])
    np.testing.assert_array_equal(front_facing(normals, points), [[True, False, True]])


def test_nothing_behind_the_camera_is_seen() -> None:
    points = tf.constant([[[0.0, 0, 100]]])
    assert not front_facing(tf.constant([[[0.0, 0, -1]]]), points).numpy().any()


def test_a_near_ball_hides_what_is_behind_it() -> None:
    vertices, triangles = sphere(2, radius=50.0)
    near, far = vertices + [0, 0, -400], 2 * vertices + [0, 0, -900]
    points = tf.constant(np.concatenate([near, far])[None], tf.float32)
    both = np.concatenate([triangles, triangles + len(vertices)])
    visible = unoccluded(points, both, focal_length=500.0, size=256)[0].numpy()
    facing = vertices[:, 2] / 50 > 0.3  # well inside of either outline
    assert visible[: len(near)][facing].all()
    assert not visible[: len(near)][vertices[:, 2] < 0].any()
    beside = np.linalg.norm(far[:, :2], axis=-1) / -far[:, 2]
    assert not visible[len(near) :][beside < 0.1].any()
    assert visible[len(near) :][(beside > 0.14) & (vertices[:, 2] / 50 > 0.2)].all()
