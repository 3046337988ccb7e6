"""Held-out photos: how well predictions agree with the detector's landmarks and the colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mofa_evaluation.baselines import fitted, placed_mean_face, untrained
from mofa_evaluation.measures import Errors, collect, picture_errors
from tfface.config import MoFAConfig, load_config
from tfface.data.crop import crop_box, crop_image, to_crop
from tfface.data.detection import FaceDetector
from tfface.data.photos import read_photo
from tfface.morphable.model import MorphableModel
from tfface.reconstructor import Reconstructor
from tfface.systems.mofa import MoFA

BATCH = 8
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "mofa.yaml"  # whose losses are fitted


def held_out_photos(folder: Path) -> list[Path]:
    """The photos whose number ends in 3: no system is trained on them."""
    return sorted(path for path in folder.rglob("*.jpg") if path.stem.endswith("3"))


def photo_crops(
    detector: FaceDetector, paths: Sequence[Path], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of crops `(B, S, S, 3)` uint8 and the detector's landmarks `(B, 68, 2)` in them.

    Photos without a face are left out; of several faces the largest is taken.
    """
    crops, landmarks = [], []
    for number, path in enumerate(tqdm(paths, desc="held-out photos", unit="photo")):
        image = read_photo(path)
        for face in detector.detect(image)[:1]:
            box = crop_box(face.landmarks)
            crops.append(crop_image(image, box, size))
            landmarks.append(to_crop(face.landmarks, box, size))
        if crops and (len(crops) == BATCH or number == len(paths) - 1):
            yield np.stack(crops), np.stack(landmarks)
            crops, landmarks = [], []


def evaluate_photos(
    reconstructor: Reconstructor, face_model: MorphableModel, paths: Sequence[Path]
) -> dict[str, Errors]:
    """Errors of `mofa`, `fitted`, `mean_face` and `untrained` on photos.

    The reference are the detector's 68 landmarks. The result is empty if no photo has a face.
    """
    model, size = reconstructor.model, reconstructor.model.image_size
    config = load_config(CONFIG)
    assert isinstance(config, MoFAConfig)
    system = MoFA.of_model(face_model, size, model.focal_length, losses=config.losses)
    batches = []
    for pictures, points in photo_crops(reconstructor.detector, paths, size):
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
    return collect(batches) if batches else {}
