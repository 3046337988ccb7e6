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


def test_the_46_landmarks_of_mofa_are_inside_of_the_face():
    assert len(set(metrics.INNER_46)) == 46
    assert min(metrics.INNER_46) == 17 and max(metrics.INNER_46) < 68


def test_the_box_is_the_unit():
    reference = np.zeros((68, 2))
    reference[0], reference[1] = (40, 90), (0, 0)
    assert metrics.box_normalized_error(reference + [0, 6], reference) == pytest.approx(0.1)


def test_groups_of_poses_by_hand():
    errors, yaws = np.array([1.0, 3.0, 5.0, 100.0]), np.array([0.0, -30.0, 45.0, 95.0])
    found = metrics.mean_by_yaw(errors, yaws)
    assert found["0 to 30"] == pytest.approx(2.0)
    assert found["30 to 60"] == pytest.approx(5.0)
    assert np.isnan(found["60 to 90"])
    assert found["balanced"] == pytest.approx(3.5)
    with pytest.raises(ValueError, match=r"yaws: expected shape \(4,\), got \(3,\)"):
        metrics.mean_by_yaw(errors, yaws[:3])
