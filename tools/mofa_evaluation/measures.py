"""The errors of one batch of predictions."""

from __future__ import annotations

import numpy as np

from tfface.exported_model import ExportedModel, PosedFaces
from tfface.metrics import mean_landmark_distance, normalized_mean_error, per_vertex_error

PAPER_SIDE = 240.0  # px, the paper's pictures

Errors = dict[str, np.ndarray]


def picture_errors(
    model: ExportedModel, faces: PosedFaces, crops: np.ndarray, landmarks: np.ndarray
) -> Errors:
    """Errors that need only the picture.

    Args:
        model: The exported system.
        faces: The predictions.
        crops: `(B, S, S, 3)` uint8.
        landmarks: `(B, 68, 2)` reference, pixels of the crops.

    Returns:
        `landmark_nme` (fraction of the outer eye corner distance), `landmark_px_of_240`,
        `photometric`, each `(B,)`.
    """
    unit = model.image_size / PAPER_SIDE
    return {
        "landmark_nme": normalized_mean_error(faces.landmarks, landmarks),
        "landmark_px_of_240": mean_landmark_distance(faces.landmarks, landmarks, unit),
        "photometric": model.photometric_errors(faces, crops),
    }


def geometric_errors(model: ExportedModel, faces: PosedFaces, truth: PosedFaces) -> np.ndarray:
    """The paper's measure over the face (not skull and neck), mm, `(B,)`.

    Point-to-point distances of the turned meshes, translation and isotropic scale removed.
    """
    face = model.compared > 0.5
    turned = [f.vertices @ f.rotation.transpose(0, 2, 1) for f in (faces, truth)]
    pairs = zip(*turned, strict=True)
    return np.array([per_vertex_error(a[face], b[face]).mean() for a, b in pairs])


def collect(batches: list[dict[str, Errors]]) -> dict[str, Errors]:
    """Joins batches of `{method: {measure: (B,)}}`."""
    return {
        method: {name: np.concatenate([b[method][name] for b in batches]) for name in measures}
        for method, measures in batches[0].items()
    }
