"""A z-buffer in plain TensorFlow: which triangle each pixel sees, batched and perspective-correct.

A camera-space point becomes h = (cx d + f X, cy d - f Y, d) with depth d = -Z; its pixel is
(h_x / d, h_y / d). Seen from the pixel centre (x, y), a triangle of corners h_i is the 2D triangle
of u_i = (h_x - d x, h_y - d y), and the areas e_i = u_k x u_j are its barycentric coordinates up to
scale: perspective-correct, and valid also for a triangle that passes behind the camera (homogeneous
rasterisation, Olano and Greer 1997). Two triangles get exactly opposite values on a common edge, so
that no pixel falls between them.

Steps: (1) the box of pixel centres of every triangle; (2) one candidate for each pixel of each box;
(3) barycentrics and depth of every candidate; (4) the nearest candidate of each pixel.
Index arithmetic is in int64, which GPUs do themselves (TensorFlow computes int32 on the host).
Conventions: see `tfface`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_MARGIN = 1e-2  # pixels by which boxes are widened against rounding; step (3) decides


@dataclass(frozen=True)
class Rasterization:
    """What each pixel centre sees.

    Attributes:
        triangle_ids: `[B, H, W]` int32 number of the nearest triangle, -1 on the background.
        barycentrics: `[B, H, W, 3]` float32 weights of its corners at the surface point seen
            (perspective-correct, sum 1), 0 on the background.
        depth: `[B, H, W]` float32 distance of that point along the viewing axis (-Z), mm; 0 on the
            background.
    """

    triangle_ids: tf.Tensor
    barycentrics: tf.Tensor
    depth: tf.Tensor

    @property
    def mask(self) -> tf.Tensor:
        """`[B, H, W]` bool, true where there is a surface."""
        return self.triangle_ids >= 0

    def __tf_flatten__(self) -> tuple[tuple[()], tuple[tf.Tensor, ...]]:
        """Lets a `tf.function` return it (the protocol of `tf.nest`)."""
        return (), (self.triangle_ids, self.barycentrics, self.depth)

    @classmethod
    def __tf_unflatten__(cls, metadata: Any, components: tuple[tf.Tensor, ...]) -> Rasterization:
        return cls(*components)


def rasterize(
    vertices_camera: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    height: int,
    width: int,
    near: float = 1.0,
    cull_back_faces: bool = True,
) -> Rasterization:
    """Finds the nearest triangle at every pixel centre. No gradient flows to the vertices.

    Args:
        vertices_camera: `[B, V, 3]` camera-space positions, mm.
        triangles: `[T, 3]` int32 vertex numbers, counter-clockwise seen from outside.
        focal_length: pixels, a scalar or `[B]`.
        principal_point: pixels, `[2]` or `[B, 2]`.
        height: H of the picture.
        width: W of the picture.
        near: surfaces nearer than this depth (mm) are not drawn.
        cull_back_faces: whether triangles that turn away from the camera are left out.

    Returns:
        A `Rasterization`. Where two triangles are equally deep the one with the lower number wins.
    """
    homogeneous = _homogeneous_pixels(vertices_camera, focal_length, principal_point)
    batch = tf.shape(homogeneous, out_type=tf.int64)[0]
    triangle_count = tf.shape(triangles, out_type=tf.int64)[0]
    corners = tf.reshape(tf.gather(homogeneous, triangles, axis=1), [-1, 9])  # rows (B * T, 9)

    boxes = _pixel_boxes(_columns(corners), near, cull_back_faces, height, width)
    owner, column, row = _box_pixels(*boxes)  # (P,) candidates; owner in B * T
    seen = _columns(tf.gather(corners, owner))
    barycentrics, depth, hit = _intersect(seen, column, row, near, cull_back_faces)

    pixel = (owner // triangle_count * height + row) * width + column
    nearest = _nearest(tf.where(hit, pixel, -1), depth, tf.cast(batch * height * width, tf.int32))
    values = tf.concat([barycentrics, depth[None]], axis=0)
    values = tf.gather(tf.pad(tf.transpose(values), [[1, 0], [0, 0]]), nearest + 1)
    triangle = tf.cast(owner % triangle_count, tf.int32)
    triangle = tf.gather(tf.pad(triangle, [[1, 0]], constant_values=-1), nearest + 1)
    return Rasterization(
        triangle_ids=tf.reshape(triangle, [batch, height, width]),
        barycentrics=tf.reshape(values[:, :3], [batch, height, width, 3]),
        depth=tf.reshape(values[:, 3], [batch, height, width]),
    )


def interpolate(
    attributes: tf.Tensor, rasterization: Rasterization, triangles: tf.Tensor
) -> tf.Tensor:
    """Attributes of the surface points seen; differentiable in the attributes.

    Args:
        attributes: `[B, V, C]` values at the vertices.
        rasterization: of the mesh.
        triangles: `[T, 3]` vertex numbers.

    Returns:
        `[B, H, W, C]`, zero on the background.
    """
    corners = tf.gather(triangles, tf.maximum(rasterization.triangle_ids, 0))  # (B, H, W, 3)
    values = tf.gather(attributes, corners, axis=1, batch_dims=1)  # (B, H, W, 3, C)
    weights = tf.cast(rasterization.barycentrics, values.dtype)
    return tf.reduce_sum(weights[..., None] * values, axis=-2)


def render(
    vertices_camera: tf.Tensor,
    colours: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    height: int,
    width: int,
    background: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Draws a mesh with vertex colours over a background.

    Args:
        vertices_camera: `[B, V, 3]` camera-space positions, mm.
        colours: `[B, V, 3]` vertex colours, already shaded.
        triangles: `[T, 3]` int32 vertex numbers, counter-clockwise seen from outside.
        focal_length: pixels, a scalar or `[B]`.
        principal_point: pixels, `[2]` or `[B, 2]`.
        height: H of the picture.
        width: W of the picture.
        background: anything that broadcasts to `[B, H, W, 3]`.

    Returns:
        `[B, H, W, 4]`: RGB (not clipped) and coverage (1 on the mesh, 0 on the background).
    """
    seen = rasterize(vertices_camera, triangles, focal_length, principal_point, height, width)
    coverage = tf.cast(seen.mask, colours.dtype)[..., None]
    surface = interpolate(colours, seen, triangles)
    composite = surface + (1 - coverage) * tf.cast(background, colours.dtype)
    return tf.concat([composite, coverage], axis=-1)


def _homogeneous_pixels(
    vertices: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
) -> tf.Tensor:
    """`[B, V, 3]` (h_x, h_y, d), so that `perspective_projection` is (h_x / d, h_y / d)."""
    x, y, z = tf.unstack(tf.stop_gradient(tf.cast(vertices, tf.float32)), axis=-1)
    focal = tf.reshape(tf.cast(focal_length, tf.float32), [-1, 1])
    centre = tf.reshape(tf.cast(principal_point, tf.float32), [-1, 2])
    return tf.stack([focal * x - centre[:, :1] * z, -focal * y - centre[:, 1:] * z, -z], axis=-1)


def _columns(corners: tf.Tensor) -> tf.Tensor:
    """`(3 corners, 3 coordinates, n)` from `(n, 9)`: gathering wants rows, arithmetic columns."""
    return tf.reshape(tf.transpose(corners), [3, 3, -1])


def _pixel_boxes(
    corners: tf.Tensor, near: float, cull_back_faces: bool, height: int, width: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """First pixel and size of the box of pixel centres of each triangle, both `(2, n)` int64."""
    depth = corners[:, 2]
    in_front = tf.reduce_min(depth, axis=0) >= near
    visible = tf.reduce_max(depth, axis=0) >= near
    points = corners[:, :2] / tf.where(depth >= near, depth, 1.0)[:, None]
    if cull_back_faces:
        (ax, ay), (bx, by) = (tf.unstack(points[k] - points[0]) for k in (1, 2))
        visible &= ~in_front | (ax * by <= ay * bx)  # y points down: front faces turn clockwise
    last = tf.constant([[width - 1], [height - 1]], tf.float32)
    # A triangle that passes behind the camera may be seen anywhere, unless it is all to one side.
    below = tf.reduce_max(corners[:, :2], axis=0) >= 0
    above = tf.reduce_min(corners[:, :2] - (last + 1) * depth[:, None], axis=0) <= 0
    visible &= tf.reduce_all(below & above, axis=0)
    low = tf.where(in_front, tf.reduce_min(points, axis=0) - 0.5 - _MARGIN, 0.0)
    high = tf.where(in_front, tf.reduce_max(points, axis=0) - 0.5 + _MARGIN, last)
    low, high = tf.maximum(tf.math.ceil(low), 0.0), tf.minimum(tf.floor(high), last)
    visible &= tf.reduce_all(high >= low, axis=0)  # also false where a vertex is not a number
    low, size = tf.where(visible, low, 0.0), tf.where(visible, high - low + 1, 0.0)
    return tf.cast(low, tf.int64), tf.cast(size, tf.int64)


def _box_pixels(low: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Lists the pixels of all boxes `(2, n)`: for each, its box, column and row, `(P,)` int64."""
    counts = size[0] * size[1]
    starts = tf.cumsum(counts, exclusive=True)
    total = tf.reduce_sum(counts)
    ones = tf.ones_like(starts, tf.int32)  # GPUs sum segments of int32, not of int64
    started = tf.math.unsorted_segment_sum(ones, starts, tf.cast(total + 1, tf.int32))
    owner = tf.cumsum(tf.cast(started[:-1], tf.int64)) - 1  # boxes that start by each place
    table = tf.stack([low[0], low[1], size[0], starts], axis=-1)
    first_column, first_row, columns, start = tf.unstack(tf.transpose(tf.gather(table, owner)))
    offset = tf.range(total) - start
    row = offset // columns
    return owner, first_column + offset - row * columns, first_row + row


def _intersect(
    corners: tf.Tensor, column: tf.Tensor, row: tf.Tensor, near: float, cull_back_faces: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Barycentrics `(3, P)`, depth and hit `(P,)` of triangles `(3, 3, P)` at pixel centres."""
    depths = corners[:, 2]
    x = corners[:, 0] - depths * (tf.cast(column, tf.float32) + 0.5)
    y = corners[:, 1] - depths * (tf.cast(row, tf.float32) + 0.5)
    (next_x, next_y), (last_x, last_y) = ([tf.roll(v, k, axis=0) for v in (x, y)] for k in (-1, 1))
    areas = last_x * next_y - next_x * last_y
    total = tf.reduce_sum(areas, axis=0)
    if not cull_back_faces:
        areas, total = areas * tf.sign(total), tf.abs(total)
    facing = total > 0
    barycentrics = areas / tf.where(facing, total, 1.0)
    depth = tf.reduce_sum(barycentrics * depths, axis=0)
    inside = tf.reduce_min(areas, axis=0) >= 0
    return barycentrics, depth, inside & facing & (depth >= near)


def _nearest(pixel: tf.Tensor, depth: tf.Tensor, pixel_count: tf.Tensor) -> tf.Tensor:
    """Number of the candidate with the least depth in each pixel (int64), -1 where there is none.

    A negative `pixel` is left out; of equally deep candidates the first is taken.
    """
    least = tf.math.unsorted_segment_min(depth, pixel, pixel_count)
    wins = (pixel >= 0) & (depth == tf.gather(least, tf.maximum(pixel, 0)))
    number = tf.cast(tf.range(tf.size(depth, tf.int64)), tf.int32)
    first = tf.math.unsorted_segment_min(number, tf.where(wins, pixel, -1), pixel_count)
    return tf.where(first < tf.int32.max, tf.cast(first, tf.int64), -1)
