"""Where a face must stand for the crop rule to put it in the middle of the picture."""

from __future__ import annotations

import numpy as np

from tfface.data.crop import crop_box
from tfface.morphable.model import MorphableModel


def centring_translation(model: MorphableModel, focal_length: float) -> np.ndarray:
    """The translation `(3,)`, in mm, at which the frontal mean face fills its own crop.

    Args:
        model: The face model.
        focal_length: In sides of the crop.
    """
    landmarks = model.mean[model.landmarks].astype(np.float64)
    translation = np.array([[0.0, 0.0, -1000.0]])
    for _ in range(10):  # perspective makes the rule nonlinear; eight rounds give a micrometre
        x, y, z = (landmarks + translation[0]).T
        pixels = 0.5 + focal_length * np.stack([x, -y], -1) / -z[:, None]
        translation = reframe(translation, crop_box(pixels)[None], focal_length, 1.0)
    return translation[0]


def reframe(
    translation: np.ndarray, boxes: np.ndarray, focal_length: float, size: float
) -> np.ndarray:
    """Moves faces so that their crop boxes become the whole picture, up to perspective.

    Args:
        translation: `(N, 3)` mm in camera space.
        boxes: `(N, 4)` crop boxes, in pixels of the picture.
        focal_length: In sides of the picture.
        size: Side of the picture, pixels.

    Returns:
        `(N, 3)` mm.
    """
    depth = -translation[:, 2]
    offset = (boxes[:, :2] + boxes[:, 2:]) / (2 * size) - 0.5  # in sides of the picture
    moved = translation[:, :2] - offset * (1, -1) * (depth / focal_length)[:, None]
    nearer = (boxes[:, 2] - boxes[:, 0]) / size
    return np.column_stack([moved, -depth * nearer])
