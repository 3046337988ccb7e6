"""Shape from shading without a network: eq. (14) minimised for each picture by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf

from tfface.losses.shape_from_shading import ShadingProblem, shading_terms

STEPS, RATE = 300, 0.02  # Adam's; pixels


def minimise(
    problem: ShadingProblem, weights: Mapping[str, float], steps: int = STEPS
) -> tf.Tensor:
    """The heights `[B, S, S, 1]` with the least criterion, from the coarse ones on.

    Args:
        problem: The pictures.
        weights: Of the terms of `shading_terms`.
        steps: Of the descent.
    """
    change = tf.Variable(tf.zeros_like(problem.heights))
    # The gradient on a pixel of a mean over thousands is far below Adam's usual epsilon.
    schedule = keras.optimizers.schedules.CosineDecay(RATE, steps)
    optimizer = keras.optimizers.Adam(schedule, epsilon=1e-12)
    optimizer.build([change])

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            terms = shading_terms(problem, problem.heights + change * problem.mask)
            total = tf.add_n([weights[name] * tf.reduce_sum(t) for name, t in terms.items()])
        optimizer.apply_gradients([(tape.gradient(total, change), change)])

    for _ in range(steps):
        step()
    return problem.heights + change * problem.mask
