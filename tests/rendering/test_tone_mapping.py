"""Tone mapping."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.rendering.tone_mapping import tone_map

LIGHT = np.array([[[0.0, 1.0], [4.0, 9.0]], [[-1.0, 0.5], [0.25, 1.0]]])[..., None]


def test_white_is_the_largest_value_or_a_given_one() -> None:
    own = tone_map(LIGHT, gamma=0.5)[..., 0]
    np.testing.assert_allclose(own, [[[0, 1 / 3], [2 / 3, 1]], [[0, 0.5**0.5], [0.5, 1]]])
    given = tone_map(LIGHT, gamma=0.5, white=[4.0, 1.0])[..., 0]
    np.testing.assert_allclose(given[0], [[0, 0.5], [1, 1]])


def test_black_images_stay_black() -> None:
    np.testing.assert_array_equal(tone_map(tf.zeros([1, 2, 2, 3])), np.zeros((1, 2, 2, 3)))


@pytest.mark.parametrize("white", [None, 20.0])
def test_gradient(white: float | None) -> None:
    assert_gradients(lambda light: tone_map(light, 0.45, white), [LIGHT[:1] + 0.1])
    with tf.GradientTape() as tape:
        black = tf.zeros([1, 2, 2, 3])
        tape.watch(black)
        picture = tone_map(black, white=white)
    np.testing.assert_array_equal(tape.gradient(picture, black), np.zeros((1, 2, 2, 3)))
