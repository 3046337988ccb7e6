"""Pooling by the root of the mean square, as in FaceNet's inceptions."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfface")
class L2Pooling(keras.layers.Layer):
    """`[B, H, W, C]` -> the root of the mean square over windows, "same" padding.

    Computed in float32, whose range the squares need.

    Args:
        size: Side of the window.
        strides: Of the windows.
    """

    def __init__(self, size: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.strides = size, strides

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        squares = tf.square(tf.cast(inputs, tf.float32))
        mean = tf.nn.avg_pool2d(squares, self.size, self.strides, "SAME")
        return tf.cast(tf.sqrt(mean + 1e-12), inputs.dtype)  # a finite gradient at 0

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sides = (s and -(-s // self.strides) for s in input_shape[1:3])
        return (input_shape[0], *sides, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "strides": self.strides}
