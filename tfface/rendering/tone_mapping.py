"""From light of any strength to the values of a picture."""

from __future__ import annotations

import tensorflow as tf

from tfface.rendering.checking import checked


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

    Raises:
        ValueError: an argument has another shape or value; the message names it.
    """
    image = checked(image, "image", ("B", "H", "W", "C"))
    if isinstance(gamma, (int, float)) and not gamma > 0:
        raise ValueError(f"gamma: expected a number above 0, got {gamma!r}")
    if white is None:
        white = tf.reduce_max(image, axis=[1, 2, 3])
    level = tf.cast(white, image.dtype)
    if level.shape.rank and not image.shape[:1].is_compatible_with(level.shape):
        raise ValueError(f"white: expected a number or shape {image.shape[:1]}, got {level.shape}")
    scaled = tf.math.divide_no_nan(image, tf.reshape(level, [-1, 1, 1, 1]))
    lit = scaled > 0
    return tf.where(lit, tf.minimum(tf.where(lit, scaled, 1) ** gamma, 1), 0)
