"""Soft masks of the default face model's parts, from its landmarks."""

from __future__ import annotations

import numpy as np

SKIN, LEFT_EYE, RIGHT_EYE = 0, 1, 2
HAIRLINE = 52.0  # mm above the brows' mean height, in the middle of the forehead


def face_regions(
    vertices: np.ndarray, part: np.ndarray, landmarks: np.ndarray
) -> dict[str, np.ndarray]:
    """Weights in [0, 1] of every vertex of the mean.

    Args:
        vertices: `(V, 3)` mean.
        part: `(V,)` 0 skin, 1 and 2 eyes, 3 teeth, 4 inner mouth.
        landmarks: `(68, 3)` on the mean.

    Returns:
        `face`: what the photometric loss compares: skin from the hairline to the jaw, and eyes;
        `scalp`: where hair grows; `eyes`, `mouth` (teeth and inside), `ears_and_neck`.
    """
    skin, eyes = part == SKIN, (part == LEFT_EYE) | (part == RIGHT_EYE)
    x, y, z = vertices.T
    depth = vertices[skin, 2].mean()
    angle = np.abs(np.arctan2(x, z - depth))
    jaw = landmarks[:17]
    order = np.argsort(jaw[:9, 1])
    jaw_angle = np.abs(np.arctan2(jaw[:9, 0], jaw[:9, 2] - depth))[order]
    # The widest angle that still belongs to the face at each height, and the jaw's lower edge.
    limit = np.interp(y, jaw[:9, 1][order], jaw_angle)
    brows = landmarks[17:27, 1].mean()
    top = brows + HAIRLINE - 0.004 * x**2
    inside = _step((limit - angle) * 80.0, 6.0) * _step(top - y, 8.0)
    face = np.where(skin, inside * _step(y - jaw[8, 1] + 4.0, 4.0), 0.0)
    above_ear = jaw[0, 1] + 26.0
    scalp = np.where(skin, _step(y - top, 6.0), 0.0)
    behind = _step((angle - limit) * 80.0 - 14.0, 8.0) * _step(y - above_ear, 10.0)
    behind = np.maximum(behind, _step(depth - 45.0 - z, 8.0) * _step(y - landmarks[33, 1], 15.0))
    scalp = np.where(skin, np.maximum(scalp, behind), 0.0)
    face = face * (1.0 - scalp)
    return {
        "face": np.where(eyes, 1.0, face).astype(np.float32),
        "scalp": scalp.astype(np.float32),
        "eyes": eyes.astype(np.float32),
        "mouth": (part >= 3).astype(np.float32),
        "ears_and_neck": np.where(skin, 1.0 - np.maximum(face, scalp), 0.0).astype(np.float32),
    }


def _step(distance: np.ndarray, width: float) -> np.ndarray:
    """A smooth step: 0 below -width, 1 above width."""
    t = np.clip(distance / (2 * width) + 0.5, 0.0, 1.0)
    return t * t * (3 - 2 * t)
