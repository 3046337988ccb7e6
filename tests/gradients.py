"""Gradients against central finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def assert_gradients(
    function: Callable[..., tf.Tensor],
    inputs: Sequence[np.ndarray],
    step: float = 1e-6,
    tolerance: float = 1e-6,
) -> None:
    """Compares the gradient of a random projection of `function` in every entry of every input.

    Args:
        function: takes and returns float64 tensors.
        inputs: where to differentiate.
        step: of the differences, relative to `1 + |x|`.
        tolerance: relative to the largest derivative of each input.
    """
    tensors = [tf.constant(x, tf.float64) for x in inputs]
    weights = np.random.default_rng(7).normal(size=function(*tensors).shape)

    def projected(*values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(function(*values) * weights)

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = projected(*tensors)
    for number, analytic in enumerate(tape.gradient(value, tensors)):
        numeric = _differences(projected, tensors, number, step)
        scale = np.abs(numeric).max() + 1e-12
        np.testing.assert_allclose(
            tf.convert_to_tensor(analytic), numeric, rtol=0, atol=tolerance * scale
        )


def _differences(
    function: Callable[..., tf.Tensor], inputs: Sequence[tf.Tensor], number: int, step: float
) -> np.ndarray:
    traced = tf.function(function, autograph=False)
    base = inputs[number].numpy()
    result = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        delta = step * (1 + abs(base[place]))
        values = []
        for sign in (1, -1):
            moved = base.copy()
            moved[place] += sign * delta
            values.append(
                float(traced(*inputs[:number], tf.constant(moved), *inputs[number + 1 :]))
            )
        result[place] = (values[0] - values[1]) / (2 * delta)
    return result
