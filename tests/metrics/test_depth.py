import numpy as np
import pytest

from tfface import metrics


def test_errors_beside_the_distance_of_the_whole_face():
    truth = np.full((10, 10), 900.0)
    estimate = truth + 40.0
    estimate[0, :] += 5.0  # a tenth of the pixels
    valid = np.ones((10, 10), bool)
    errors = metrics.depth_errors(estimate, truth, valid)
    assert errors.mean == pytest.approx(0.5)
    assert errors.percentile_90 == pytest.approx(0.5, abs=0.01)  # between 0 and 5, as numpy has it
    valid[0] = False
    estimate[0] = np.nan
    assert metrics.depth_errors(estimate, truth, valid) == metrics.DepthErrors(0.0, 0.0)


def test_nothing_valid_and_other_shapes():
    nothing = metrics.depth_errors(np.ones((2, 2)), np.ones((2, 2)), np.zeros((2, 2), bool))
    assert np.isnan(nothing.mean) and np.isnan(nothing.percentile_90)
    with pytest.raises(ValueError, match=r"estimate: expected .* got \(2, 3\)"):
        metrics.depth_errors(np.ones((2, 3)), np.ones((2, 2)), np.ones((2, 2), bool))
