"""One way to any face model: the shipped one by name, the user's own by file."""

from __future__ import annotations

import os

from tfface.config import FaceModelConfig
from tfface.morphable.default import load_default_face_model
from tfface.morphable.model import MorphableModel
from tfface.morphable.readers import read_face_model


def load_face_model(
    path: str | os.PathLike[str] = "default", detail: str = "fine"
) -> MorphableModel:
    """Loads a face model.

    Args:
        path: `default`, or a file or folder that `tfface.morphable.readers` knows.
        detail: `fine` or `coarse`, for the default model only; others have one level.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it is not a face model.
    """
    if str(path) == "default":
        return load_default_face_model(detail)
    return read_face_model(path)


def configured_face_model(settings: FaceModelConfig) -> MorphableModel:
    """Loads the face model of a configuration, with as many modes as it says.

    Raises:
        FileNotFoundError, FaceModelError: as `load_face_model`.
    """
    model = load_face_model(settings.path, settings.detail)
    return model.truncated(settings.identity, settings.expression, settings.albedo)
