"""Which vertices a perspective camera sees, approximated by facing (the set V of eq. (8))."""

from __future__ import annotations

import tensorflow as tf


def front_facing(normals_camera: tf.Tensor, points_camera: tf.Tensor) -> tf.Tensor:
    """True where the surface turns towards the camera at the origin: n . (-p) > 0.

    Unlike n_z > 0 this is right off the optical axis, and it needs no unit normals.

    Args:
        normals_camera: `[..., 3]` normals in camera space.
        points_camera: `[..., 3]` positions in camera space, mm.

    Returns:
        `[...]` bool. False behind the camera (Z >= 0).
    """
    facing = tf.reduce_sum(normals_camera * points_camera, axis=-1) < 0
    return tf.logical_and(facing, points_camera[..., 2] < 0)
