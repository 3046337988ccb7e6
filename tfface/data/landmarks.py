"""The 68 iBUG landmarks: from MediaPipe's dense mesh, mirrored, and how far to trust each.

Order (Sagonas et al. 2013, 300 Faces in-the-Wild): 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes,
48-59 outer lips, 60-67 inner lips; within each from the picture's left to its right, then around.
"""

from __future__ import annotations

import math

import numpy as np

DENSE_POINTS = 468

# The mesh's face oval from above each ear down to the chin, on the picture's left and right.
_OVAL_LEFT = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
_OVAL_RIGHT = (356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152)
# fmt: off
_INNER = np.array([
    70, 63, 105, 66, 107,  336, 296, 334, 293, 300,                    # brows
    168, 197, 5, 4,  98, 97, 2, 326, 327,                              # nose
    33, 160, 158, 133, 153, 144,  362, 385, 387, 263, 373, 380,        # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,               # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,                                 # inner lips
])
# Landmark i of a mirrored picture is landmark MIRROR[i] of the picture, mirrored.
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1),
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46,  39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
])
_LEFT_INNER = np.array([*range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67])
# fmt: on


def dense_to_ibug68(dense: np.ndarray) -> np.ndarray:
    """The 68 iBUG landmarks of a dense mesh.

    The jaw is the mesh's face oval from ear to chin to ear, each half resampled to equal steps (in
    the given dimensions); the chin stays point 8. All other landmarks are points of the mesh.

    Args:
        dense: (468, D) points of MediaPipe's face mesh, D = 2 or 3.

    Returns:
        (68, D) landmarks in the same coordinates.
    """
    dense = np.asarray(dense)
    if dense.ndim != 2 or dense.shape[0] != DENSE_POINTS:
        raise ValueError(f"dense: expected ({DENSE_POINTS}, D) points, got shape {dense.shape}")
    left = _even_steps(dense[list(_OVAL_LEFT)], 9)
    right = _even_steps(dense[list(_OVAL_RIGHT)], 9)
    return np.concatenate([left, right[-2::-1], dense[_INNER]])


def mirror_landmarks(landmarks: np.ndarray, width: float) -> np.ndarray:
    """Landmarks (..., 68, 2) in pixels of the mirrored picture, `width` pixels wide."""
    mirrored = np.asarray(landmarks)[..., MIRROR, :].copy()
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def head_yaw(dense: np.ndarray) -> float:
    """How far the head is turned, in radians, from the dense mesh (468, 3), z growing away.

    Positive when the picture's left half of the face is the far, hidden one.
    """
    across = dense[454] - dense[234]  # Ear to ear.
    return math.atan2(-across[2], math.hypot(across[0], across[1]))


def landmark_confidence(
    landmarks: np.ndarray, yaw: float, presence: float, width: int, height: int
) -> np.ndarray:
    """How far each landmark can be trusted, in [0, 1].

    The rule: the face's presence, as the landmark network states it, times a factor of each point.
    - On the far half of a turned head the jaw point n steps from the chin loses n/8 of
      min(1, (|yaw| - 15 degrees) / 30 degrees), but keeps at least 0.1: beyond 45 degrees the point
      at the ear counts a tenth. There the network guesses what the cheek hides.
    - Brow, eye, nostril and lip points of that half fade to one half between 30 and 60 degrees.
    - A point outside the picture was not seen: 0.

    Args:
        landmarks: (68, 2) in pixels of the picture.
        yaw: as `head_yaw` gives it.
        presence: the probability in [0, 1] that this is a face.
        width, height: the picture's size in pixels.

    Returns:
        (68,) float64.
    """
    factor = np.ones(68)
    turn = abs(math.degrees(yaw))
    steps_from_chin = np.arange(8, 0, -1)
    factor[:8] = np.maximum(0.1, 1 - steps_from_chin / 8 * np.clip((turn - 15) / 30, 0, 1))
    factor[_LEFT_INNER] = 1 - 0.5 * np.clip((turn - 30) / 30, 0, 1)
    if yaw < 0:
        factor = factor[MIRROR]
    seen = (landmarks >= 0).all(-1) & (landmarks <= (width, height)).all(-1)
    return presence * factor * seen


def _even_steps(path: np.ndarray, count: int) -> np.ndarray:
    """`count` points at equal steps along a polyline (N, D), its ends included."""
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.linspace(0, along[-1], count)
    return np.stack([np.interp(wanted, along, axis) for axis in path.T], axis=1)
