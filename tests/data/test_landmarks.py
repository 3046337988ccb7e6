"""From the dense mesh to the 68 landmarks, mirrored, and with confidence."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tfface.data.detection import DetectedFace, FaceDetector
from tfface.data.landmarks import (
    MIRROR,
    dense_to_ibug68,
    head_yaw,
    landmark_confidence,
    mirror_landmarks,
)
from tfface.data.photos import read_photo


def test_order_of_the_points(face: DetectedFace) -> None:
    points = face.landmarks
    np.testing.assert_array_equal(points, dense_to_ibug68(face.dense))
    assert (np.diff(points[:17, 0]) > 0).all()
    assert (np.diff(points[17:27, 0]) > 0).all()
    assert (np.diff(points[27:31, 1]) > 0).all()
    assert (np.diff(points[31:36, 0]) > 0).all()
    assert points[8, 1] == points[:17, 1].max()
    for lid, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66)):
        assert points[lid, 1] < points[lower, 1]


def test_the_jaw_is_even_and_keeps_the_chin(face: DetectedFace) -> None:
    np.testing.assert_array_equal(face.landmarks[8], face.dense[152])
    np.testing.assert_array_equal(face.landmarks[[0, 16]], face.dense[[127, 356]])
    steps = np.linalg.norm(np.diff(face.landmarks[:17], axis=0), axis=1)
    for half in (steps[:8], steps[8:]):
        assert half.max() < 1.1 * half.min()  # Chords of a bent line: nearly equal.


def test_three_dimensional_points(face: DetectedFace) -> None:
    dense = np.column_stack([face.dense, np.zeros(468)])
    np.testing.assert_allclose(dense_to_ibug68(dense)[:, :2], face.landmarks)


def test_mirror_is_an_involution_that_fixes_the_midline() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    assert set(np.flatnonzero(np.arange(68) == MIRROR)) == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}


def test_mirrored_landmarks_keep_their_meaning(face: DetectedFace) -> None:
    mirrored = mirror_landmarks(face.landmarks, 512)
    assert (np.diff(mirrored[:17, 0]) > 0).all()
    np.testing.assert_allclose(mirrored[36], (512 - face.landmarks[45, 0], face.landmarks[45, 1]))
    np.testing.assert_allclose(mirror_landmarks(mirrored, 512), face.landmarks)


def test_yaw_of_a_turned_mesh() -> None:
    dense = np.zeros((468, 3))
    for degrees in (-50, -10, 0, 35):
        # Positive: the picture's left ear goes away from the camera (z grows).
        turn = math.radians(degrees)
        dense[234] = (-math.cos(turn), 0, math.sin(turn))
        dense[454] = (math.cos(turn), 0, -math.sin(turn))
        assert math.degrees(head_yaw(dense)) == pytest.approx(degrees)


def test_confidence_falls_on_the_hidden_side() -> None:
    points = np.full((68, 2), 50.0)

    def confidence(degrees: float, presence: float = 1.0) -> np.ndarray:
        return landmark_confidence(points, math.radians(degrees), presence, 100, 100)

    np.testing.assert_allclose(confidence(0), 1)
    np.testing.assert_allclose(confidence(10, presence=0.8), 0.8)
    turned = confidence(45)
    assert turned[0] == pytest.approx(0.1)
    assert (np.diff(turned[:9]) >= 0).all()
    assert (turned[8:17] == 1).all()
    assert turned[36] < turned[45] == 1
    np.testing.assert_allclose(confidence(-45), turned[MIRROR])


def test_confidence_of_points_outside_the_photo() -> None:
    points = np.full((68, 2), 50.0)
    points[3], points[5], points[7] = (-1, 50), (50, 101), (100, 100)
    confidence = landmark_confidence(points, 0.0, 1.0, 100, 100)
    assert confidence[3] == confidence[5] == 0
    assert confidence[7] == 1


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dense: expected \(468, D\)"):
        dense_to_ibug68(np.zeros((478, 2)))


def test_the_hidden_side_of_a_real_turned_head(shared: Path, detector: FaceDetector) -> None:
    # He looks to the picture's right: the right half of his face is the far one.
    photo = read_photo(shared / "photos" / "congress" / "029369.jpg")
    face = detector.detect(photo)[0]
    nose = face.landmarks[30, 0]
    assert nose - face.landmarks[0, 0] > face.landmarks[16, 0] - nose
    assert face.confidence[16] < 0.6
    assert (face.confidence[:9] > 0.9).all()
