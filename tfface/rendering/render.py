"""Pictures of meshes whose vertices are coloured."""

from __future__ import annotations

import tensorflow as tf

from tfface.rendering.antialias import antialias
from tfface.rendering.cameras import perspective_projection
from tfface.rendering.checking import checked
from tfface.rendering.rasterize import NEAR, interpolate, rasterize


def render(
    vertices_camera: tf.Tensor,
    colours: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    height: int,
    width: int,
    background: tf.Tensor | float = 0.0,
    antialiased: bool = False,
    neighbours: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draws a mesh with vertex colours over a background.

    Args:
        vertices_camera: `[B, V, 3]` camera-space positions, mm.
        colours: `[B, V, C]` vertex colours, already shaded.
        triangles: `[T, 3]` int32 vertex numbers, counter-clockwise seen from outside.
        focal_length: pixels, a scalar or `[B]`.
        principal_point: pixels, `[2]` or `[B, 2]`.
        height: H of the picture.
        width: W of the picture.
        background: anything that broadcasts to `[B, H, W, C]`.
        antialiased: whether pixels on silhouettes are covered in part, and so tell the vertices
            which way to move.
        neighbours: `[T, 3]`, as of `antialias`.

    Returns:
        `[B, H, W, C + 1]`: the picture (not clipped) and its coverage, 1 on the mesh and 0 on the
        background.

    Raises:
        ValueError: an argument has another shape, dtype or value; the message names it.
    """
    vertices = checked(vertices_camera, "vertices_camera", ("B", "V", 3))
    colours = checked(colours, "colours", ("B", "V", "C"))
    if not vertices.shape[:2].is_compatible_with(colours.shape[:2]):
        raise ValueError(f"colours: expected one for each of {vertices.shape}, got {colours.shape}")
    seen = rasterize(vertices, triangles, focal_length, principal_point, height, width)
    surface = interpolate(colours, seen, triangles)
    mask = seen.mask[..., None]
    picture = tf.where(mask, surface, tf.cast(background, surface.dtype))
    picture = tf.concat([picture, tf.cast(mask, surface.dtype)], axis=-1)
    if not antialiased:
        return picture
    ahead = tf.reduce_all(tf.math.is_finite(vertices), axis=-1) & (vertices[..., 2] <= -NEAR)
    safe = tf.where(ahead[..., None], vertices, tf.constant([0.0, 0, -1], vertices.dtype))
    pixels = perspective_projection(safe, focal_length, principal_point)
    pixels = tf.where(ahead[..., None], pixels, float("nan"))
    return antialias(picture, seen, pixels, triangles, neighbours)
