"""The perspective camera as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.cameras import perspective_projection

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class PerspectiveCamera(GeometryLayer):
    """Camera-space points `[..., 3]`, mm -> pixels `[..., 2]` (Pi of eq. (5)).

    Args:
        focal_length: Pixels.
        principal_point: (cx, cy), pixels.
        near: Least depth, mm; nearer points are projected as though they stood there.
    """

    def __init__(
        self,
        focal_length: float,
        principal_point: Sequence[float],
        near: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.focal_length, self.near = float(focal_length), float(near)
        centre_x, centre_y = principal_point
        self.principal_point = (float(centre_x), float(centre_y))

    def call(self, points: tf.Tensor) -> tf.Tensor:
        return perspective_projection(points, self.focal_length, self.principal_point, self.near)

    def compute_output_shape(self, points_shape: Shape) -> Shape:
        return (*points_shape[:-1], 2)

    def get_config(self) -> dict[str, Any]:
        names = ("focal_length", "principal_point", "near")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
