"""Finding faces: one, several, none, tiny, turned, in huge photos, cut by the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tfface.data.detection import DetectedFace, FaceDetector, _views


def eye_distance(face: DetectedFace) -> float:
    return float(np.linalg.norm(face.landmarks[36] - face.landmarks[45]))


def paste(background: np.ndarray, photo: np.ndarray, scale: float, corner: tuple[int, int]) -> None:
    """Put a scaled photo into a picture with its top-left corner at (x, y)."""
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y = corner
    background[y : y + small.shape[0], x : x + small.shape[1]] = small


def clouds(width: int, height: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_the_astronaut(face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray) -> None:
    assert len(detector.detect(astronaut)) == 1
    assert face.dense.shape == (468, 2)
    assert face.landmarks.shape == (68, 2)
    assert face.score > 0.9
    # Read off the enlarged photo by eye: pupils, tip of the nose, corners of the mouth, chin.
    places = (
        (range(36, 42), (204, 101)),
        (range(42, 48), (247, 103)),
        ([30], (224, 127)),
        ([48], (203, 140)),
        ([54], (246, 140)),
        ([8], (225, 178)),
    )
    for points, place in places:
        found = face.landmarks[points].mean(0)
        assert np.linalg.norm(found - place) < 6, (points, found)
    assert (face.confidence > 0.9).all()


@pytest.mark.parametrize("degrees", [-45, -25, 25, 45])
def test_turned_heads(
    degrees: float, face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    turn = cv2.getRotationMatrix2D((255.5, 255.5), degrees, 1)
    found = detector.detect(cv2.warpAffine(astronaut, turn, (512, 512)))
    assert len(found) == 1
    expected = (face.landmarks - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    error = np.linalg.norm(found[0].landmarks - expected, axis=1).mean()
    assert error < 0.04 * eye_distance(face)


def test_a_mirrored_photo_gives_mirrored_landmarks(
    face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    from tfface.data.landmarks import mirror_landmarks

    found = detector.detect(np.ascontiguousarray(astronaut[:, ::-1]))[0]
    expected = mirror_landmarks(face.landmarks, astronaut.shape[1])
    assert np.linalg.norm(found.landmarks - expected, axis=1).mean() < 0.04 * eye_distance(face)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1600, 1200)])
def test_tiny_faces(
    width: int, height: int, face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    scale = 24 / 108  # The face is 108 pixels high.
    photo = clouds(width, height)
    corner = (width * 2 // 3, height // 2)
    paste(photo, astronaut[:300], scale, corner)
    found = detector.detect(photo)
    assert len(found) == 1
    expected = face.landmarks * scale + corner
    assert np.linalg.norm(found[0].landmarks - expected, axis=1).mean() < 2


def test_several_faces_the_largest_first(detector: FaceDetector, astronaut: np.ndarray) -> None:
    photo = clouds(1200, 700)
    for scale, corner in ((0.5, (30, 30)), (1.0, (400, 100)), (0.3, (1000, 500))):
        paste(photo, astronaut[:300], scale, corner)
    found = detector.detect(photo)
    assert len(found) == 3
    assert [int(face.box[0] // 400) for face in found] == [1, 0, 2]


def test_forty_megapixels(
    face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    photo = np.zeros((5500, 7300, 3), np.uint8)
    paste(photo, astronaut[:300], 3.0, (2500, 1500))
    found = detector.detect(photo)
    expected = face.landmarks * 3 + (2500, 1500)
    error = np.linalg.norm(found[0].landmarks - expected, axis=1).mean()
    assert error < 0.03 * 3 * eye_distance(face)


def test_a_face_that_fills_the_photo(
    face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    x0, y0, x1, y1 = face.box.astype(int)
    found = detector.detect(np.ascontiguousarray(astronaut[y0:y1, x0:x1]))
    assert len(found) == 1
    error = np.linalg.norm(found[0].landmarks - (face.landmarks - (x0, y0)), axis=1).mean()
    assert error < 0.05 * eye_distance(face)


def test_landmarks_outside_the_photo_have_no_confidence(
    face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    mouth = int(face.landmarks[48:68, 1].mean())
    found = detector.detect(np.ascontiguousarray(astronaut[:mouth]))
    assert len(found) == 1
    below = found[0].landmarks[:, 1] > mouth
    assert below[8]
    assert (found[0].confidence[below] == 0).all()
    assert (found[0].confidence[36:48] > 0.5).all()


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "brick", "text"])
def test_no_face_where_there_is_none(name: str, detector: FaceDetector) -> None:
    image = getattr(pytest.importorskip("skimage.data"), name)()
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    assert detector.detect(image) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 2), (0, 5), (2, 40_000)])
def test_odd_shapes_have_no_face(shape: tuple[int, int], detector: FaceDetector) -> None:
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_the_same_photo_gives_the_same_face(
    face: DetectedFace, detector: FaceDetector, astronaut: np.ndarray
) -> None:
    np.testing.assert_array_equal(detector.detect(astronaut)[0].landmarks, face.landmarks)


@pytest.mark.parametrize("image", [np.zeros((8, 8)), np.zeros((8, 8, 3), np.float32)])
def test_other_arrays_are_refused(image: np.ndarray, detector: FaceDetector) -> None:
    with pytest.raises(ValueError, match="image: expected"):
        detector.detect(image)


def test_the_threshold_is_checked() -> None:
    with pytest.raises(ValueError, match="min_score"):
        FaceDetector(min_score=1.5)


@pytest.mark.parametrize(("width", "height"), [(300, 200), (512, 512), (1700, 900), (2560, 40)])
def test_views_cover_the_photo_with_overlap(width: int, height: int) -> None:
    views = list(_views(width, height))
    finest = min(side for _, side in views)
    assert finest == pytest.approx(min(512, max(width, height)))
    # Any face up to a third of the finest view lies inside one such view.
    half = 0.17 * finest
    for x in np.linspace(half, width - half, 37):
        for y in np.linspace(half, max(height - half, half), 19):
            assert any(
                max(abs(x - centre[0]), abs(y - centre[1])) + half <= side / 2 + 1e-6
                for centre, side in views
                if side == finest
            )
