"""What is evaluated: exported systems, and the mean face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import tfface
from tfface.config import ConfigError, EvaluatedSystem
from tfface.config.evaluation import MEAN_FACE
from tfface.exported_model import ExportedModel, ModelError
from tfface.reconstruction import FaceReconstruction
from tfface.reconstructor import Reconstructor

Reconstruct = Callable[[np.ndarray, str], list[FaceReconstruction]]


def open_system(name: str, settings: EvaluatedSystem) -> Reconstruct:
    """What makes faces of a picture and its name.

    Args:
        name: Of the system in the configuration.
        settings: Of it.

    Raises:
        ConfigError: there is no such model, or what it regresses cannot be refined.
    """
    model = settings.model or name
    key = f"systems.{name}"
    try:
        if model == MEAN_FACE:
            if settings.refine:
                raise ConfigError(f"{key}.refine: expected nothing for {MEAN_FACE}")
            return _mean_face()
        known = Path(model) if Path(model).is_dir() else tfface.shipped_model_path(model)
        reconstructor = Reconstructor(known)
        if settings.refine:
            reconstructor.refinement  # noqa: B018 - before any picture
    except (FileNotFoundError, ModelError) as error:
        raise ConfigError(f"{key}: {error}") from None
    return lambda image, path: reconstructor(image, path, settings.refine)


class _MeanFaceModel(ExportedModel):
    """Regresses the neutral mean face, whatever it is shown."""

    def regress(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        parts = super().regress(crops[:1])
        return {name: np.repeat(0 * part, len(crops), axis=0) for name, part in parts.items()}


def _mean_face() -> Reconstruct:
    """The identity regression without an identity: pose, expression and light are fitted to the
    landmarks and colours, and mesh files hold the neutral face."""
    folder = tfface.shipped_model_path("identity_regression")
    reconstructor = Reconstructor(folder)
    reconstructor.model = _MeanFaceModel(folder)
    return lambda image, path: reconstructor(image, path)
