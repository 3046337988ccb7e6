import numpy as np
import pytest

from tfface import metrics


def face():
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    points[36], points[45] = (30, 40), (90, 40)
    return points


def test_error_is_relative_to_the_outer_eye_corners():
    reference = face()
    assert metrics.interocular_distance(reference) == pytest.approx(60)
    assert metrics.normalized_mean_error(reference + np.array([3, 4]), reference) == pytest.approx(
        5 / 60
    )


def test_every_point_counts_alike():
    reference = face()
    estimate = reference.copy()
    estimate[0, 0] += 68 * 6
    assert metrics.normalized_mean_error(estimate, reference) == pytest.approx(0.1)


def test_pixels_of_a_240_pixel_crop():
    reference = np.stack([face(), face()])
    sides = np.array([480.0, 240.0])
    distance = metrics.mean_landmark_distance(reference + np.array([0, 6]), reference, sides / 240)
    np.testing.assert_allclose(distance, [3, 6])


def test_wrong_number_of_points():
    with pytest.raises(ValueError, match=r"reference: expected shape .* got \(67, 2\)"):
        metrics.normalized_mean_error(face(), face()[:67])
