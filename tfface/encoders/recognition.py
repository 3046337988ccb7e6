"""Recognition networks as Genova et al. use them: in two, features and embedding."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tfface.encoders.errors import WeightsError
from tfface.encoders.facenet import facenet_encoder
from tfface.encoders.published_weights import load_published_weights
from tfface.encoders.recognition_resnet import load_recognition_resnet
from tfface.encoders.vgg_face import vgg_face_encoder

RECOGNITION_NETWORKS = ("recognition_resnet", "facenet", "vgg_face")


def recognition_network(
    name: str, image_size: int, weights: str | None = None
) -> tuple[keras.Model, keras.Model]:
    """Builds a frozen network in two: chips -> features, and features -> embedding.

    The features are the last average pool where there is one (256 numbers of the recognition
    ResNet, 1024 of FaceNet) or fc7 (4096 of VGG-Face, which is its own embedding).

    Args:
        name: One of `RECOGNITION_NETWORKS`.
        image_size: S of the chips, pixels.
        weights: The user's file: published weights or, for `facenet`, whose authors published none,
            `.weights.h5` of a Keras model with the layers of `facenet_encoder`. None takes the
            shipped ones, where there are any (`recognition_resnet`), or random ones.

    Raises:
        OSError, WeightsError: as `load_published_weights`.
        ValueError: the images are too small.
    """
    builders: dict[str, Callable[[int], keras.Model]] = {
        "recognition_resnet": load_recognition_resnet,
        "facenet": lambda size: facenet_encoder(size, embedding=True),
        "vgg_face": vgg_face_encoder,
    }
    network = builders[name](image_size)
    if weights is not None and name == "facenet":
        _load_keras_weights(network, weights)
    elif weights is not None:
        load_published_weights(network, weights)
    last = {"recognition_resnet": "pool", "facenet": "pool", "vgg_face": "fc7"}[name]
    pooled = network.get_layer(last).output
    features = keras.Model(network.input, pooled, name=name)
    whole = keras.layers.Identity()(network.output)  # which may be the features themselves
    embedding = keras.Model(pooled, whole, name="embedding")
    features.trainable = embedding.trainable = False
    return features, embedding


def _load_keras_weights(network: keras.Model, file: str) -> None:
    try:
        network.load_weights(file)
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{file}: expected .weights.h5 of {network.name}: {reason}") from None
