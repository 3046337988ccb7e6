"""BlazeFace: MediaPipe's single-shot face detector (Bazarevsky et al. 2019, arXiv:1907.05047)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfface.data.crop import sample_square
from tfface.data.tflite import TFLiteNetwork

_FILE = "face_detection_back.tflite"
_LAYERS = ((16, 2), (32, 6))  # Of anchors: stride in pixels, anchors a cell.


@dataclass(frozen=True)
class Candidate:
    """A face as the detector sees it, in pixels of the image.

    Attributes:
        centre: (2,) centre of the box.
        side: the longer side of the box.
        angle: radians, in-plane rotation of the eye line, clockwise as seen.
        score: in [0, 1].
    """

    centre: np.ndarray
    side: float
    angle: float
    score: float


class BlazeFace:
    """The detector network over one square view of an image: faces of 4 to 80 % of its side,
    upright or turned. Belongs to one process and one thread.
    """

    def __init__(self) -> None:
        self._network = TFLiteNetwork(_FILE)
        self._anchors = _anchors(self._network.input_size)

    def __call__(
        self,
        image: np.ndarray,
        centre: np.ndarray,
        side: float,
        angle: float = 0.0,
        min_score: float = 0.5,
    ) -> list[Candidate]:
        """Faces in the square view of `image` (H, W, 3) uint8 given by centre, side and angle."""
        size = self._network.input_size
        patch, to_image = sample_square(image, centre, side, angle, size)
        boxes, scores = self._network(patch.astype(np.float32) / 127.5 - 1)
        scores = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -80, 80)))
        found = np.flatnonzero(scores >= min_score)
        # Each box: centre, size, then six points (eyes first), relative to its anchor, in pixels.
        points = boxes[0, found].reshape(-1, 8, 2).astype(np.float64)
        points[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[found, None]
        valid = (points[:, 1] > 0).all(-1)
        merged = _weighted_suppression(points[valid], scores[found][valid])
        return [_candidate(face, score, to_image) for face, score in merged]


def _anchors(size: int) -> np.ndarray:
    """(N, 2) anchor centres in pixels of the network's input, row by row, layer after layer."""
    grids = []
    for stride, repeats in _LAYERS:
        ticks = (np.arange(size // stride) + 0.5) * stride
        x, y = np.meshgrid(ticks, ticks)
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), repeats, axis=0))
    return np.concatenate(grids)


def _candidate(face: np.ndarray, score: float, to_image: np.ndarray) -> Candidate:
    """A decoded face (8, 2) of the view, carried to the image."""
    linear = to_image[:, :2]
    eye_line = linear @ (face[3] - face[2])
    return Candidate(
        centre=linear @ face[0] + to_image[:, 2],
        side=float(face[1].max() * np.linalg.norm(linear[:, 0])),
        angle=float(np.arctan2(eye_line[1], eye_line[0])),
        score=float(score),
    )


def _weighted_suppression(
    faces: np.ndarray, scores: np.ndarray, threshold: float = 0.3
) -> list[tuple[np.ndarray, float]]:
    """Overlapping detections (N, 8, 2) merged into their score-weighted mean, best first."""
    corners = np.concatenate([faces[:, 0] - faces[:, 1] / 2, faces[:, 0] + faces[:, 1] / 2], 1)
    left = np.argsort(-scores, kind="stable")
    merged = []
    while left.size:
        overlap = box_overlap(corners[left[0]], corners[left]) > threshold
        group, left_over = left[overlap], left[~overlap]
        merged.append((np.average(faces[group], axis=0, weights=scores[group]), scores[left[0]]))
        left = left_over
    return merged


def box_overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of (N, 4)."""
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(size, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / np.maximum(np.prod(box[2:] - box[:2]) + areas - shared, 1e-12)
