"""The transfer curve of sRGB (IEC 61966-2-1): colours of pictures to linear light and back."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)


def srgb_to_linear(colours: np.ndarray) -> np.ndarray:
    """Linear light of sRGB-encoded values of any shape, clipped to [0, 1]."""
    colours = np.clip(colours, 0.0, 1.0)
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: np.ndarray) -> np.ndarray:
    """sRGB-encoded values of linear light of any shape, clipped to [0, 1]."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def grey(images: tf.Tensor) -> tf.Tensor:
    """Intensities `[..., 1]` of colours `[..., 3]`: luma, of the encoded values as they are."""
    images = tf.convert_to_tensor(images)
    return tf.reduce_sum(images * tf.constant(_LUMA, images.dtype), axis=-1, keepdims=True)
