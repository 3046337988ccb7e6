"""Heads with true geometry that are not drawn from the default face model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from independent_heads.heads import make_heads, score
from independent_heads.photograph import photograph
from tfface.morphable.model import MorphableModel
from tfface.reconstruction import FaceReconstruction
from tfface.reconstructor import Reconstructor
from tfface.visualization.overlay import write_png
from tfface.visualization.views import PANEL, draw_turned

YAWS = (-35, 0, 35)  # degrees
_SHOWN = 6  # heads on the picture


def evaluate_heads(
    reconstructor: Reconstructor,
    face_model: MorphableModel,
    folder: Path,
    count: int,
    seed: int,
    picture: Path | None = None,
) -> dict[str, np.ndarray]:
    """Mean scan-to-mesh distances within 95 mm of the nose tip, scale solved, mm.

    Args:
        reconstructor: The system.
        face_model: Gives the mean face.
        folder: The ICT-FaceKit sample.
        count: Heads.
        seed: Draws them.
        picture: A PNG to write: photos and reconstructions of the first heads.

    Returns:
        `mofa` `(heads, yaws)`, NaN where no face was found, and `mean_face` `(heads,)`.
    """
    heads = make_heads(folder, count, seed)
    errors = np.full((count, len(YAWS)), np.nan)
    mean_errors = np.zeros(count)
    rows = []
    mean_landmarks = face_model.mean[face_model.landmarks]
    for i, head in enumerate(tqdm(heads, desc="independent heads", unit="head")):
        mean_errors[i] = score(head, face_model.mean, face_model.triangles, mean_landmarks).mean
        panels = []
        for j, yaw in enumerate(YAWS):
            image = photograph(head, yaw)
            faces = reconstructor(image)
            if faces:
                face = faces[0]
                landmarks = face.vertices[reconstructor.model.landmarks]
                errors[i, j] = score(head, face.vertices, face.triangles, landmarks).mean
            panels += [_small(image), _turned(faces, yaw)]
        rows.append(np.concatenate(panels, axis=1))
    if picture is not None:
        write_png(picture, np.concatenate(rows[:_SHOWN]))
    return {"mofa": errors, "mean_face": mean_errors}


def _small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (PANEL, PANEL), interpolation=cv2.INTER_AREA)


def _turned(faces: list[FaceReconstruction], yaw: float) -> np.ndarray:
    if not faces:
        return np.zeros((PANEL, PANEL, 3), np.uint8)
    return draw_turned(faces[0].posed(), yaw)
