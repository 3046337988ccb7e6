"""The crop rule and the resampling behind it, which training and inference share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfface.data.crop import crop_box, crop_image, sample_square, scale_box, to_crop, to_image
from tfface.data.framing import crop_boxes


def dot_picture(centre: tuple[float, float], shape: tuple[int, int], sigma: float) -> np.ndarray:
    """A Gaussian dot, white on black, with its centre at a fractional pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    dot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return np.repeat((255 * dot).round().astype(np.uint8)[..., None], 3, axis=2)


def centroid(image: np.ndarray) -> np.ndarray:
    weights = image[..., 0].astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()


def face_points(seed: int = 0) -> np.ndarray:
    """68 points about where a frontal face of width 2 has them, y down."""
    random = np.random.default_rng(seed)
    jaw = np.linspace(math.pi, 0, 17)
    points = np.zeros((68, 2))
    points[:17] = np.stack([np.cos(jaw), 0.1 + 1.1 * np.sin(jaw)], 1)
    points[17:27] = np.stack([np.linspace(-0.8, 0.8, 10), np.full(10, -0.25)], 1)
    points[27:36] = np.stack([np.zeros(9), np.linspace(0, 0.5, 9)], 1)
    points[36:48] = np.concatenate([random.normal((s * 0.4, 0), 0.08, (6, 2)) for s in (-1, 1)])
    points[48:68] = random.normal((0, 0.75), (0.2, 0.06), (20, 2))
    return points


@pytest.mark.parametrize("side", [40.0, 63.7, 128.0, 300.3])
def test_a_dot_lands_where_to_crop_says(side: float) -> None:
    point = (153.3, 201.9)
    image = dot_picture(point, (400, 380), sigma=6)
    box = np.array([-0.4, -0.6, 0.6, 0.4]) * side + np.repeat([point], 2, 0).ravel()
    crop = crop_image(image, box, 96)
    expected = to_crop(np.array(point), box, 96)
    if side >= 100:  # The whole dot lies inside the crop.
        assert np.abs(centroid(crop) - expected).max() < 0.1
    brightest = np.unravel_index(crop[..., 0].argmax(), crop.shape[:2])
    assert np.abs(np.array(brightest[::-1]) + 0.5 - expected).max() <= 1.5
    np.testing.assert_allclose(to_image(expected, box, 96), point)


def test_a_box_on_whole_pixels_returns_them() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        crop_image(image, np.array([7, 9, 39, 41]), 32), image[9:41, 7:39]
    )


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_image(stripes, np.array([0, 0, 256, 256]), 32)
    assert np.abs(crop[:, 2:-2].astype(int) - 127).max() <= 2


def test_edges_repeat_outside_the_image() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, -1] = 200
    crop = crop_image(image, np.array([10, 0, 40, 30]), 30)
    assert (crop[:, 14:] == 200).all()
    far = crop_image(image, np.array([100, 100, 130, 130]), 30)
    assert (far == 200).all()


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.0])
def test_a_turned_square_maps_back_to_the_image(angle: float) -> None:
    point = np.array([151.4, 98.2])
    image = dot_picture((point[0], point[1]), (220, 300), sigma=4)
    patch, to_source = sample_square(image, np.array([140.0, 105.0]), 120.0, angle, 96)
    found = to_source[:, :2] @ centroid(patch) + to_source[:, 2]
    assert np.abs(found - point).max() < 0.15


def test_the_box_follows_the_face() -> None:
    points = face_points()
    box = crop_box(points)
    assert box[2] - box[0] == pytest.approx(box[3] - box[1])
    assert (points > box[:2]).all()
    assert (points < box[2:]).all()
    moved = crop_box(points * 37.5 + (100, -20))
    np.testing.assert_allclose(moved, box * 37.5 + (100, -20, 100, -20))


@pytest.mark.parametrize("degrees", [-45, 20, 90])
def test_the_size_ignores_an_in_plane_rotation(degrees: float) -> None:
    points = face_points()
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])
    box, turned = crop_box(points), crop_box(points @ turn.T)
    assert turned[2] - turned[0] == pytest.approx(box[2] - box[0])
    np.testing.assert_allclose(
        (turned[:2] + turned[2:]) / 2, turn @ (box[:2] + box[2:]) / 2, atol=1e-9
    )


def test_the_size_barely_heeds_a_turned_head() -> None:
    points = face_points()
    narrow = points * (0.75, 1.0)  # What a turn of 40 degrees does to widths.
    size, turned = np.diff(crop_box(points)[::2]), np.diff(crop_box(narrow)[::2])
    assert 0.9 < (turned / size).item() < 1.0


def test_scale_box_keeps_the_centre() -> None:
    np.testing.assert_allclose(scale_box(np.array([10, 20, 30, 40]), 1.5), [5, 15, 35, 45])


@pytest.mark.parametrize(
    "landmarks", [np.zeros((68, 2)), np.zeros((67, 2)), np.full((68, 2), np.nan)]
)
def test_bad_landmarks_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks: expected"):
        crop_box(landmarks)


@pytest.mark.parametrize("box", [[0, 0, 0, 5], [0, 0, np.nan, 5], [0, 0, 5]])
def test_bad_boxes_are_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="box: expected"):
        crop_image(np.zeros((9, 9, 3), np.uint8), np.array(box), 8)


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="image: expected"):
        crop_image(np.zeros((9, 9)), np.array([0, 0, 5, 5]), 8)


def test_the_rule_in_tensorflow_is_the_same() -> None:
    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    faces = np.stack([40 * face_points(0) + 100, 70 * face_points(1) @ turn.T - 8])
    np.testing.assert_allclose(crop_boxes(faces), [crop_box(f) for f in faces], rtol=1e-9)
