"""Rotations: the exponential map of SO(3) and its inverse, smooth where codes live.

Conventions (frames, units, signs): see the docstring of `tfface`.
"""

from __future__ import annotations

import tensorflow as tf

_SERIES_BELOW = 1e-2  # squared angle under which a four-term series is exact to float64 rounding


def rotation_matrix(axis_angle: tf.Tensor) -> tf.Tensor:
    """Rotation matrix of an axis-angle vector, R = exp([w]x) (Rodrigues' formula).

    R = I + sinc(t) [w]x + 1/2 sinc(t/2)^2 [w]x^2 with t = |w|. Infinitely smooth, also at w = 0.

    Args:
        axis_angle: `[..., 3]` axis times angle, radians; any floating dtype.

    Returns:
        `[..., 3, 3]` matrices that turn column vectors: p' = R p.
    """
    axis_angle = tf.convert_to_tensor(axis_angle)
    cross = cross_product_matrix(axis_angle)
    squared_angle = tf.reduce_sum(axis_angle * axis_angle, axis=-1)[..., None, None]
    identity = tf.eye(3, dtype=axis_angle.dtype)
    first = sinc_of_square(squared_angle)
    second = 0.5 * tf.square(sinc_of_square(squared_angle / 4))
    return identity + first * cross + second * tf.matmul(cross, cross)


def axis_angle(rotation: tf.Tensor) -> tf.Tensor:
    """Axis-angle vector of a rotation matrix, the inverse of `rotation_matrix`.

    Goes through the unit quaternion q of R: the matrix 4 q q^T is linear in R, and its row with the
    largest diagonal entry is q up to scale without cancellation. The angle is in [0, pi]; at
    exactly pi the sign of the axis is arbitrary.

    Args:
        rotation: `[..., 3, 3]` rotation matrices.

    Returns:
        `[..., 3]` axis times angle, radians.
    """
    rotation = tf.convert_to_tensor(rotation)
    outer = _quaternion_outer_product(rotation)
    largest = tf.argmax(tf.linalg.diag_part(outer), axis=-1)
    row = tf.reduce_sum(outer * tf.one_hot(largest, 4, dtype=outer.dtype)[..., None], axis=-2)
    return quaternion_axis_angle(tf.math.l2_normalize(row, axis=-1))


def quaternion_axis_angle(quaternion: tf.Tensor) -> tf.Tensor:
    """Axis-angle vector of a unit quaternion, smooth where the angle is below pi.

    Args:
        quaternion: `[..., 4]` (w, x, y, z).

    Returns:
        `[..., 3]` axis times angle, radians.
    """
    quaternion = tf.where(quaternion[..., :1] < 0, -quaternion, quaternion)  # q and -q turn alike
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    squared_sine = tf.reduce_sum(imaginary * imaginary, axis=-1, keepdims=True)
    return 2 * _half_angle_over_sine(real, squared_sine) * imaginary


def cross_product_matrix(vector: tf.Tensor) -> tf.Tensor:
    """`[..., 3, 3]` skew-symmetric matrix [v]x of `[..., 3]` vectors, with [v]x u = v x u."""
    x, y, z = tf.unstack(vector, axis=-1)
    zero = tf.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def sinc_of_square(squared: tf.Tensor) -> tf.Tensor:
    """sin(t) / t as a function of t^2: analytic in its argument, so its gradient at 0 is finite."""
    small = squared < _SERIES_BELOW
    series = 1 - squared / 6 * (1 - squared / 20 * (1 - squared / 42))
    angle = tf.sqrt(tf.where(small, tf.ones_like(squared), squared))  # the root is steep at 0
    return tf.where(small, series, tf.sin(angle) / angle)


def _quaternion_outer_product(rotation: tf.Tensor) -> tf.Tensor:
    """`[..., 4, 4]` matrix 4 q q^T, q = (w, x, y, z), of `[..., 3, 3]` rotations."""
    transposed = tf.linalg.matrix_transpose(rotation)
    skew = rotation - transposed
    vector = tf.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1)  # 4 w (x, y, z)
    trace = tf.linalg.trace(rotation)[..., None, None]
    block = rotation + transposed + (1 - trace) * tf.eye(3, dtype=rotation.dtype)
    top = tf.concat([1 + trace, vector[..., None, :]], axis=-1)
    bottom = tf.concat([vector[..., :, None], block], axis=-1)
    return tf.concat([top, bottom], axis=-2)


def _half_angle_over_sine(cosine: tf.Tensor, squared_sine: tf.Tensor) -> tf.Tensor:
    """h / sin(h) of a half angle h in [0, pi/2] given cos(h) and sin(h)^2, smooth at 0."""
    small = squared_sine < 0.1 * _SERIES_BELOW
    series = 1 + squared_sine / 6 * (1 + squared_sine * 9 / 20 * (1 + squared_sine * 25 / 42))
    sine = tf.sqrt(tf.where(small, tf.ones_like(squared_sine), squared_sine))
    return tf.where(small, series, tf.atan2(sine, cosine) / sine)
