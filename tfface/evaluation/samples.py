"""What is known of a test picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfface.metrics import fit_similarity
from tfface.metrics.geometric import Similarity
from tfface.visualization.posed_face import PosedFace


@dataclass(frozen=True, eq=False)
class Scan:
    """A true surface (P points).

    Attributes:
        vertices: `(P, 3)` mm.
        triangles: `(S, 3)`; None of a cloud of points.
        landmarks: `(7, 3)` mm, those of `RIGID_LANDMARKS`.
        centre: `(3,)` mm, of the ball whose points count in NoW's measure.
        radius: mm, of it.
        neutral: Of a face without expression, whatever the picture shows.
    """

    vertices: np.ndarray
    triangles: np.ndarray | None
    landmarks: np.ndarray
    centre: np.ndarray
    radius: float
    neutral: bool = False

    def alignment(self, landmarks: np.ndarray) -> Similarity:
        """A first alignment of a mesh whose landmarks `(7, 3)` are given."""
        return fit_similarity(landmarks, self.landmarks)


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, and what is known of the face in it; None is not known.

    Attributes:
        name: Of the picture in its set.
        image: `(H, W, 3)` uint8.
        landmarks: `(68, 2)` pixels.
        yaw: Degrees that the head is turned.
        scan: The surface.
        truth: The face itself in front of the camera, of the default face model.
        fixed_jaw: The landmarks of the jaw are points of the skin, not of the visible outline.
    """

    name: str
    image: np.ndarray
    landmarks: np.ndarray | None = None
    yaw: float | None = None
    scan: Scan | None = None
    truth: PosedFace | None = None
    fixed_jaw: bool = False
