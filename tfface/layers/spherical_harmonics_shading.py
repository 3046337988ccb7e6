"""Spherical-harmonics illumination as a layer."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.spherical_harmonics import sh_shading

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class SphericalHarmonicsShading(GeometryLayer):
    """Shading of a Lambertian surface; times the reflectance it is the colour of eq. (4).

    Inputs: unit normals `[B, V, 3]` in camera space, illumination `[B, 9, 3]`. Output: `[B, V, 3]`.
    """

    def call(self, normals: tf.Tensor, illumination: tf.Tensor) -> tf.Tensor:
        return sh_shading(normals, illumination)

    def compute_output_shape(self, normals_shape: Shape, illumination_shape: Shape) -> Shape:
        return normals_shape
