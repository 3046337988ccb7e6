"""VGG-Face: the 16-layer VGG net, trained to recognise faces."""

from __future__ import annotations

import keras
from keras import layers

from tfface.encoders.caffe_layers import (
    convolution,
    fully_connected,
    require_size,
    subtract_mean,
)

MEAN_RGB = (129.1863, 104.7624, 93.594)  # of its training faces
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # width, convolutions
SMALLEST_IMAGE = 32


def vgg_face_encoder(image_size: int, dropout: float = 0.0) -> keras.Model:
    """Builds VGG-Face without its classifier: `[B, S, S, 3]` in [0, 1] -> `[B, 4096]`.

    Parkhi et al. 2015. At MoFA's 240 pixels the last map is 7 x 7, so that the published fc6 fits
    as it does at 224 (Caffe would round the pooled size up to 8).

    Args:
        image_size: S; 224 to 255 fit the published weights.
        dropout: After fc6 and fc7; 0.5 in the published classifier, 0 suits regression.

    Raises:
        ValueError: if the images are too small.
    """
    require_size(image_size, SMALLEST_IMAGE)
    images = keras.Input((image_size, image_size, 3), name="images")
    x = subtract_mean(images, MEAN_RGB)
    for stage, (width, count) in enumerate(STAGES, start=1):
        for i in range(1, count + 1):
            x = convolution(x, width, 3, f"conv{stage}_{i}")
        x = layers.MaxPooling2D(2, 2, name=f"pool{stage}")(x)
    x = fully_connected(x, {"fc6": 4096, "fc7": 4096}, dropout)
    return keras.Model(images, x, name="vgg_face")
