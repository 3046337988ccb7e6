"""AlexNet, layer for layer as published with Caffe."""

from __future__ import annotations

import keras
from keras import layers

from tfface.encoders.caffe_layers import (
    convolution,
    fully_connected,
    require_size,
    subtract_mean,
)
from tfface.encoders.local_response_normalization import LocalResponseNormalization

MEAN_RGB = (122.679, 116.669, 104.007)  # of ILSVRC 2012, where the published net was trained
SMALLEST_IMAGE = 67


def alexnet_encoder(image_size: int, dropout: float = 0.0) -> keras.Model:
    """Builds AlexNet without its classifier: `[B, S, S, 3]` in [0, 1] -> `[B, 4096]`.

    Krizhevsky et al. 2012 in the form of Caffe's `bvlc_alexnet`: normalisation before pooling, two
    groups in conv2, conv4 and conv5. At MoFA's 240 pixels the maps are 58, 28, 13 and 6 wide, so
    that the published fc6 fits as it does at 227 (Caffe would round the pooled sizes up).

    Args:
        image_size: S; 227 to 258 fit the published weights.
        dropout: After fc6 and fc7; 0.5 in the published classifier, 0 suits regression.

    Raises:
        ValueError: if the images are too small.
    """
    require_size(image_size, SMALLEST_IMAGE)
    images = keras.Input((image_size, image_size, 3), name="images")
    x = subtract_mean(images, MEAN_RGB)
    x = convolution(x, 96, 11, "conv1", strides=4, padding="valid")
    x = layers.MaxPooling2D(3, 2, name="pool1")(LocalResponseNormalization(name="norm1")(x))
    x = convolution(x, 256, 5, "conv2", groups=2)
    x = layers.MaxPooling2D(3, 2, name="pool2")(LocalResponseNormalization(name="norm2")(x))
    x = convolution(x, 384, 3, "conv3")
    x = convolution(x, 384, 3, "conv4", groups=2)
    x = convolution(x, 256, 3, "conv5", groups=2)
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)
    x = fully_connected(x, {"fc6": 4096, "fc7": 4096}, dropout)
    return keras.Model(images, x, name="alexnet")
