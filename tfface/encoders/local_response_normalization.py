"""Local response normalisation across channels, with Caffe's constants."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfface")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides by the activity of neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    y_c = x_c / (1 + alpha / size * sum of x_k^2 over the `size` channels around c) ^ beta: Caffe's
    convention, in which alpha is shared by the window; TensorFlow's own alpha is alpha / size.
    Always computed in float32, the one type that has a GPU kernel.

    Args:
        size: Channels in the window; odd.
        alpha: Weight of the activity.
        beta: Exponent.

    Input and output: `[B, H, W, C]`.

    Raises:
        ValueError: if `size` is not odd.
    """

    def __init__(
        self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        if size % 2 != 1:
            raise ValueError(f"size: expected an odd number of channels, got {size}")
        self.size, self.alpha, self.beta = size, alpha, beta

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.local_response_normalization(
            inputs, self.size // 2, bias=1.0, alpha=self.alpha / self.size, beta=self.beta
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype", None)
        return {**config, "size": self.size, "alpha": self.alpha, "beta": self.beta}
