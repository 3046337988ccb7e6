"""Front-facing visibility."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.meshes import sphere
from tfface.rendering.visibility import front_facing


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
