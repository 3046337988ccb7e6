"""FaceNet's NN2: an inception network for face recognition (Schroff et al. 2015, table 2)."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from tfface.encoders.caffe_layers import require_size
from tfface.encoders.l2_pooling import L2Pooling
from tfface.encoders.local_response_normalization import LocalResponseNormalization

EMBEDDING = 128
SMALLEST_IMAGE = 64


@dataclass(frozen=True)
class Inception:
    """A line of the table: widths of the branches, 0 = there is none.

    Attributes:
        direct: 1 x 1.
        reduce3, width3: 1 x 1, then 3 x 3.
        reduce5, width5: 1 x 1, then 5 x 5.
        projected: 1 x 1 after the pooling.
        pool: `max`, or `l2`: the root of the mean square.
        strides: 2 halves the map.
    """

    direct: int
    reduce3: int
    width3: int
    reduce5: int
    width5: int
    projected: int
    pool: str = "max"
    strides: int = 1


INCEPTIONS = {
    "3a": Inception(64, 96, 128, 16, 32, 32),
    "3b": Inception(64, 96, 128, 32, 64, 64, "l2"),
    "3c": Inception(0, 128, 256, 32, 64, 0, strides=2),
    "4a": Inception(256, 96, 192, 32, 64, 128, "l2"),
    "4b": Inception(224, 112, 224, 32, 64, 128, "l2"),
    "4c": Inception(192, 128, 256, 32, 64, 128, "l2"),
    "4d": Inception(160, 144, 288, 32, 64, 128, "l2"),
    "4e": Inception(0, 160, 256, 64, 128, 0, strides=2),
    "5a": Inception(384, 192, 384, 48, 128, 128, "l2"),
    "5b": Inception(384, 192, 384, 48, 128, 128),
}


def facenet_encoder(image_size: int = 224, embedding: bool = False) -> keras.Model:
    """Builds NN2: `[B, S, S, 3]` in [0, 1] -> `[B, 1024]`, the average pool.

    That is what Genova et al. regress faces from.

    Args:
        image_size: S; 224 in the paper.
        embedding: The result is the embedding `[B, 128]` of unit length instead.

    Raises:
        ValueError: if the images are too small.
    """
    require_size(image_size, SMALLEST_IMAGE)
    images = keras.Input((image_size, image_size, 3), name="images")
    x = _convolution(2.0 * images - 1.0, 64, 7, "conv1", strides=2)
    x = layers.MaxPooling2D(3, 2, "same")(x)
    x = LocalResponseNormalization(name="norm1")(x)
    x = _convolution(x, 64, 1, "inception2_reduce")
    x = _convolution(x, 192, 3, "inception2")
    x = LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, 2, "same")(x)
    for name, widths in INCEPTIONS.items():
        x = _inception(x, widths, f"inception{name}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if embedding:
        x = layers.UnitNormalization()(layers.Dense(EMBEDDING, name="embedding")(x))
    return keras.Model(images, x, name="facenet")


def _inception(x: keras.KerasTensor, widths: Inception, name: str) -> keras.KerasTensor:
    """Branches side by side: 1 x 1, 3 x 3, 5 x 5 and pooling."""
    branches = [_convolution(x, widths.direct, 1, f"{name}_1x1")] if widths.direct else []
    for kernel, reduce, width in (
        (3, widths.reduce3, widths.width3),
        (5, widths.reduce5, widths.width5),
    ):
        y = _convolution(x, reduce, 1, f"{name}_{kernel}x{kernel}_reduce")
        branches.append(_convolution(y, width, kernel, f"{name}_{kernel}x{kernel}", widths.strides))
    if widths.pool == "l2":
        pooled = L2Pooling(3, widths.strides)(x)
    else:
        pooled = layers.MaxPooling2D(3, widths.strides, "same")(x)
    if widths.projected:
        pooled = _convolution(pooled, widths.projected, 1, f"{name}_projected")
    return layers.Concatenate()([*branches, pooled])


def _convolution(
    x: keras.KerasTensor, width: int, kernel: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    return layers.Conv2D(
        width, kernel, strides, "same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)
