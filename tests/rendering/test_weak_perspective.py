"""Weak perspective: Euler angles, the six pose numbers, and the distant camera."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tests.gradients import assert_gradients
from tfface.rendering.cameras import perspective_projection, rotate, to_camera_space
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.weak_perspective import (
    FAR,
    SHIFT_UNIT,
    WeakPerspective,
    euler_angles,
    euler_axis_angle,
    pixels_per_mm,
)

RANDOM = np.random.default_rng(0)
ANGLES = RANDOM.uniform(-1.4, 1.4, (20, 3))
CAMERA = WeakPerspective(FAR, (2.0, -15.0, -1.0e5))
SIZE = 200


def test_euler_angles_turn_as_in_scipy() -> None:
    pitch, yaw, roll = ANGLES.T
    expected = Rotation.from_euler("yxz", np.stack([yaw, pitch, roll], -1)).as_matrix()
    turns = rotation_matrix(euler_axis_angle(tf.constant(ANGLES)))
    np.testing.assert_allclose(turns, expected, atol=1e-12)


def test_euler_angles_is_the_inverse() -> None:
    angles = euler_angles(rotation_matrix(euler_axis_angle(tf.constant(ANGLES))))
    np.testing.assert_allclose(angles, ANGLES, atol=1e-12)


def test_gradients_of_the_pose() -> None:
    pose = RANDOM.normal(0.0, 0.3, (2, 6))
    assert_gradients(lambda x: tf.concat(CAMERA.to_camera(x), -1) / [1, 1, 1, 50, 50, 1e5], [pose])


def test_zero_is_the_centred_frontal_face() -> None:
    rotation, translation = CAMERA.to_camera(tf.zeros([1, 6]))
    np.testing.assert_array_equal(rotation, np.zeros((1, 3)))
    np.testing.assert_allclose(translation, [CAMERA.centre])


def test_pose_numbers_come_back() -> None:
    pose = RANDOM.normal(0.0, 0.4, (20, 6))
    again = CAMERA.from_camera(*CAMERA.to_camera(tf.constant(pose)))
    np.testing.assert_allclose(again, pose, atol=1e-9)


@pytest.mark.parametrize(("number", "expected"), [(3, (10, 0)), (4, (0, -10)), (5, None)])
def test_shift_and_size_in_the_picture(number: int, expected: tuple[int, int] | None) -> None:
    """Ten pixels to the right, ten pixels up, and half again as large."""
    pose = np.zeros((1, 6))
    pose[0, number] = np.log(1.5) if expected is None else 10 / SIZE / SHIFT_UNIT
    points = tf.constant(RANDOM.normal(0.0, 60.0, (1, 50, 3)))
    before, after = (
        CAMERA.to_picture(points, CAMERA.to_camera(tf.constant(p))[1], SIZE).numpy()
        for p in (0 * pose, pose)
    )
    if expected is None:  # about the origin of the head
        origin = CAMERA.to_picture(0 * points, tf.constant([CAMERA.centre], tf.float64), SIZE)
        origin = origin[..., :2].numpy()
        np.testing.assert_allclose(after[..., :2] - origin, 1.5 * (before[..., :2] - origin))
        np.testing.assert_allclose(after[..., 2], 1.5 * before[..., 2])
    else:
        np.testing.assert_allclose(
            after[..., :2] - before[..., :2], np.broadcast_to(expected, (1, 50, 2))
        )


def test_the_distant_camera_sees_the_same() -> None:
    pose = tf.constant(RANDOM.normal(0.0, 0.3, (4, 6)))
    points = tf.constant(RANDOM.normal(0.0, 60.0, (4, 50, 3)))
    rotation, translation = CAMERA.to_camera(pose)
    matrix = rotation_matrix(rotation)
    weak = CAMERA.to_picture(rotate(points, matrix), translation, SIZE)
    centre = (SIZE / 2, SIZE / 2)
    far = perspective_projection(to_camera_space(points, matrix, translation), FAR * SIZE, centre)
    assert np.abs(weak[..., :2] - far).max() < 0.4  # px, at 200 px from the middle: 200 mm in 100 m


def test_pixels_per_mm() -> None:
    points = tf.constant([[[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]]])
    translation = tf.constant([CAMERA.centre])
    pixels = CAMERA.to_picture(points, translation, SIZE)
    scale = pixels_per_mm(translation, FAR, SIZE)
    np.testing.assert_allclose(pixels[0, 1, 0] - pixels[0, 0, 0], 10 * scale[0], rtol=1e-5)
