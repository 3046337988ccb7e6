"""Errors of the 68 iBUG landmarks in the picture."""

from __future__ import annotations

import numpy as np

OUTER_EYE_CORNERS = (36, 45)


def interocular_distance(landmarks: np.ndarray) -> np.ndarray:
    """Returns the distance of the outer eye corners (iBUG points 37 and 46 counted from one).

    Args:
        landmarks: `(..., 68, 2)` or `(..., 68, 3)`.

    Returns:
        `(...)`, in the unit of the landmarks.

    Raises:
        ValueError: if there are not 68 points.
    """
    landmarks = _checked("landmarks", landmarks)
    right, left = OUTER_EYE_CORNERS
    return np.linalg.norm(landmarks[..., right, :] - landmarks[..., left, :], axis=-1)


def mean_landmark_distance(
    estimate: np.ndarray, reference: np.ndarray, unit: float | np.ndarray = 1.0
) -> np.ndarray:
    """Mean Euclidean distance of corresponding landmarks.

    Args:
        estimate: `(..., 68, 2)` px.
        reference: `(..., 68, 2)` px.
        unit: The length that counts as one, in px, `()` or `(...)`. With the side of the face
            crop divided by 240 the result is in pixels of a 240 px crop, as in the MoFA paper.

    Returns:
        `(...)` mean over the 68 points.

    Raises:
        ValueError: if there are not 68 points or the shapes differ.
    """
    estimate, reference = _checked("estimate", estimate), _checked("reference", reference)
    if estimate.shape != reference.shape:
        raise ValueError(f"estimate: expected shape {reference.shape}, got {estimate.shape}")
    distances = np.linalg.norm(estimate - reference, axis=-1)
    return distances.mean(axis=-1) / unit


def normalized_mean_error(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Mean landmark distance over the reference's outer eye corner distance (300-W's NME).

    Protocol: all 68 points count alike, the jaw too; 0.05 is 5 % of the inter-ocular distance.
    A strongly turned head foreshortens the inter-ocular distance and so raises this error.

    Args:
        estimate: `(..., 68, 2)` px.
        reference: `(..., 68, 2)` px.

    Returns:
        `(...)`, a fraction.
    """
    reference = _checked("reference", reference)
    return mean_landmark_distance(estimate, reference, interocular_distance(reference))


def _checked(name: str, points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim < 2 or points.shape[-2] != 68:
        raise ValueError(f"{name}: expected shape (..., 68, 2), got {points.shape}")
    return points
