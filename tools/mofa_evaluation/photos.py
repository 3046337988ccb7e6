"""Held-out photos: how well predictions agree with the detector's landmarks and the colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mofa_evaluation.baselines import fitted, placed_mean_face, untrained
from mofa_evaluation.measures import Errors, collect, picture_errors
from tfface.config import load_config
from tfface.data.crop import crop_box, crop_image, to_crop
from tfface.data.photos import read_photo
from tfface.morphable.model import MorphableModel
from tfface.reconstructor import Reconstructor
from tfface.systems.mofa import MoFA

BATCH = 8
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "mofa.yaml"  # whose losses are fitted


def held_out_photos(folder: Path) -> list[Path]:
    """The photos whose number ends in 3: no system is trained on them."""
    return sorted(path for path in folder.rglob("*.jpg") if path.stem.endswith("3"))


def evaluate_photos(
    reconstructor: Reconstructor, face_model: MorphableModel, paths: Sequence[Path]
) -> dict[str, Errors]:
    """Errors of `mofa`, `fitted`, `mean_face` and `untrained` on photos.

    The reference are the detector's 68 landmarks of the largest face. Photos without a face are
    left out; the result is empty if none has one.
    """
    model, size = reconstructor.model, reconstructor.model.image_size
    losses = load_config(CONFIG).losses
    system = MoFA.of_model(face_model, size, model.focal_length, losses=losses)
    batches, crops, landmarks = [], [], []
    for number, path in enumerate(tqdm(paths, desc="held-out photos", unit="photo")):
        image = read_photo(path)
        for face in reconstructor.detector.detect(image)[:1]:
            box = crop_box(face.landmarks)
            crops.append(crop_image(image, box, size))
            landmarks.append(to_crop(face.landmarks, box, size))
        if crops and (len(crops) == BATCH or number == len(paths) - 1):
            pictures, points = np.stack(crops), np.stack(landmarks)
            regressed = model.regress(pictures)
            predictions = {
                "mofa": regressed,
                "fitted": fitted(system, regressed, pictures, points),
                "mean_face": placed_mean_face(model, face_model, points, pictures),
                "untrained": untrained(model, face_model, len(pictures)),
            }
            batches.append(
                {
                    method: picture_errors(model, model.pose(parts), pictures, points)
                    for method, parts in predictions.items()
                }
            )
            crops, landmarks = [], []
    return collect(batches) if batches else {}
