"""From light of any strength to the values of a picture."""

from __future__ import annotations

import tensorflow as tf


def tone_map(
    image: tf.Tensor, gamma: tf.Tensor | float = 1 / 2.2, white: tf.Tensor | float | None = None
) -> tf.Tensor:
    """Gamma correction (image / white)^gamma, clipped to [0, 1].

    Args:
        image: `[B, H, W, C]` linear light; what is negative counts as 0. Black gets no gradient.
        gamma: exponent, above 0.
        white: the light that becomes 1: a scalar or `[B]`. None is the largest value of each image.

    Returns:
        `[B, H, W, C]` in [0, 1].
    """
    image = tf.convert_to_tensor(image)
    if white is None:
        white = tf.reduce_max(image, axis=[1, 2, 3])
    scaled = tf.math.divide_no_nan(image, tf.reshape(tf.cast(white, image.dtype), [-1, 1, 1, 1]))
    lit = scaled > 0
    return tf.where(lit, tf.minimum(tf.where(lit, scaled, 1) ** gamma, 1), 0)
