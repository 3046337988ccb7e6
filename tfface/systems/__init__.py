"""The systems: Keras models that regress a face from pictures, one file each."""

from __future__ import annotations

from typing import Any

from tfface.config import (
    CoarseFineConfig,
    Config,
    ConfigError,
    FMLConfig,
    IdentityRegressionConfig,
    MoFAConfig,
)
from tfface.encoders.errors import ImageSizeError
from tfface.morphable.deformation_graph import NodeCountError
from tfface.morphable.load import configured_face_model
from tfface.systems.base import FaceSystem
from tfface.systems.coarse_fine import CoarseFine
from tfface.systems.fml import FML
from tfface.systems.identity_regression import IdentityRegression
from tfface.systems.inverse_facenet import InverseFaceNet
from tfface.systems.mofa import MoFA

SYSTEMS: dict[str, Any] = {
    "mofa": MoFA,
    "inverse_facenet": InverseFaceNet,
    "identity_regression": IdentityRegression,
    "coarse_fine": CoarseFine,
    "fml": FML,
}


def build_system(config: Config) -> FaceSystem:
    """Builds the untrained system that a configuration describes.

    Raises:
        FaceModelError: if the face model's file is not one.
        WeightsError: if the file of published encoder weights is not one.
        ConfigError: if the encoder does not take images of that size, or the mesh has not so many
            vertices as nodes are wanted.
    """
    options: dict[str, Any] = {"seed": config.seed}
    if isinstance(config, IdentityRegressionConfig):
        options |= {"network": config.model.encoder, "weights": config.model.weights}
    else:
        options["encoder"] = config.model.encoder
    if isinstance(config, MoFAConfig):
        options["sampled_vertices"] = config.model.sampled_vertices
    if isinstance(config, FMLConfig):
        settings = ("frames", "drawn_frames", "nodes", "identity", "albedo")
        options |= {name: getattr(config.model, name) for name in settings}
    if isinstance(config, CoarseFineConfig):
        options |= {"passes": config.model.passes, "detail": config.model.detail}
        if config.face_model.path == "default" and config.face_model.detail != "coarse":
            coarse = config.face_model.model_copy(update={"detail": "coarse"})
            options["feedback"] = configured_face_model(coarse)
    try:
        system = SYSTEMS[config.system].of_model(
            configured_face_model(config.face_model),
            config.model.image_size,
            config.model.focal_length,
            losses=config.losses,
            **options,
        )
    except (ImageSizeError, NodeCountError) as error:
        raise ConfigError(f"model.{error}") from None
    weights = getattr(config.model, "weights", None)
    if weights is not None and hasattr(system, "load_encoder_weights"):
        system.load_encoder_weights(weights)
    return system
