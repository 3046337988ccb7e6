"""A small residual network that trains on two CPU cores."""

from __future__ import annotations

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
    x = _convolution(2.0 * images - 1.0, WIDTHS[0], 5, strides=2)
    for width, blocks in zip(WIDTHS[1:], BLOCKS, strict=True):
        x = _convolution(x, width, 3, strides=2)
        for _ in range(blocks):
            y = _convolution(x, width, 3)
            y = _convolution(y, width, 3, activation=False)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(_convolution(x, 48, 1))
    return keras.Model(images, layers.Dense(FEATURES, activation="relu")(x), name="compact")


def _convolution(
    x: keras.KerasTensor, width: int, kernel: int, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, kernel, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95, synchronized=True)(x)
    return layers.ReLU()(x) if activation else x
