"""The layers that AlexNet and VGG-Face, as published for Caffe, are made of."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfface.encoders.errors import ImageSizeError

PIXEL_DEVIATION = 60.0  # of an image in 0..255 around its mean


def subtract_mean(images: keras.KerasTensor, mean: Sequence[float]) -> keras.KerasTensor:
    """Images in [0, 1] -> 0..255 without the mean RGB colour of the training images.

    The published nets were trained on BGR images; here it is their first kernels that are turned
    round, once, when they are loaded.
    """
    return layers.Rescaling(255.0, [-value for value in mean], name="subtract_mean")(images)


def convolution(
    x: keras.KerasTensor,
    width: int,
    kernel: int,
    name: str,
    strides: int = 1,
    padding: str = "same",
    groups: int = 1,
    activation: str | None = "relu",
) -> keras.KerasTensor:
    """Convolution with bias and activation; its groups are layers of their own, `<name>_group<i>`.

    Two convolutions of half the channels are what `groups=2` computes; TensorFlow's grouped kernel
    is five times slower on CPUs.
    """
    if groups == 1:
        # The first layer sees pixels: scaled so that untrained features have unit size.
        first = 2.0 / PIXEL_DEVIATION**2
        initializer = keras.initializers.VarianceScaling(first if x.shape[-1] == 3 else 2.0)
        return layers.Conv2D(
            width, kernel, strides, padding, "channels_last", activation=activation,
            kernel_initializer=initializer, name=name,
        )(x)  # fmt: skip
    halves = keras.ops.split(x, groups, axis=-1)
    return layers.Concatenate(name=name)(
        [
            convolution(half, width // groups, kernel, f"{name}_group{i + 1}", strides, padding)
            for i, half in enumerate(halves)
        ]
    )


def fully_connected(
    x: keras.KerasTensor, widths: dict[str, int], dropout: float
) -> keras.KerasTensor:
    """Flattens (H, W, C) and applies `Dense` layers with ReLU, each followed by dropout."""
    x = layers.Flatten(name="flatten")(x)
    for name, width in widths.items():
        x = layers.Dense(width, "relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x
    return x


def require_size(image_size: int, smallest: int) -> None:
    """Raises ImageSizeError if nothing of an image would be left after the last pooling."""
    if image_size < smallest:
        raise ImageSizeError(f"image_size: expected at least {smallest} pixels, got {image_size}")
