"""Held-out photos: InverseFaceNet before and after bootstrapping, beside MoFA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mofa_evaluation.measures import Errors, collect, picture_errors
from mofa_evaluation.photos import photo_crops
from tfface.data.detection import FaceDetector
from tfface.exported_model import ExportedModel


def evaluate_photos(models: Mapping[str, Path], paths: Sequence[Path]) -> dict[str, Errors]:
    """Errors of exported models of one image size on photos; see `picture_errors`.

    Args:
        models: name -> folder of an exported model.
        paths: The photos.

    Raises:
        ModelError: a folder is not an exported model.
        ValueError: the models take pictures of different sizes.
    """
    exported = {name: ExportedModel(folder) for name, folder in models.items()}
    sizes = {name: model.image_size for name, model in exported.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"models: expected one image size, got {sizes}")
    batches = []
    for crops, landmarks in photo_crops(FaceDetector(), paths, next(iter(sizes.values()))):
        batches.append(
            {
                name: picture_errors(model, model.pose(model.regress(crops)), crops, landmarks)
                for name, model in exported.items()
            }
        )
    return collect(batches) if batches else {}
