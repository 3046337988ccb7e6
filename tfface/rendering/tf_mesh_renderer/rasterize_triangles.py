"""Attributes of a mesh at every pixel, as in google/tf_mesh_renderer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import tensorflow as tf

from tfface.rendering.rasterize import interpolate
from tfface.rendering.rasterize import rasterize_clip_space as _rasterize
from tfface.rendering.tf_mesh_renderer import camera_utils


def rasterize(
    world_space_vertices: tf.Tensor,
    attributes: tf.Tensor,
    triangles: tf.Tensor,
    camera_matrices: tf.Tensor,
    image_width: int,
    image_height: int,
    background_value: tf.Tensor,
) -> tf.Tensor:
    """Projects a mesh and interpolates its attributes; see `rasterize_clip_space`.

    Args:
        world_space_vertices: `[B, V, 3]`.
        attributes: `[B, V, A]`.
        triangles: `[T, 3]` int32.
        camera_matrices: `[B, 4, 4]` from world to clip space.
        image_width: pixels.
        image_height: pixels.
        background_value: `[A]` value of pixels that see nothing.

    Returns:
        `[B, H, W, A]`, the first row at the bottom.
    """
    clip = camera_utils.transform_homogeneous(camera_matrices, world_space_vertices)
    return rasterize_clip_space(
        clip, attributes, triangles, image_width, image_height, background_value
    )


def rasterize_clip_space(
    clip_space_vertices: tf.Tensor,
    attributes: tf.Tensor,
    triangles: tf.Tensor,
    image_width: int,
    image_height: int,
    background_value: tf.Tensor,
) -> tf.Tensor:
    """Interpolates attributes of a mesh in clip space, perspective-correct and clipped.

    Args:
        clip_space_vertices: `[B, V, 4]` (x, y, z, w).
        attributes, triangles, image_width, image_height, background_value: as of `rasterize`.

    Returns:
        `[B, H, W, A]`, the first row at the bottom.

    Raises:
        ValueError: the size or a shape is wrong.
    """
    triangles = tf.convert_to_tensor(triangles)
    upside_down = _upside_down(clip_space_vertices)
    seen = _rasterize(upside_down, triangles, image_height, image_width)
    pixels = interpolate(tf.convert_to_tensor(attributes), seen, triangles)
    return tf.where(seen.mask[..., None], pixels, tf.cast(background_value, pixels.dtype))


class _Buffers(NamedTuple):
    barycentric_coordinates: tf.Tensor
    triangle_ids: tf.Tensor
    z_buffer: tf.Tensor


def _kernel(
    vertices: tf.Tensor, triangles: tf.Tensor, image_width: int, image_height: int
) -> _Buffers:
    """The op: clip-space vertices `[V, 4]` of one mesh -> barycentrics `[H, W, 3]`, triangle ids
    `[H, W]` (0 where nothing is seen) and z-buffer `[H, W]` (1 there, without gradient)."""
    vertices, triangles = tf.convert_to_tensor(vertices), tf.convert_to_tensor(triangles)
    seen = _rasterize(_upside_down(vertices[None]), triangles, image_height, image_width)
    z = interpolate(vertices[None, :, 2:3], seen, triangles)[..., 0]
    z_buffer = tf.where(seen.mask, z / tf.where(seen.mask, seen.depth, 1.0), 1.0)
    ids = tf.maximum(seen.triangle_ids[0], 0)
    return _Buffers(seen.barycentrics[0], ids, tf.stop_gradient(z_buffer[0]))


rasterize_triangles_module = SimpleNamespace(rasterize_triangles=_kernel)


def _upside_down(vertices: tf.Tensor) -> tf.Tensor:
    vertices = tf.convert_to_tensor(vertices)
    if vertices.shape.rank != 3 or vertices.shape[2] != 4:
        raise ValueError(f"vertices: expected shape [B, V, 4] in clip space, got {vertices.shape}")
    return vertices * [1.0, -1.0, 1.0, 1.0]
