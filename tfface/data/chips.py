"""Aligned chips of photos, for recognition networks."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from tfface.data.crop import crop_image
from tfface.rendering.chip_alignment import chip_similarity


def crop_chip(image: np.ndarray, landmarks: np.ndarray, size: int) -> np.ndarray:
    """The aligned face of a photo.

    Args:
        image: `(H, W, 3)` uint8.
        landmarks: `(68, 2)` iBUG points in pixels of the image.
        size: S of the chip, pixels.

    Returns:
        `(S, S, 3)` uint8; what lies outside the photo repeats its edge.

    Raises:
        ValueError: the landmarks are of another shape, not finite, or all in one place.
    """
    if np.shape(landmarks) != (68, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"landmarks: expected (68, 2) finite numbers, got {np.shape(landmarks)}")
    if not np.ptp(landmarks, axis=0).any():
        raise ValueError("landmarks: expected 68 points spread over a face, got a single place")
    to_chip = size * chip_similarity(tf.constant(landmarks[None], tf.float32))[0].numpy()
    # First the square around the chip at the chip's resolution, filtered; then turned into place.
    scale = float(np.linalg.norm(to_chip[:, 0]))
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]])
    corners = np.linalg.solve(to_chip[:, :2], (corners - to_chip[:, 2]).T).T
    middle, side = corners.mean(axis=0), np.ptp(corners, axis=0).max()
    box = np.concatenate([middle - side / 2, middle + side / 2])
    around = crop_image(image, box, max(round(side * scale), 1))
    pixel = side / len(around)
    turn = to_chip[:, :2] * pixel
    shift = to_chip[:, :2] @ box[:2] + to_chip[:, 2]
    # OpenCV counts from the centres of pixels.
    shift += turn @ [0.5, 0.5] - 0.5
    matrix = np.concatenate([turn, shift[:, None]], axis=1)
    return cv2.warpAffine(
        around, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
