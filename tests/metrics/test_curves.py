import numpy as np
import pytest

from tfface import metrics


def test_a_curve_by_hand():
    curve = metrics.cumulative_curve([0.0, 1.0, 2.0, 9.0], limit=4.0, steps=4)
    np.testing.assert_allclose(curve.thresholds, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(curve.shares, [0.25, 0.5, 0.75, 0.75, 0.75])
    assert curve.failures == pytest.approx(0.25)
    assert curve.area == pytest.approx((0.375 + 0.625 + 0.75 + 0.75) / 4)


def test_perfect_and_missing_results():
    assert metrics.cumulative_curve(np.zeros(3), 1.0).area == pytest.approx(1.0)
    missing = metrics.cumulative_curve([np.nan, 0.0], 1.0)
    assert missing.failures == pytest.approx(0.5)
    np.testing.assert_allclose(missing.shares, 0.5)


@pytest.mark.parametrize(("errors", "limit"), [([], 1.0), ([1.0], 0.0), ([1.0], np.nan)])
def test_what_has_no_curve(errors, limit):
    with pytest.raises(ValueError, match="errors, limit: expected some and a positive one"):
        metrics.cumulative_curve(errors, limit)
