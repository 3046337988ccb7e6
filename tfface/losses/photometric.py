"""Dense photometric alignment (high-fidelity MoFA, eq. 8, 11, 13 and 14)."""

from __future__ import annotations

import tensorflow as tf


def photometric_distance(colours: tf.Tensor, observed: tf.Tensor) -> tf.Tensor:
    """E_photo^i of eq. (14): the RGB distance of every vertex, `[B, V, 3]` -> `[B, V]`.

    The gradient of the norm at zero is taken as zero.
    """
    squared = tf.reduce_sum(tf.square(colours - observed), axis=-1)
    positive = squared > 0.0
    return tf.where(positive, tf.sqrt(tf.where(positive, squared, 1.0)), 0.0)


def photometric_loss(colours: tf.Tensor, observed: tf.Tensor, visibility: tf.Tensor) -> tf.Tensor:
    """The robust l2,1 photometric term, eq. (8); with sampled vertices, eq. (13).

    Args:
        colours: `[B, V, 3]` shaded vertex colours c_i, in [0, 1] where the light allows.
        observed: `[B, V, 3]` image at the projected vertices, I(u_i).
        visibility: `[B, V]` weight of each vertex, 0 where it is hidden.

    Returns:
        `[B]` mean distance over the visible vertices; zero where none is.
    """
    visibility = tf.cast(visibility, colours.dtype)
    total = tf.reduce_sum(visibility * photometric_distance(colours, observed), axis=-1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(visibility, axis=-1))


def reweighted_photometric_loss(
    colours: tf.Tensor, observed: tf.Tensor, visibility: tf.Tensor, floor: float = 1e-6
) -> tf.Tensor:
    """The sum-of-squares form of eq. (11), one weight 1 / C_i a residual.

    Eq. (11) is used as the tight quadratic bound |r| <= (r^2 / C + C) / 2 of eq. (8), which has
    the same value and the same gradient at r = C; C receives no gradient.

    Args:
        floor: Least C_i, so that a perfect vertex has a finite weight.

    Other arguments and result: as `photometric_loss`.
    """
    visibility = tf.cast(visibility, colours.dtype)
    squared = tf.reduce_sum(tf.square(colours - observed), axis=-1)
    last = tf.stop_gradient(tf.maximum(tf.sqrt(squared), floor))
    bound = 0.5 * (squared / last + last)
    total = tf.reduce_sum(visibility * bound, axis=-1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(visibility, axis=-1))
