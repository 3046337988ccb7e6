"""A small residual network that trains on two CPU cores."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

WIDTHS = (24, 48, 96, 192)  # multiples of 8: oneDNN is up to twice slower on others
BLOCKS = (1, 2, 2)
FEATURES = 384


def compact_encoder(image_size: int, channels: int = 3) -> keras.Model:
    """Builds the compact encoder: `[B, S, S, C]` in [0, 1] -> `[B, 384]` features.

    A strided 5x5 stem and three stages of 3x3 residual blocks (He et al. 2016). The last map is
    narrowed and flattened, not averaged: where things are is what pose and shape are read from.
    2.8 million parameters at 112 pixels.

    Args:
        image_size: S; a multiple of 16 wastes nothing.
        channels: C.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x = residual_features(images, WIDTHS, BLOCKS)
    x = layers.Flatten()(normalized_convolution(x, 48, 1))
    return keras.Model(images, layers.Dense(FEATURES, activation="relu")(x), name="compact")


def residual_features(
    images: keras.KerasTensor, widths: Sequence[int], blocks: Sequence[int]
) -> keras.KerasTensor:
    """Images in [0, 1] -> maps: a strided stem and stages of residual blocks, each half as wide.

    Args:
        images: `[B, S, S, C]`.
        widths: Channels of the stem and of each stage.
        blocks: Residual blocks of each stage.
    """
    x = normalized_convolution(2.0 * images - 1.0, widths[0], 5, strides=2)
    for width, count in zip(widths[1:], blocks, strict=True):
        x = normalized_convolution(x, width, 3, strides=2)
        for _ in range(count):
            y = normalized_convolution(x, width, 3)
            y = normalized_convolution(y, width, 3, activation=False)
            x = layers.ReLU()(layers.Add()([x, y]))
    return x


def normalized_convolution(
    x: keras.KerasTensor, width: int, kernel: int, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    """Convolution, batch normalisation and, perhaps, a ReLU."""
    x = layers.Conv2D(width, kernel, strides, padding="same", use_bias=False)(x)
    return batch_normalized(x, activation)


def batch_normalized(x: keras.KerasTensor, activation: bool = True) -> keras.KerasTensor:
    """Batch normalisation and, perhaps, a ReLU."""
    x = layers.BatchNormalization(momentum=0.95, synchronized=True)(x)
    return layers.ReLU()(x) if activation else x
