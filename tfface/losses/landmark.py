"""Sparse landmark alignment (high-fidelity MoFA, eq. 9)."""

from __future__ import annotations

import tensorflow as tf


def landmark_loss(
    projected: tf.Tensor, detected: tf.Tensor, confidence: tf.Tensor, image_size: float
) -> tf.Tensor:
    """The surrogate loss of eq. (9), with positions in units of the image side.

    The paper has 46 landmarks and pixels; here all 68 of iBUG count, so that w_land is another.

    Args:
        projected: `[B, L, 2]` projected model landmarks u_k, in pixels.
        detected: `[B, L, 2]` detected landmarks s_j, in pixels.
        confidence: `[B, L]` c_j in [0, 1].
        image_size: Side of the image in pixels; makes the term independent of resolution.

    Returns:
        `[B]` sum of confidence times squared distance.
    """
    offset = (projected - detected) / image_size
    return tf.reduce_sum(confidence * tf.reduce_sum(tf.square(offset), axis=-1), axis=-1)
