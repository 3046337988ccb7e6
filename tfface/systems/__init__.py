"""The systems: Keras models that regress a face from pictures, one file each."""

from __future__ import annotations

from tfface.config import Config, ConfigError
from tfface.encoders.errors import ImageSizeError
from tfface.morphable.load import load_face_model
from tfface.systems.base import FaceSystem
from tfface.systems.mofa import MoFA


def build_system(config: Config) -> FaceSystem:
    """Builds the untrained system that a configuration describes.

    Raises:
        FaceModelError: if the face model's file is not one.
        WeightsError: if the file of published encoder weights is not one.
        ConfigError: if the encoder does not take images of that size.
    """
    settings = config.face_model
    model = load_face_model(settings.path, settings.detail).truncated(
        settings.identity, settings.expression, settings.albedo
    )
    try:
        system = MoFA.of_model(
            model,
            config.model.image_size,
            config.model.focal_length,
            encoder=config.model.encoder,
            losses=config.losses,
            sampled_vertices=config.model.sampled_vertices,
            seed=config.seed,
        )
    except ImageSizeError as error:
        raise ConfigError(f"model.{error}") from None
    if config.model.weights is not None:
        system.load_encoder_weights(config.model.weights)
    return system
