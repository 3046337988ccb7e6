"""Head pose: axis-angle rotation and rigid transform into camera space."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.cameras import to_camera_space
from tfface.rendering.rotations import rotation_matrix

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class AxisAngleRotation(GeometryLayer):
    """Axis-angle vectors `[B, 3]`, radians -> rotation matrices `[B, 3, 3]` (exponential map)."""

    def call(self, axis_angle: tf.Tensor) -> tf.Tensor:
        return rotation_matrix(axis_angle)

    def compute_output_shape(self, axis_angle_shape: Shape) -> Shape:
        return (*axis_angle_shape, 3)


@keras.saving.register_keras_serializable(package="tfface")
class RigidTransform(GeometryLayer):
    """Model to camera space, p_camera = R p + t.

    Inputs: points `[B, V, 3]` mm, rotation `[B, 3, 3]`, translation `[B, 3]` mm. Output: `[B, V,
        3]` mm.
    """

    def call(self, points: tf.Tensor, rotation: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
        return to_camera_space(points, rotation, translation)

    def compute_output_shape(
        self, points_shape: Shape, rotation_shape: Shape, translation_shape: Shape
    ) -> Shape:
        return points_shape
