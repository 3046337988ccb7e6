"""The losses of Genova et al. 2018 that need no truth, equations (4) to (6)."""

from __future__ import annotations

import tensorflow as tf


def identity_loss(photos: tf.Tensor, renders: tf.Tensor) -> tf.Tensor:
    """One minus the cosine score of a photo and pictures of its face, eq. (4).

    Args:
        photos: `[B, D]` embeddings.
        renders: `[B, V, D]` embeddings of V views.

    Returns:
        `[B]` in [0, 2], the mean over the views (the paper sums).
    """
    return 1.0 - tf.reduce_mean(cosine_score(photos[:, None], renders), axis=1)


def cosine_score(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The similarity of embeddings `[..., D]` of any length, in [-1, 1], as float32."""
    embeddings = (tf.cast(values, tf.float32) for values in (first, second))
    one, other = (tf.math.l2_normalize(values, axis=-1) for values in embeddings)
    return tf.reduce_sum(one * other, axis=-1)


def batch_distribution_loss(coefficients: tf.Tensor) -> tf.Tensor:
    """How far the moments of a batch are from those of the face model, eq. (5) and (6).

    Args:
        coefficients: `[B, K]` in sigmas.

    Returns:
        A scalar, |mean|^2 + |variance - 1|^2.
    """
    mean, variance = tf.nn.moments(coefficients, axes=[0])
    return tf.reduce_sum(tf.square(mean)) + tf.reduce_sum(tf.square(variance - 1.0))
