"""Which vertices a perspective camera sees: by facing (the set V of eq. (8)), or by z-buffer."""

from __future__ import annotations

import tensorflow as tf

from tfface.rendering.cameras import perspective_projection
from tfface.rendering.rasterize import rasterize


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


def unoccluded(
    points_camera: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: float,
    size: int,
    tolerance: float = 1.5,
) -> tf.Tensor:
    """True where no other part of the mesh hides a vertex, by the depth of its pixel.

    Args:
        points_camera: `[B, V, 3]` positions in camera space, mm.
        triangles: `[T, 3]` int32.
        focal_length: of the z-buffer, pixels; its principal point is its middle.
        size: side of the z-buffer, pixels. Vertices outside of it are tested at its border.
        tolerance: mm behind the visible surface that still count as on it.

    Returns:
        `[B, V]` bool; False on an outline where the vertex's pixel shows the background.
    """
    centre = (size / 2, size / 2)
    hit = rasterize(points_camera, triangles, focal_length, centre, size, size)
    pixels = tf.cast(perspective_projection(points_camera, focal_length, centre), tf.int32)
    pixels = tf.clip_by_value(pixels[..., ::-1], 0, size - 1)  # row, column
    nearest = tf.gather_nd(hit.depth, pixels, batch_dims=1)
    return -points_camera[..., 2] < nearest + tolerance
