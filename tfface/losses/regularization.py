"""Statistical regularisation (high-fidelity MoFA, eq. 10)."""

from __future__ import annotations

import tensorflow as tf


def statistical_regularization(
    identity: tf.Tensor,
    expression: tf.Tensor,
    albedo: tf.Tensor,
    albedo_weight: float = 1.7e-3,
    expression_weight: float = 0.8,
) -> tf.Tensor:
    """Prefers coefficients near the mean face, eq. (10).

    Args:
        identity: `[B, K]` alpha, in sigmas.
        expression: `[B, K]` delta, in sigmas.
        albedo: `[B, K]` beta, in sigmas.
        albedo_weight: w_beta.
        expression_weight: w_delta.

    Returns:
        `[B]` weighted sum of squares.
    """
    return (
        tf.reduce_sum(tf.square(identity), axis=-1)
        + albedo_weight * tf.reduce_sum(tf.square(albedo), axis=-1)
        + expression_weight * tf.reduce_sum(tf.square(expression), axis=-1)
    )
