"""The losses on recognition features and on batches of coefficients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.losses.recognition import batch_distribution_loss, cosine_score, identity_loss


def test_cosine_score_does_not_see_lengths() -> None:
    first = tf.constant([[3.0, 0.0], [1.0, 1.0]])
    second = tf.constant([[0.5, 0.0], [-2.0, 0.0]])
    np.testing.assert_allclose(cosine_score(first, second), [1.0, -np.sqrt(0.5)], rtol=1e-6)


def test_identity_loss_averages_views() -> None:
    photos = tf.constant([[1.0, 0.0]])
    renders = tf.constant([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    np.testing.assert_allclose(identity_loss(photos, renders), [1.0], rtol=1e-6)
    np.testing.assert_allclose(identity_loss(photos, renders[:, :1]), [0.0], atol=1e-6)


def test_batch_distribution_is_zero_for_standard_moments() -> None:
    values = tf.constant([[1.0, -1.0], [-1.0, 1.0]])
    assert float(batch_distribution_loss(values)) == pytest.approx(0.0, abs=1e-6)
    assert float(batch_distribution_loss(values + 0.5)) == pytest.approx(2 * 0.25)
    assert float(batch_distribution_loss(2.0 * values)) == pytest.approx(2 * 9.0)


def test_batch_distribution_has_the_gradient_of_finite_differences() -> None:
    random = np.random.default_rng(0)
    values = tf.constant(random.standard_normal((4, 3)) + 0.2)
    direction = random.standard_normal((4, 3))
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = batch_distribution_loss(values)
    slope = float(tf.reduce_sum(tape.gradient(loss, values) * direction))
    step = 1e-5
    ahead, behind = (batch_distribution_loss(values + s * direction) for s in (step, -step))
    assert slope == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-6)
