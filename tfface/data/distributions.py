"""Draws from the distributions of `tfface.config.distributions`, functions of their seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfface.config import Coefficients, Normal, Samples, Scalar, Uniform


def draw(distribution: Scalar, shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Independent numbers, float32.

    Args:
        distribution: Constant, uniform or normal.
        shape: Of the result.
        seed: `[2]` whole numbers.
    """
    if isinstance(distribution, Uniform):
        return tf.random.stateless_uniform(shape, seed, distribution.low, distribution.high)
    if isinstance(distribution, Normal):
        mean, deviation = distribution.mean, distribution.deviation
        numbers = tf.random.stateless_normal(shape, seed, mean, deviation)
        return tf.clip_by_value(numbers, *distribution.support)
    return tf.fill(shape, tf.constant(distribution.value, tf.float32))


def muted_colours(draws: tf.Tensor) -> tf.Tensor:
    """Colours `[..., 3]` in [0, 1], mostly grey as things in rooms are, of draws `[..., 4]`."""
    return 0.7 * draws[..., :1] + 0.3 * draws[..., 1:]


def draw_coefficients(
    distribution: Coefficients,
    samples: np.ndarray | None,
    shape: tuple[int, int],
    seed: tf.Tensor,
) -> tf.Tensor:
    """Coefficients of a linear basis in sigmas, float32.

    Args:
        distribution: Of all coefficients alike, or natural samples.
        samples: `(N, K)` natural samples; None or empty: normal numbers.
        shape: `(B, K)`, of the result.
        seed: `[2]` whole numbers.
    """
    if not isinstance(distribution, Samples):
        return draw(distribution, shape, seed)
    count, modes = shape
    seeds = tf.unstack(tf.random.split(seed, 3))
    if samples is None or not len(samples):
        picked = tf.random.stateless_normal(shape, seeds[0])
    else:
        numbers = tf.random.stateless_uniform([count], seeds[0], 0, len(samples), tf.int32)
        picked = tf.gather(tf.constant(samples, tf.float32), numbers)
    bias = np.zeros(modes, np.float32)
    bias[: len(distribution.bias)] = distribution.bias
    noise = tf.random.stateless_normal(shape, seeds[1], 0.0, distribution.noise)
    return bias + draw(distribution.scale, [count, 1], seeds[2]) * picked + noise
