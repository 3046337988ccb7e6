"""Synthetic faces with known truth, before and after training."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from mofa_evaluation.baselines import placed_mean_face, untrained
from mofa_evaluation.measures import Errors, collect, geometric_errors, picture_errors
from tfface.config import SyntheticConfig
from tfface.data.synthetic import synthetic_faces
from tfface.exported_model import ExportedModel
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

BATCH = 10
SEED = 7_000_003  # apart from training's seeds, which are small; the run's seed is added


def evaluate_drawn_faces(
    model: ExportedModel, face_model: MorphableModel, count: int, seed: int
) -> dict[str, Errors]:
    """Errors of `mofa`, `mean_face` and `untrained` on faces drawn from the face model.

    Beside `picture_errors` there is `geometric_mm`. No augmentation: noise, blur and occlusion
    belong to training.
    """
    decoder = FaceDecoder.of_model(face_model, model.image_size, model.focal_length)
    stream = synthetic_faces(face_model, decoder, SyntheticConfig(), SEED + seed)
    stream = stream.batch(BATCH).take(-(-count // BATCH))
    batches = []
    with tqdm(total=count, desc="synthetic faces", unit="face") as progress:
        for images, targets in stream.as_numpy_iterator():
            kept = min(BATCH, count - progress.n)
            crops = np.round(255 * np.clip(images[:kept], 0, 1)).astype(np.uint8)
            landmarks, code = targets["landmarks"][:kept], targets["code"][:kept]
            truth = model.pose(
                {k: _part(k, code[:, a : a + n]) for k, (a, n) in model.layout.items()}
            )
            predictions = {
                "mofa": model.regress(crops),
                "mean_face": placed_mean_face(model, face_model, landmarks, crops),
                "untrained": untrained(model, face_model, kept),
            }
            errors = {}
            for method, parts in predictions.items():
                faces = model.pose(parts)
                errors[method] = picture_errors(model, faces, crops, landmarks)
                errors[method]["geometric_mm"] = geometric_errors(model, faces, truth)
            batches.append(errors)
            progress.update(kept)
    return collect(batches)


def _part(name: str, values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 9, 3) if name == "illumination" else values
