"""FML's regularisers: values by hand, gradients, and what they prefer."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.losses.face_model_learning import (
    appearance_sparsity,
    chroma_weights,
    graph_smoothness,
)

PAIRS = np.array([[0, 1], [1, 2], [0, 3]], np.int32)
RANDOM = np.random.default_rng(4)


def test_smoothness_by_hand() -> None:
    """Sum over i and j in N_i: each of the three pairs is met from both of its nodes."""
    moved = np.zeros((2, 4, 3))
    moved[0, 1] = [1, 2, 2]  # two pairs, 9 mm^2 each
    moved[1] = [5, 5, 5]  # all alike
    np.testing.assert_allclose(graph_smoothness(tf.constant(moved), PAIRS), [36.0, 0.0])


def test_sparsity_by_hand() -> None:
    colours = np.zeros((1, 4, 3))
    colours[0, 3] = [0.0, 0.3, 0.4]
    weights = tf.constant([[1.0, 1.0, 0.5]], tf.float64)
    found = appearance_sparsity(tf.constant(colours), PAIRS, weights)
    np.testing.assert_allclose(found, [2 * 0.5 * 0.5**0.9], atol=1e-4)


def test_one_step_costs_less_than_two_of_half_its_height() -> None:
    """p < 1: that is what makes it sparse."""
    line = np.array([[0, 1], [1, 2]], np.int32)
    ones = tf.ones([1, 2], tf.float64)
    step, ramp = ([0, 0, 0.2], [0, 0.1, 0.2])
    costs = [
        float(appearance_sparsity(tf.constant(np.tile(np.reshape(h, [1, 3, 1]), 3)), line, ones)[0])
        for h in (step, ramp)
    ]
    assert costs[0] < 0.98 * costs[1]


def test_gradients() -> None:
    values, weights = RANDOM.uniform(size=(2, 4, 3)), tf.constant(RANDOM.uniform(size=(2, 3)))
    assert_gradients(lambda x: graph_smoothness(x, PAIRS), [values])
    assert_gradients(lambda x: appearance_sparsity(x, PAIRS, weights), [values])


def test_gradient_is_finite_where_colours_are_equal() -> None:
    colours = tf.ones([1, 4, 3])
    with tf.GradientTape() as tape:
        tape.watch(colours)
        loss = appearance_sparsity(colours, PAIRS, tf.ones([1, 3]))
    np.testing.assert_array_equal(tape.gradient(loss, colours), np.zeros((1, 4, 3)))
    assert float(loss[0]) == pytest.approx(0.0, abs=1e-8)


def test_chroma_does_not_know_brightness() -> None:
    """A shadow on skin keeps its weight of one; an edge of colour loses it. Black is finite."""
    skin, lips = np.array([0.8, 0.6, 0.5]), np.array([0.7, 0.3, 0.3])
    colours = tf.constant(np.stack([skin, 0.4 * skin, lips, 0 * skin])[None])
    weights = chroma_weights(colours, PAIRS).numpy()[0]
    assert weights[0] == pytest.approx(1.0)
    difference = np.linalg.norm(skin / skin.sum() - lips / lips.sum())
    assert weights[1] == pytest.approx(np.exp(-80 * difference))
    assert 0 <= weights[2] < 1e-10


def test_weights_have_no_gradient() -> None:
    colours = tf.constant(RANDOM.uniform(size=(1, 4, 3)))
    with tf.GradientTape() as tape:
        tape.watch(colours)
        loss = tf.reduce_sum(chroma_weights(colours, PAIRS))
    assert tape.gradient(loss, colours) is None
