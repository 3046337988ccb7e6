"""Pictures of a mesh that networks read, each a layer: depth, PNCC, normals (Richardson et al.)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.checking import INTEGERS, checked, checked_pixels
from tfface.rendering.rasterize import (
    Gradients,
    Rasterization,
    interpolate,
    rasterize,
    rasterize_orthographic,
)

Shape = tuple[int | None, ...]


class MeshMap(GeometryLayer):
    """The base: a fixed mesh drawn by a z-buffer.

    Args:
        triangles: `(T, 3)` vertex numbers, counter-clockwise seen from outside.
        height: H of the picture.
        width: W of the picture.
        focal_length: pixels, of a perspective camera with its principal point in the middle of the
            picture; points are then in camera space. None is weak perspective: points are
            (x, y, depth), x and y in pixels of the picture.
        gradients: "fixed" or "extended", as of `rasterize`; Richardson's layer is "fixed".

    Raises:
        ValueError: an argument has another shape or value; the message names it.
    """

    channels: int

    def __init__(
        self,
        triangles: ArrayLike,
        height: int,
        width: int,
        focal_length: float | None = None,
        gradients: Gradients = "fixed",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.triangles = checked(triangles, "triangles", ("T", 3), INTEGERS).numpy()
        self.height = checked_pixels(height, "height")
        self.width = checked_pixels(width, "width")
        self.focal_length = None if focal_length is None else float(focal_length)
        if self.focal_length is not None and not self.focal_length > 0:
            raise ValueError(f"focal_length: expected a positive number, got {focal_length!r}")
        if gradients not in ("extended", "fixed"):
            raise ValueError(f"gradients: expected 'extended' or 'fixed', got {gradients!r}")
        self.gradients = gradients

    def see(self, points: tf.Tensor) -> Rasterization:
        """What each pixel sees of points `[B, V, 3]`."""
        size = self.height, self.width
        if self.focal_length is None:
            return rasterize_orthographic(points, self.triangles, *size, gradients=self.gradients)
        centre = (self.width / 2, self.height / 2)
        return rasterize(
            points, self.triangles, self.focal_length, centre, *size, gradients=self.gradients
        )

    def compute_output_shape(self, points_shape: Shape, *others: Shape) -> Shape:
        return (points_shape[0], self.height, self.width, self.channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "triangles": self.triangles.tolist(),
            "height": self.height,
            "width": self.width,
            "focal_length": self.focal_length,
            "gradients": self.gradients,
        }


@keras.saving.register_keras_serializable(package="tfface")
class DepthRendering(MeshMap):
    """The rendering layer of Richardson et al., eq. (5) to (7): a depth map that trains a code.

    Input: points `[B, V, 3]`. Output: `[B, H, W, 1]` depth, 0 on the background. Vertices that no
    pixel sees get no gradient.
    """

    channels = 1

    def call(self, points: tf.Tensor) -> tf.Tensor:
        return self.see(points).depth[..., None]


@keras.saving.register_keras_serializable(package="tfface")
class PNCCRendering(MeshMap):
    """The projected normalised coordinate code: where on the mean face each pixel lies.

    Args:
        mean: `(V, 3)` mean face; each axis is stretched to [0, 1] (Zhu et al. 2016).
        triangles, height, width, focal_length, gradients: as of `MeshMap`.

    Input: points `[B, V, 3]`. Output: `[B, H, W, 3]` in [0, 1], 0 on the background.
    """

    channels = 3

    def __init__(self, mean: ArrayLike, triangles: ArrayLike, *args: Any, **kwargs: Any) -> None:
        super().__init__(triangles, *args, **kwargs)
        self.mean = np.asarray(mean, np.float32)

    def call(self, points: tf.Tensor) -> tf.Tensor:
        codes = normalized_coordinates(tf.constant(self.mean, points.dtype))
        codes = tf.broadcast_to(codes, tf.shape(points))
        return interpolate(codes, self.see(points), self.triangles)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean.tolist()}


@keras.saving.register_keras_serializable(package="tfface")
class NormalMapRendering(MeshMap):
    """The normals of what each pixel sees.

    Inputs: points and normals `[B, V, 3]`. Output: `[B, H, W, 3]` unit normals, 0 on the
    background.
    """

    channels = 3

    def call(self, points: tf.Tensor, normals: tf.Tensor) -> tf.Tensor:
        pixels = interpolate(normals, self.see(points), self.triangles)
        return tf.math.l2_normalize(pixels, axis=-1, epsilon=1e-20)


def normalized_coordinates(mean: tf.Tensor) -> tf.Tensor:
    """The mean face `[..., V, 3]` with each axis stretched to [0, 1]: what a PNCC paints."""
    low, high = (reduce(mean, -2, keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.math.divide_no_nan(mean - low, high - low)
