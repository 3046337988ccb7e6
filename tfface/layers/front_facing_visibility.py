"""Visibility of vertices as a layer."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.visibility import front_facing

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class FrontFacingVisibility(GeometryLayer):
    """Which vertices face the camera, the paper's approximation of the visible set of eq. (8).

    Inputs: normals and points `[B, V, 3]` in camera space. Output: `[B, V]` bool.
    """

    def call(self, normals: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        return front_facing(normals, points)

    def compute_output_shape(self, normals_shape: Shape, points_shape: Shape) -> Shape:
        return normals_shape[:-1]

    def compute_output_spec(
        self, normals: keras.KerasTensor, points: keras.KerasTensor
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(normals.shape, points.shape), "bool")
