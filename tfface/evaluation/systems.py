"""What is evaluated: exported systems, and the mean face."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tfface
from tfface.config import ConfigError, EvaluatedSystem
from tfface.config.evaluation import MEAN_FACE
from tfface.exported_model import ExportedModel, ModelError
from tfface.reconstruction import FaceReconstruction
from tfface.reconstructor import Reconstructor


@dataclass(frozen=True, eq=False)
class System:
    """What makes faces of pictures.

    Attributes:
        reconstructor: Does it.
        digest: Of the model's files, and of this version of tfface.
        refine: See `Reconstructor`.
    """

    reconstructor: Reconstructor
    digest: str
    refine: str | None = None

    @property
    def model(self) -> ExportedModel:
        return self.reconstructor.model

    def __call__(self, image: np.ndarray, path: str) -> list[FaceReconstruction]:
        return self.reconstructor(image, path, self.refine)


def open_system(name: str, settings: EvaluatedSystem) -> System:
    """Loads a system.

    Args:
        name: Of the system in the configuration.
        settings: Of it.

    Raises:
        ConfigError: there is no such model, or what it regresses cannot be refined.
    """
    model, key = settings.model or name, f"systems.{name}"
    if model == MEAN_FACE and settings.refine:
        raise ConfigError(f"{key}.refine: expected nothing for {MEAN_FACE}")
    try:
        if model == MEAN_FACE:
            # A face that is regressed without expression; that, pose and light are fitted.
            folder = tfface.shipped_model_path("identity_regression")
            return System(Reconstructor(_MeanFaceModel(folder)), _digest(folder))
        own = settings.model is not None and Path(model).is_dir()
        folder = Path(model) if own else tfface.shipped_model_path(model)
        reconstructor = Reconstructor(folder)
        if settings.refine:
            reconstructor.refinement  # noqa: B018 - before any picture
    except (FileNotFoundError, ModelError) as error:
        raise ConfigError(f"{key}: {error}") from None
    return System(reconstructor, _digest(folder), settings.refine)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(tfface.__version__.encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class _MeanFaceModel(ExportedModel):
    """Regresses the neutral mean face, whatever it is shown."""

    def regress(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        parts = super().regress(crops[:1])
        return {name: np.repeat(0 * part, len(crops), axis=0) for name, part in parts.items()}
