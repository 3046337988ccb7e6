"""The full perspective camera of MoFA (Pi and Phi of eq. (5)).

Model to camera space is p_camera = R p_model + t; the paper's Phi(v) = T^-1 (v - t') is the same
map with R = T^-1 and t = -T^-1 t'. Conventions (frames, units, pixel rule): see `tfface`.
"""

from __future__ import annotations

import tensorflow as tf


def to_camera_space(points: tf.Tensor, rotation: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
    """Rigid transform from model to camera space, p_camera = R p + t.

    Args:
        points: `[B, V, 3]` points, mm.
        rotation: `[B, 3, 3]` rotation matrices R.
        translation: `[B, 3]` translations t, mm.

    Returns:
        `[B, V, 3]` points in camera space, mm.
    """
    return rotate(points, rotation) + translation[:, None, :]


def rotate(vectors: tf.Tensor, rotation: tf.Tensor) -> tf.Tensor:
    """Turns `[B, V, 3]` vectors (normals, directions) by `[B, 3, 3]` matrices: v' = R v."""
    return tf.matmul(vectors, rotation, transpose_b=True)


def perspective_projection(
    points: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    near: float = 1.0,
) -> tf.Tensor:
    """Pixel positions of camera-space points: x = cx + f X / -Z, y = cy - f Y / -Z.

    A point nearer than `near`, or behind the camera, is projected as though it stood at `near`:
    values and gradients stay finite there but mean nothing, and visibility tests must exclude such
    points.

    Args:
        points: `[..., 3]` camera-space points, mm; the camera looks along -Z.
        focal_length: pixels; a scalar, or a shape that `points`' shape begins with (such as `[B]`).
        principal_point: (cx, cy), pixels; `[2]`, or such a shape followed by 2 (`[B, 2]`).
        near: least depth, mm.

    Returns:
        `[..., 2]` pixel positions, x right and y down, the top-left pixel's centre at (0.5, 0.5).
    """
    points = tf.convert_to_tensor(points)
    rank = len(points.shape)
    focal = _append_axes(tf.convert_to_tensor(focal_length, points.dtype), rank - 1)
    centre = tf.convert_to_tensor(principal_point, points.dtype)
    centre_x, centre_y = (_append_axes(centre[..., axis], rank - 1) for axis in (0, 1))
    scale = focal / tf.maximum(-points[..., 2], tf.cast(near, points.dtype))
    x = centre_x + scale * points[..., 0]
    y = centre_y - scale * points[..., 1]
    return tf.stack([x, y], axis=-1)


def perspective_slopes(
    points: tf.Tensor, focal_length: tf.Tensor | float, near: float = 1.0
) -> tf.Tensor:
    """The derivative of `perspective_projection` by the point, `[..., 3]` -> `[..., 2, 3]`.

    Args:
        points, focal_length, near: As of `perspective_projection`.
    """
    points = tf.convert_to_tensor(points)
    focal = _append_axes(tf.convert_to_tensor(focal_length, points.dtype), len(points.shape) - 1)
    x, y, z = tf.unstack(points, axis=-1)
    limit = tf.cast(near, points.dtype)
    depth = tf.maximum(-z, limit)
    scale, zero = focal / depth, tf.zeros_like(x)
    by_depth = tf.where(-z > limit, scale / depth, zero)
    rows = [[scale, zero, by_depth * x], [zero, -scale, -by_depth * y]]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def _append_axes(tensor: tf.Tensor, rank: int) -> tf.Tensor:
    """Appends axes of size one, so that leading axes broadcast; scalars do anyway."""
    if not tensor.shape.rank:
        return tensor
    return tensor[(...,) + (None,) * (rank - tensor.shape.rank)]
