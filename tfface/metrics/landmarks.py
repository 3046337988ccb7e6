"""Errors of the 68 iBUG landmarks in the picture."""

from __future__ import annotations

import numpy as np

OUTER_EYE_CORNERS = (36, 45)
# MoFA's 46: it does not say which. Brows, nose, eyes, outer lips, and the inner upper lip between
# its corners; all of them lie on the same skin from every side, as the jaw's 17 do not.
INNER_46 = (*range(17, 60), 61, 62, 63)
YAW_LIMITS = (30.0, 60.0, 90.0)  # degrees, upper ends of the groups of AFLW2000-3D


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


def box_normalized_error(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Mean landmark distance over the size of the face's box (the NME of AFLW2000-3D).

    Protocol (Zhu et al. 2016): the unit is the root of the area of the upright box around the 68
    reference points, which, unlike the distance of the eyes, does not shrink when a head turns.

    Args:
        estimate: `(..., 68, 2)` px.
        reference: `(..., 68, 2)` px.

    Returns:
        `(...)`, a fraction.
    """
    reference = _checked("reference", reference)
    width, height = np.moveaxis(np.ptp(reference, axis=-2), -1, 0)
    return mean_landmark_distance(estimate, reference, np.sqrt(width * height))


def mean_by_yaw(errors: np.ndarray, yaws: np.ndarray) -> dict[str, float]:
    """Means of errors in AFLW2000-3D's groups of poses, and the mean of these, `balanced`.

    Protocol: groups by the absolute yaw, from 0 to 30, 30 to 60 and 60 to 90 degrees; a group
    without faces is NaN and does not count in `balanced`; faces turned further are left out.

    Args:
        errors: `(N,)`.
        yaws: `(N,)` degrees.

    Raises:
        ValueError: if the shapes differ.
    """
    errors, turned = np.asarray(errors, np.float64), np.abs(np.asarray(yaws, np.float64))
    if errors.shape != turned.shape:
        raise ValueError(f"yaws: expected shape {errors.shape}, got {turned.shape}")
    means, low = {}, -np.inf
    for high in YAW_LIMITS:
        group = errors[(turned > low) & (turned <= high)]
        means[f"{max(low, 0):g} to {high:g}"] = float(group.mean()) if group.size else np.nan
        low = high
    known = [mean for mean in means.values() if not np.isnan(mean)]
    return {**means, "balanced": float(np.mean(known)) if known else np.nan}


def _checked(name: str, points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim < 2 or points.shape[-2] != 68:
        raise ValueError(f"{name}: expected shape (..., 68, 2), got {points.shape}")
    return points
