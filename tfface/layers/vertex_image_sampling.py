"""Reading a picture at the projected vertices, as a layer."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.sampling import sample_bilinear

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class VertexImageSampling(GeometryLayer):
    """Colours I(u_i) of a picture at pixel positions (eq. (8)).

    Inputs: images `[B, H, W, C]`, pixels `[B, N, 2]`. Output: `[B, N, C]`.
    """

    def call(self, images: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
        return sample_bilinear(images, pixels)

    def compute_output_shape(self, images_shape: Shape, pixels_shape: Shape) -> Shape:
        return (*pixels_shape[:-1], images_shape[-1])
