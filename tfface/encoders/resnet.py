"""The residual network of He et al. 2016, as Keras has it."""

from __future__ import annotations

import keras

from tfface.encoders.caffe_layers import require_size

SMALLEST_IMAGE = 32


def resnet50_encoder(image_size: int, channels: int = 3) -> keras.Model:
    """Builds ResNet-50 without its classifier: `[B, S, S, C]` in [0, 1] -> `[B, 2048]`.

    Args:
        image_size: S.
        channels: C.

    Raises:
        ValueError: if the images are too small.
    """
    require_size(image_size, SMALLEST_IMAGE)
    shape = (image_size, image_size, channels)
    network = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=shape, pooling="avg"
    )
    network = keras.models.clone_model(network, clone_function=_synchronized)
    images = keras.Input(shape, name="images")
    return keras.Model(images, network(2.0 * images - 1.0), name="resnet50")


def _synchronized(layer: keras.Layer) -> keras.Layer:
    """The same layer; batch normalisation over all devices, as though there were one."""
    settings = layer.get_config()
    if isinstance(layer, keras.layers.BatchNormalization):
        settings["synchronized"] = True
    return type(layer).from_config(settings)
