"""Silhouettes that cover pixels in part, so that they have a gradient (after nvdiffrast).

Where the surface that a pixel sees ends before the centre of the next pixel, the pixel on whose
side of the middle it ends takes a part of the other's colour: as much as lies between the end and
the middle (Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering").
The part depends on where the vertices of the edge are, and passes a gradient to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.rendering.checking import INTEGERS, checked
from tfface.rendering.rasterize import Rasterization, drawable

_STEPS = 3  # triangles looked through between two pixel centres
_UNKNOWN = 2.0


def edge_neighbours(triangles: ArrayLike) -> np.ndarray:
    """`(T, 3)` int32 numbers of the triangles across the edge opposite to each corner.

    -1 where there is none; of three or more triangles on one edge, one is taken.

    Args:
        triangles: `(T, 3)` vertex numbers.
    """
    numbers = np.asarray(triangles, np.int64).reshape(-1, 3)
    numbers = numbers - numbers.min(initial=0)  # below 0, of no vertex: edges of their own
    count = numbers.max(initial=0) + 1
    starts, ends = np.roll(numbers, -1, axis=1), np.roll(numbers, -2, axis=1)
    own, other = (starts * count + ends).reshape(-1), (ends * count + starts).reshape(-1)
    order = np.argsort(own, kind="stable")
    place = np.minimum(np.searchsorted(own, other, sorter=order), max(len(own) - 1, 0))
    found = own[order[place]] == other if len(own) else np.zeros(0, bool)
    return np.where(found, order[place] // 3, -1).reshape(-1, 3).astype(np.int32)


def antialias(
    image: tf.Tensor,
    rasterization: Rasterization,
    pixels: tf.Tensor,
    triangles: tf.Tensor,
    neighbours: tf.Tensor | None = None,
) -> tf.Tensor:
    """Blends pixels over silhouettes.

    An edge is on the silhouette where the mesh ends or the triangle across turns the other way.
    It is missed where more than three triangles lie before it. Where surfaces intersect, and beside
    triangles with a vertex that is not finite, nothing is blended.

    Args:
        image: `[B, H, W, C]` what was drawn, background included.
        rasterization: of the mesh.
        pixels: `[B, V, 2]` projected vertices; not finite where they are behind the camera.
        triangles: `[T, 3]` vertex numbers.
        neighbours: `[T, 3]` of `edge_neighbours`; computed when the triangles are a constant.

    Returns:
        `[B, H, W, C]`, differentiable in `image` and `pixels`.

    Raises:
        ValueError: an argument has another shape or dtype, or `neighbours` is missing and the
            triangles are not a constant.
    """
    image = checked(image, "image", ("B", "H", "W", "C"))
    pixels = checked(pixels, "pixels", ("B", "V", 2))
    triangles = checked(triangles, "triangles", ("T", 3), INTEGERS)
    if not image.shape[:3].is_compatible_with(rasterization.triangle_ids.shape):
        expected = rasterization.triangle_ids.shape
        raise ValueError(f"image: expected the pixels {expected} drawn, got {image.shape}")
    if neighbours is None:
        known = tf.get_static_value(triangles)
        if known is None:
            raise ValueError("neighbours: expected edge_neighbours(triangles), got None")
        neighbours = edge_neighbours(known)
    if triangles.shape[0] == 0:
        return image
    triangles = drawable(triangles, tf.shape(pixels)[1])
    outline = _Outline.of(pixels, triangles, neighbours, image)
    channels = tf.shape(image)[3]
    flat, ids = tf.reshape(image, [-1, channels]), tf.reshape(rasterization.triangle_ids, [-1])
    infinity = tf.constant(float("inf"), rasterization.depth.dtype)
    depth = tf.reshape(tf.where(rasterization.mask, rasterization.depth, infinity), [-1])
    column, row, _ = outline.place(tf.range(tf.size(ids, tf.int64)))
    changes = tf.zeros_like(flat)
    for step, last in (
        (tf.ones_like(outline.width), column == outline.width - 1),
        (outline.width, row == outline.height - 1),
    ):
        differs = tf.not_equal(ids, tf.roll(ids, -tf.cast(step, tf.int32), axis=0))
        first = tf.where(differs & ~last)[:, 0]
        swap = tf.gather(depth, first) > tf.gather(depth, first + step)
        near, far = tf.where(swap, first + step, first), tf.where(swap, first, first + step)
        end = outline.end(tf.cast(tf.gather(ids, near), tf.int64), near, far)
        part = tf.cast(end - 0.5, flat.dtype)[:, None]  # negative: of the nearer pixel
        difference = tf.gather(flat, near) - tf.gather(flat, far)
        target = tf.where(end < 0.5, near, far)[:, None]
        changes = tf.tensor_scatter_nd_add(changes, target, part * difference)
    return tf.reshape(flat + changes, tf.shape(image))


@dataclass(frozen=True, eq=False)
class _Outline:
    """A mesh in the picture: where its triangles end.

    Attributes:
        pixels: `[B, V, 2]`.
        triangles, neighbours: `[T, 3]` int64.
        facing: `[B, T]`: 1 or -1, the sense in which triangles turn in the picture; 0 for those
            seen from the side, `_UNKNOWN` for those with a vertex that is not finite.
        height, width: of the picture, int64.
    """

    pixels: tf.Tensor
    triangles: tf.Tensor
    neighbours: tf.Tensor
    facing: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor

    @classmethod
    def of(
        cls, pixels: tf.Tensor, triangles: tf.Tensor, neighbours: tf.Tensor, image: tf.Tensor
    ) -> _Outline:
        triangles, neighbours = tf.cast(triangles, tf.int64), tf.cast(neighbours, tf.int64)
        corners = tf.gather(tf.stop_gradient(pixels), triangles, axis=1)
        pixels = tf.where(tf.math.is_finite(pixels), pixels, 0)  # for finite gradients
        (ax, ay), (bx, by) = (
            tf.unstack(corners[:, :, k] - corners[:, :, 0], axis=-1) for k in (1, 2)
        )
        area = ax * by - ay * bx
        facing = tf.where(tf.math.is_finite(area), tf.sign(area), _UNKNOWN)
        height, width = tf.unstack(tf.shape(image, out_type=tf.int64)[1:3])
        return cls(pixels, triangles, neighbours, facing, height, width)

    def place(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Column, row and picture of pixels."""
        line = number // self.width
        picture = line // self.height
        return number - line * self.width, line - picture * self.height, picture

    def end(self, triangle: tf.Tensor, near: tf.Tensor, far: tf.Tensor) -> tf.Tensor:
        """`(P,)` where the surface ends on the way from the pixels that see triangles to others.

        0.5, which blends nothing, where it does not end.
        """
        end = tf.fill(tf.shape(near), tf.constant(0.5, self.pixels.dtype))
        picture = self.place(near)[2]
        own = self._sense(picture, triangle)
        on_the_way = tf.not_equal(own[:, 0], _UNKNOWN)
        for _ in range(_STEPS):
            start, stop = (own * self._areas(triangle, number) for number in (near, far))
            leaves = (stop <= 0) & (start > stop)
            way = start / tf.where(leaves, start - stop, 1)
            first = tf.argmin(tf.where(leaves, way, 2), axis=1, output_type=tf.int32)
            first = tf.one_hot(first, 3, on_value=True, off_value=False, dtype=tf.bool) & leaves
            on_the_way &= tf.reduce_any(first, axis=1)
            across = tf.reduce_max(tf.where(first, tf.gather(self.neighbours, triangle), -1), 1)
            triangle = tf.where(across < 0, triangle, across)
            sense = self._sense(picture, triangle)[:, 0]
            on_the_way &= tf.not_equal(sense, _UNKNOWN)
            ends = ((across < 0) | tf.not_equal(sense, own[:, 0])) & on_the_way
            end = tf.where(ends, tf.reduce_sum(tf.where(first, way, 0), axis=1), end)
            on_the_way &= ~ends
        return end

    def _areas(self, triangle: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """`(P, 3)` areas opposite to the corners, seen from pixel centres."""
        column, row, picture = self.place(number)
        corners = tf.gather(self.triangles, triangle)
        index = tf.stack([tf.repeat(picture[:, None], 3, axis=1), corners], axis=-1)
        centre = tf.cast(tf.stack([column, row], axis=-1), self.pixels.dtype) + 0.5
        x, y = tf.unstack(tf.gather_nd(self.pixels, index) - centre[:, None], axis=-1)
        (jx, kx), (jy, ky) = ([tf.roll(v, s, axis=1) for s in (-1, -2)] for v in (x, y))
        return jx * ky - kx * jy

    def _sense(self, picture: tf.Tensor, triangle: tf.Tensor) -> tf.Tensor:
        return tf.gather_nd(self.facing, tf.stack([picture, triangle], axis=-1))[:, None]
