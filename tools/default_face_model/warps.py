"""Smooth left-right symmetric warps of a head, for what no slider of MakeHuman changes."""

from __future__ import annotations

import numpy as np

from default_face_model.geometry import LEFT_EYE, RIGHT_EYE, SKIN, Head
from default_face_model.modes import FACE_RADIUS_MM

# Standard deviation of a warp's peak; many overlap.
WARP_MM = 0.4
# Smooth warps of space: correlation length, count of centres over one half of the face.
WARP_LENGTHS_MM = (22.0, 45.0)
WARP_CENTRES = (28, 10)


def warp_fields(reference: np.ndarray, head: Head) -> np.ndarray:
    """Returns smooth left-right symmetric warps (P, V, 3), each about 1 mm at its peak.

    MakeHuman's sliders are few about cheeks, jaw and brow; real heads differ there in ways no
    slider has. A warp moves space by a Gaussian bump, so that lids stay on their balls and lips
    closed; eyes ride on the warp of their centre.
    """
    points = reference.copy()
    for part in (LEFT_EYE, RIGHT_EYE):
        points[head.part == part] = reference[head.part == part].mean(0)
    tip = reference[reference[:, 2].argmax()]
    skin = np.flatnonzero(
        (head.part == SKIN)
        & (reference[:, 0] >= -1e-6)
        & (np.linalg.norm(reference - tip, axis=1) < FACE_RADIUS_MM)
    )
    fields = []
    for length, count in zip(WARP_LENGTHS_MM, WARP_CENTRES, strict=True):
        for centre in _spread(reference[skin], count):
            image = centre * [-1.0, 1.0, 1.0]
            near, far = (
                np.exp(-((points - c) ** 2).sum(1) / (2.0 * length**2)) for c in (centre, image)
            )
            peak = (near + far).max()
            for axis in range(3):
                bump = (near - far) if axis == 0 else (near + far)
                field = np.zeros_like(points)
                field[:, axis] = bump / peak
                fields.append(field)
    return np.stack(fields)


def _spread(points: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` of the points, each as far as possible from the earlier ones."""
    chosen = [points[:, 2].argmax()]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(distance.argmax())
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]
