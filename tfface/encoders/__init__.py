"""Encoders: images `[B, S, S, 3]` in [0, 1] -> features `[B, F]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tfface.encoders.alexnet import alexnet_encoder
from tfface.encoders.compact import compact_encoder
from tfface.encoders.errors import WeightsError
from tfface.encoders.facenet import facenet_encoder
from tfface.encoders.published_weights import load_published_weights
from tfface.encoders.recognition_resnet import recognition_resnet_encoder
from tfface.encoders.resnet import resnet50_encoder
from tfface.encoders.vgg_face import vgg_face_encoder

__all__ = ["ENCODERS", "WeightsError", "build_encoder", "load_published_weights"]

ENCODERS: dict[str, Callable[..., keras.Model]] = {
    "compact": compact_encoder,
    "alexnet": alexnet_encoder,
    "vgg_face": vgg_face_encoder,
    "facenet": facenet_encoder,
    "recognition_resnet": recognition_resnet_encoder,
    "resnet50": resnet50_encoder,
}


def build_encoder(name: str, image_size: int, **options: Any) -> keras.Model:
    """Builds an encoder, untrained; its own preprocessing is a part of it.

    Args:
        name: One of `ENCODERS`, which is also the model's name.
        image_size: S, pixels.
        **options: Further arguments of the encoder's function.

    Raises:
        ValueError: if the name is unknown or the images are too small.
    """
    if name not in ENCODERS:
        raise ValueError(f"name: expected one of {', '.join(ENCODERS)}, got {name!r}")
    return ENCODERS[name](image_size, **options)
