"""MediaPipe's face mesh: 468 points on a face (Kartynnik et al. 2019, arXiv:1907.06724)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfface.data.crop import sample_square
from tfface.data.tflite import TFLiteNetwork

_VIEW_PER_BOX = 1.5  # The network's view is so much larger than the box around the face.
_EYE_CORNERS = (33, 263)


@dataclass(frozen=True)
class Mesh:
    """A dense face.

    Attributes:
        points: (468, 3): x, y in pixels of the image; z in the same unit, growing away from the
            camera, relative to the head's centre.
        presence: probability in [0, 1] that the view held a face.
    """

    points: np.ndarray
    presence: float


class FaceMesh:
    """The landmark network. Belongs to one process and one thread."""

    FILE = "face_landmark.tflite"

    def __init__(self) -> None:
        self._network = TFLiteNetwork(self.FILE)

    def __call__(
        self, image: np.ndarray, centre: np.ndarray, side: float, angle: float, passes: int = 2
    ) -> Mesh:
        """The mesh of the face in a box of `image` (H, W, 3) uint8.

        Each pass after the first looks at the view that the pass before it suggests.

        Args:
            image: (H, W, 3) uint8.
            centre, side, angle: the face's box: (2,) and length in pixels, radians clockwise.
            passes: how often to look.
        """
        for _ in range(passes):
            mesh = self._look(image, centre, side * _VIEW_PER_BOX, angle)
            centre, side, angle = _box(mesh.points)
        return mesh

    def _look(self, image: np.ndarray, centre: np.ndarray, side: float, angle: float) -> Mesh:
        """One pass of the network over a turned square view."""
        size = self._network.input_size
        patch, to_image = sample_square(image, centre, side, angle, size)
        points, flag = self._network(patch.astype(np.float32) / 255)
        points = points.reshape(-1, 3).astype(np.float64)
        planar = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        depth = points[:, 2:] * (side / size)
        presence = 1 / (1 + math.exp(-float(np.clip(flag.item(), -80, 80))))
        return Mesh(np.concatenate([planar, depth], 1), presence)


def _box(points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre, longer side and angle of the box around a mesh, turned with its eye line."""
    eye_line = points[_EYE_CORNERS[1], :2] - points[_EYE_CORNERS[0], :2]
    angle = math.atan2(eye_line[1], eye_line[0])
    cos, sin = math.cos(angle), math.sin(angle)
    to_image = np.array([[cos, -sin], [sin, cos]])
    local = points[:, :2] @ to_image
    low, high = local.min(0), local.max(0)
    return to_image @ ((low + high) / 2), float((high - low).max()), angle
