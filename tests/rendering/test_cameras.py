"""Rigid transform and perspective projection."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.rendering.cameras import (
    perspective_projection,
    perspective_slopes,
    rotate,
    to_camera_space,
)
from tfface.rendering.rotations import rotation_matrix

RANDOM = np.random.default_rng(1)


def test_projection_by_hand() -> None:
    points = tf.constant([[0.0, 0, -1000], [100, 0, -1000], [0, 50, -500]])
    pixels = perspective_projection(points, 450.0, (50.0, 60.0))
    # Right in space is right in the picture; up in space is up, towards smaller rows.
    np.testing.assert_allclose(pixels, [[50, 60], [95, 60], [50, 15]], rtol=1e-6)


def test_cameras_of_a_batch() -> None:
    points = tf.constant(RANDOM.normal(size=(2, 4, 3)) + [0, 0, -10])
    focal, centre = np.array([100.0, 300.0]), np.array([[1.0, 2], [3, 4]])
    together = perspective_projection(points, focal, centre)
    for one in range(2):
        alone = perspective_projection(points[one], focal[one], centre[one])
        np.testing.assert_allclose(together[one], alone, rtol=1e-14)


def test_points_behind_the_camera_stay_finite() -> None:
    points = tf.constant([[1.0, 1, 0], [1, 1, 5], [1, 1, -1e-30]])
    with tf.GradientTape() as tape:
        tape.watch(points)
        pixels = perspective_projection(points, 100.0, (0.0, 0.0))
    assert np.isfinite(pixels).all()
    assert np.isfinite(tape.gradient(pixels, points)).all()


def test_slopes_are_the_gradient() -> None:
    """Before, at and behind the nearest depth."""
    points = RANDOM.normal(size=(2, 5, 3)) * [40, 40, 0.5] + [0, 0, -30]
    points[0, 0, 2], points[1, 1, 2] = 7.0, -0.5
    points, focal = tf.constant(points), np.array([100.0, 300.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        x, y = tf.unstack(perspective_projection(points, focal, (3.0, 4.0)), axis=-1)
    expected = tf.stack([tape.gradient(axis, points) for axis in (x, y)], axis=-2)
    np.testing.assert_allclose(perspective_slopes(points, focal), expected, atol=1e-9)


def test_rigid_transform() -> None:
    points = RANDOM.normal(size=(2, 6, 3))
    rotation = rotation_matrix(tf.constant(RANDOM.normal(size=(2, 3))))
    translation = RANDOM.normal(size=(2, 3))
    moved = to_camera_space(tf.constant(points), rotation, tf.constant(translation))
    for image, vertex in np.ndindex(2, 6):
        expected = rotation[image].numpy() @ points[image, vertex] + translation[image]
        np.testing.assert_allclose(moved[image, vertex], expected, atol=1e-14)


def test_rotation_and_back() -> None:
    vectors = tf.constant(RANDOM.normal(size=(3, 5, 3)))
    rotation = rotation_matrix(tf.constant(RANDOM.normal(size=(3, 3))))
    turned = rotate(vectors, rotation)
    np.testing.assert_allclose(tf.norm(turned, axis=-1), tf.norm(vectors, axis=-1), rtol=1e-13)
    np.testing.assert_allclose(rotate(turned, tf.transpose(rotation, [0, 2, 1])), vectors)


def test_scale_and_distance_are_one() -> None:
    """A face twice as large and twice as far gives the same picture."""
    points = tf.constant(RANDOM.normal(size=(7, 3)) + [0, 0, -9])
    near = perspective_projection(points, 80.0, (5.0, 5.0))
    np.testing.assert_allclose(perspective_projection(2 * points, 80.0, (5.0, 5.0)), near)


def test_gradients() -> None:
    points = RANDOM.normal(size=(2, 3, 3)) + [0, 0, -8]
    focal, centre = np.array([90.0, 110.0]), np.array([[3.0, 4], [5, 6]])
    assert_gradients(perspective_projection, [points, focal, centre])
    assert_gradients(
        lambda p, w, t: to_camera_space(p, rotation_matrix(w), t),
        [points, RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(2, 3))],
    )
