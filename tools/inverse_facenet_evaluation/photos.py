"""Held-out photos: InverseFaceNet before and after bootstrapping, beside MoFA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mofa_evaluation.measures import Errors, collect, picture_errors
from mofa_evaluation.photos import photo_crops
from tfface.data.detection import FaceDetector
from tfface.exported_model import ExportedModel, ModelError


def load_models(folders: Mapping[str, Path | None]) -> dict[str, ExportedModel]:
    """Loads exported models, name by name; None is left out.

    Raises:
        ModelError: a folder is not an exported model, or the models take pictures of different
            sizes.
    """
    models = {name: ExportedModel(folder) for name, folder in folders.items() if folder}
    sizes = {name: model.image_size for name, model in models.items()}
    if len(set(sizes.values())) > 1:
        raise ModelError(f"models: expected one image size, got {sizes}")
    return models


def evaluate_photos(
    models: Mapping[str, ExportedModel], paths: Sequence[Path]
) -> dict[str, Errors]:
    """Errors of each model on photos; see `picture_errors`. Empty if no photo has a face."""
    batches = []
    size = next(iter(models.values())).image_size
    for crops, landmarks in photo_crops(FaceDetector(), paths, size):
        batches.append(
            {
                name: picture_errors(model, model.pose(model.regress(crops)), crops, landmarks)
                for name, model in models.items()
            }
        )
    return collect(batches) if batches else {}
