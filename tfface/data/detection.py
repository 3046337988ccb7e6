"""Finding faces in photos: boxes, dense landmarks, the 68 iBUG landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tfface.data.blazeface import BlazeFace, Candidate, box_overlap
from tfface.data.face_mesh import FaceMesh
from tfface.data.landmarks import dense_to_ibug68, head_yaw, landmark_confidence

_WORKING_SIDE = 2560  # Pixels: larger photos are searched at this size (refined at full size).
_SMALLEST_VIEW = 512  # Pixels of the searched picture: the detector then sees faces of 20 px as 10.
_LARGEST_VIEW = 1.6  # Of the picture's longer side: lets the detector see faces that fill it.
_VIEW_OVERLAP = 0.35  # A face up to this part of a view lies in one view as a whole.
_MIN_PRESENCE = 0.75  # Real faces score above 0.85, other things below 0.1.
_SAME_FACE = 0.3  # Intersection over union above which two boxes are one face.


@dataclass(frozen=True)
class DetectedFace:
    """One face of a photo; all coordinates in pixels of that photo.

    Attributes:
        box: (4,) bounding box `[x0, y0, x1, y1]` of the dense points.
        score: the detector's score in [0, 1].
        dense: (468, 2) points of MediaPipe's face mesh.
        landmarks: (68, 2) iBUG landmarks.
        confidence: (68,) in [0, 1]; the rule is `tfface.data.landmarks.landmark_confidence`'s.
    """

    box: np.ndarray
    score: float
    dense: np.ndarray
    landmarks: np.ndarray
    confidence: np.ndarray


class FaceDetector:
    """Finds all faces of a photo. Belongs to one process and one thread.

    Args:
        min_score: the detector's threshold in (0, 1).
    """

    def __init__(self, min_score: float = 0.5):
        if not 0 < min_score < 1:
            raise ValueError(f"min_score: expected a number between 0 and 1, got {min_score}")
        self.min_score = min_score
        self._find = BlazeFace()
        self._mesh = FaceMesh()

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        """The faces of a photo, the largest first.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            A list of `DetectedFace`, empty if there is none.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"image: expected (H, W, 3) uint8 RGB, got shape {image.shape}, {image.dtype}"
            )
        if 0 in image.shape:
            return []
        faces = [self._refine(image, candidate) for candidate in self._candidates(image)]
        return _distinct([face for face in faces if face is not None])

    def _candidates(self, image: np.ndarray) -> list[Candidate]:
        """What the detector finds in overlapping views of the photo, from coarse to fine."""
        longer = max(image.shape[:2])
        scale = max(1.0, longer / _WORKING_SIDE)
        small = image
        if scale > 1:
            size = tuple(max(1, round(side / scale)) for side in image.shape[1::-1])
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        shape = np.array(small.shape[1::-1])
        found = []
        for centre, side in _views(*shape):
            found += self._find(small, centre, side, min_score=self.min_score)
        scales = np.array(image.shape[1::-1]) / shape
        return _best_candidates(
            [replace(c, centre=c.centre * scales, side=c.side * scales.max()) for c in found]
        )

    def _refine(self, image: np.ndarray, candidate: Candidate) -> DetectedFace | None:
        """The landmarks of a candidate; None if the landmark network sees no face there."""
        mesh = self._mesh(image, candidate.centre, candidate.side, candidate.angle)
        if mesh.presence < _MIN_PRESENCE:
            return None
        dense = mesh.points[:, :2]
        landmarks = dense_to_ibug68(dense)
        height, width = image.shape[:2]
        return DetectedFace(
            box=np.concatenate([dense.min(0), dense.max(0)]),
            score=candidate.score,
            dense=dense,
            landmarks=landmarks,
            confidence=landmark_confidence(
                landmarks, head_yaw(mesh.points), mesh.presence, width, height
            ),
        )


def _views(width: int, height: int) -> Iterator[tuple[np.ndarray, float]]:
    """Centre and side of the square views to search in a picture of that size."""
    longer = max(width, height)
    whole = np.array([width, height]) / 2
    yield whole, longer * _LARGEST_VIEW
    yield whole, float(longer)
    ratio = max(1.0, longer / _SMALLEST_VIEW)
    levels = math.ceil(math.log(ratio, 2.5))
    for level in range(1, levels + 1):
        side = longer / ratio ** (level / levels)
        for y in _centres(height, side):
            for x in _centres(width, side):
                yield np.array([x, y]), side


def _centres(length: int, side: float) -> np.ndarray:
    """Centres of views of that side that cover a length, evenly, with overlap."""
    if length <= side:
        return np.array([length / 2])
    count = math.ceil((length - side) / (side * (1 - _VIEW_OVERLAP))) + 1
    return np.linspace(side / 2, length - side / 2, count)


def _best_candidates(candidates: list[Candidate]) -> list[Candidate]:
    """Of the candidates of all views that overlap, those with the best scores."""
    boxes = np.array([[*(c.centre - c.side / 2), *(c.centre + c.side / 2)] for c in candidates])
    order = sorted(range(len(candidates)), key=lambda i: -candidates[i].score)
    return [candidates[i] for i in _non_maximum_suppression(boxes, order)]


def _distinct(faces: list[DetectedFace]) -> list[DetectedFace]:
    """One detection a face, the largest face first."""
    order = sorted(range(len(faces)), key=lambda i: -faces[i].confidence.sum())
    boxes = np.array([face.box for face in faces])
    kept = [faces[i] for i in _non_maximum_suppression(boxes, order)]
    return sorted(kept, key=lambda face: -float(np.prod(face.box[2:] - face.box[:2])))


def _non_maximum_suppression(boxes: np.ndarray, order: list[int]) -> list[int]:
    """The indices that, taken in the given order, overlap none taken before."""
    kept: list[int] = []
    for i in order:
        if not kept or box_overlap(boxes[i], boxes[kept]).max() <= _SAME_FACE:
            kept.append(i)
    return kept
