"""The exponential map of SO(3) and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tests.gradients import assert_gradients
from tfface.rendering.rotations import axis_angle, rotation_matrix

DIRECTIONS = np.random.default_rng(0).normal(size=(20, 3))
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=-1, keepdims=True)
ANGLES = [0.0, 1e-12, 1e-6, 1e-3, 0.0999, 0.1, 0.1001, 0.5, 1.5, 3.0, np.pi - 1e-6]


def test_known_rotations() -> None:
    quarter_turns = tf.constant(np.eye(3) * np.pi / 2)
    expected = [
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    ]
    np.testing.assert_allclose(rotation_matrix(quarter_turns), expected, atol=1e-15)


@pytest.mark.parametrize("angle", ANGLES)
def test_equals_scipy(angle: float) -> None:
    vectors = DIRECTIONS * angle
    expected = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(rotation_matrix(tf.constant(vectors)), expected, atol=1e-14)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-9), ("float32", 2e-3)])
def test_inverse(angle: float, dtype: str, tolerance: float) -> None:
    vectors = tf.constant(DIRECTIONS * angle, dtype)
    recovered = axis_angle(rotation_matrix(vectors))
    assert recovered.dtype == dtype
    # Near pi the axis may flip with the angle passing pi: compare the rotations as well.
    if angle < np.pi - 1e-3:
        np.testing.assert_allclose(recovered, vectors, atol=1e-6 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(rotation_matrix(recovered), rotation_matrix(vectors), atol=tolerance)


def test_inverse_of_half_turns() -> None:
    half_turns = rotation_matrix(tf.constant(DIRECTIONS * np.pi))
    recovered = axis_angle(half_turns)
    np.testing.assert_allclose(np.linalg.norm(recovered, axis=-1), np.pi, atol=1e-7)
    np.testing.assert_allclose(rotation_matrix(recovered), half_turns, atol=1e-7)


def test_rotations_are_rotations() -> None:
    matrices = rotation_matrix(tf.constant(DIRECTIONS * 2.5)).numpy()
    products = matrices @ matrices.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.05, 0.0999999, 0.1000001, 1.0, 2.9])
def test_gradients(angle: float) -> None:
    vectors = DIRECTIONS[:2] * angle
    assert_gradients(rotation_matrix, [vectors])
    assert_gradients(lambda w: axis_angle(rotation_matrix(w)), [vectors])


def test_gradient_at_zero_is_the_generator() -> None:
    vector = tf.zeros(3, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(vector)
        matrix = rotation_matrix(vector)
    generators = np.moveaxis(tape.jacobian(matrix, vector).numpy(), -1, 0)
    levi_civita = [np.cross(np.eye(3), axis) for axis in np.eye(3)]
    np.testing.assert_allclose(generators, levi_civita, atol=1e-7)


def test_batch_shapes() -> None:
    assert rotation_matrix(tf.zeros([2, 5, 3])).shape == (2, 5, 3, 3)
    assert axis_angle(tf.eye(3, batch_shape=[2, 5])).shape == (2, 5, 3)
    assert rotation_matrix(tf.zeros([3], tf.float16)).dtype == tf.float16
