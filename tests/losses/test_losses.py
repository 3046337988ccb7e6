"""The loss terms against values worked out by hand and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.losses.landmark import landmark_loss
from tfface.losses.photometric import (
    photometric_distance,
    photometric_loss,
    reweighted_photometric_loss,
)
from tfface.losses.regularization import statistical_regularization


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_photometric_loss_averages_rgb_distances_over_visible_vertices() -> None:
    colours = np.zeros((1, 3, 3))
    observed = np.array([[[0.3, 0.4, 0.0], [0.0, 0.0, 0.2], [9.0, 9.0, 9.0]]])
    visibility = np.array([[1.0, 1.0, 0.0]])
    assert photometric_loss(colours, observed, visibility).numpy() == pytest.approx([0.35])


def test_photometric_loss_of_a_hidden_face_is_zero_with_zero_gradient() -> None:
    colours = tf.Variable(np.ones((1, 4, 3)))
    with tf.GradientTape() as tape:
        loss = photometric_loss(colours, np.zeros((1, 4, 3)), np.zeros((1, 4)))
    assert loss.numpy() == [0.0]
    np.testing.assert_array_equal(tape.gradient(loss, colours), 0.0)


@pytest.mark.parametrize("loss", [photometric_loss, reweighted_photometric_loss])
def test_photometric_gradient_is_finite_at_a_perfect_match(loss) -> None:
    colours = tf.Variable(np.ones((1, 4, 3)))
    with tf.GradientTape() as tape:
        value = loss(colours, np.ones((1, 4, 3)), np.ones((1, 4)))
    np.testing.assert_allclose(tape.gradient(value, colours), 0.0, atol=1e-12)


def test_reweighted_form_has_the_value_and_gradient_of_the_norm(random) -> None:
    """Eq. (11) with C_i at the present estimate is eq. (8), to first order."""
    colours = tf.Variable(random.uniform(size=(2, 50, 3)))
    observed, visibility = random.uniform(size=(2, 50, 3)), random.uniform(size=(2, 50))
    with tf.GradientTape(persistent=True) as tape:
        norm = photometric_loss(colours, observed, visibility)
        squares = reweighted_photometric_loss(colours, observed, visibility)
    np.testing.assert_allclose(squares, norm, rtol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(squares, colours), tape.gradient(norm, colours), rtol=1e-9, atol=1e-15
    )


def test_photometric_gradient_agrees_with_finite_differences(random) -> None:
    observed = tf.constant(random.uniform(size=(1, 5, 3)))
    point = random.uniform(size=(1, 5, 3))
    theoretical, numerical = tf.test.compute_gradient(
        lambda colours: photometric_distance(colours, observed), [tf.constant(point)], delta=1e-6
    )
    np.testing.assert_allclose(theoretical[0], numerical[0], atol=1e-8)


def test_landmark_loss_weighs_squared_distances_by_confidence() -> None:
    projected = np.array([[[10.0, 0.0], [0.0, 0.0]]])
    detected = np.array([[[7.0, 4.0], [50.0, 0.0]]])
    loss = landmark_loss(projected, detected, np.array([[0.5, 0.0]]), image_size=100.0)
    assert loss.numpy() == pytest.approx([0.5 * 25.0 / 100.0**2])


def test_landmark_loss_does_not_depend_on_the_resolution(random) -> None:
    projected, detected = random.uniform(size=(2, 3, 68, 2))
    confidence = random.uniform(size=(3, 68))
    small = landmark_loss(projected, detected, confidence, 1.0)
    large = landmark_loss(240 * projected, 240 * detected, confidence, 240.0)
    np.testing.assert_allclose(small, large)


def test_regularization_is_equation_10() -> None:
    identity, expression, albedo = np.ones((1, 80)), 2 * np.ones((1, 64)), 3 * np.ones((1, 80))
    value = statistical_regularization(identity, expression, albedo)
    assert value.numpy() == pytest.approx([80 + 1.7e-3 * 80 * 9 + 0.8 * 64 * 4])
