"""dlib's face recognition network: a ResNet of 29 convolutions (King 2017, public domain)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from tfface.encoders.caffe_layers import require_size

CHIP_SIZE = 150  # pixels of the chips that it was trained on
DESCRIPTOR = 128
MEAN_RGB = (122.782, 117.001, 104.298)
STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
SMALLEST_IMAGE = 103
_WEIGHTS = Path(__file__).parent / "assets" / "recognition_resnet.npz"


def recognition_resnet_encoder(image_size: int = CHIP_SIZE) -> keras.Model:
    """Builds the network: aligned chips `[B, S, S, 3]` in [0, 1] -> `[B, 128]` descriptors.

    Two photos of one person have descriptors less than 0.6 apart. `STAGES` are width, residual
    blocks, and whether the first of them halves the map. Where a block's branches differ in size,
    the smaller is filled up with zeros at the bottom, at the right, and behind its channels.

    Args:
        image_size: S; 150 is what it was trained on.

    Raises:
        ValueError: if the images are too small.
    """
    require_size(image_size, SMALLEST_IMAGE)
    images = keras.Input((image_size, image_size, 3), name="images")
    shift = [-mean / 255.0 for mean in MEAN_RGB]
    x = layers.Rescaling(255.0 / 256.0, [255.0 / 256.0 * s for s in shift])(images)
    x = layers.Conv2D(32, 7, 2, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(3, 2)(x)
    number = 2
    for width, blocks, halves in STAGES:
        for block in range(blocks):
            x = _residual_block(x, width, number, halves and block == 0)
            number += 2
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(images, layers.Dense(DESCRIPTOR, name="fc")(x), name="recognition_resnet")


def _residual_block(
    x: keras.KerasTensor, width: int, number: int, halves: bool
) -> keras.KerasTensor:
    strides, padding = (2, "valid") if halves else (1, "same")
    y = layers.Conv2D(
        width, 3, strides, padding, activation="relu", name=f"conv{number}"
    )(x)  # fmt: skip
    y = layers.Conv2D(width, 3, padding="same", name=f"conv{number + 1}")(y)
    skip = layers.AveragePooling2D(2, 2)(x) if halves else x
    sizes = [max(a, b) for a, b in zip(skip.shape[1:3], y.shape[1:3], strict=True)]
    skip, y = (_fill(branch, (*sizes, width)) for branch in (skip, y))
    return layers.ReLU()(layers.Add()([skip, y]))


def _fill(x: keras.KerasTensor, shape: tuple[int, ...]) -> keras.KerasTensor:
    """The map with zeros behind its rows, columns and channels."""
    missing = [wanted - size for wanted, size in zip(shape, x.shape[1:], strict=True)]
    return keras.ops.pad(x, [(0, 0), *((0, count) for count in missing)]) if any(missing) else x


def load_recognition_resnet(image_size: int = CHIP_SIZE) -> keras.Model:
    """The network with the shipped weights (float16 of the public-domain ones), frozen.

    Returns:
        `recognition_resnet_encoder`; descriptors within 1e-3 of those of the published weights.
    """
    network = recognition_resnet_encoder(image_size)
    with np.load(_WEIGHTS, allow_pickle=False) as weights:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights([weights[f"{layer.name}/{v.name}"] for v in layer.weights])
    network.trainable = False
    return network
