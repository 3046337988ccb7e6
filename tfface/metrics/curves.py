"""Cumulative error curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class CumulativeCurve:
    """The share of errors that are no larger than each threshold.

    Attributes:
        thresholds: `(K,)`, from zero.
        shares: `(K,)` in [0, 1].
    """

    thresholds: np.ndarray
    shares: np.ndarray

    @property
    def area(self) -> float:
        """Under the curve, over that of a perfect one: 1 if all errors are zero."""
        return float(np.trapezoid(self.shares, self.thresholds) / self.thresholds[-1])

    @property
    def failures(self) -> float:
        """The share of errors above the last threshold."""
        return float(1 - self.shares[-1])


def cumulative_curve(errors: np.ndarray, limit: float, steps: int = 200) -> CumulativeCurve:
    """The cumulative curve of errors up to a limit; NaN, which is no result, fails everywhere.

    Args:
        errors: `(N,)`, all of one measure.
        limit: The last threshold.
        steps: Thresholds after zero.

    Raises:
        ValueError: without errors, or with a limit that is not positive.
    """
    errors = np.asarray(errors, np.float64).ravel()
    if not errors.size or not limit > 0:
        raise ValueError(
            f"errors, limit: expected some and a positive one, got {errors.size} and {limit}"
        )
    thresholds = np.linspace(0.0, limit, steps + 1)
    ordered = np.sort(errors[~np.isnan(errors)])
    shares = np.searchsorted(ordered, thresholds, side="right") / errors.size
    return CumulativeCurve(thresholds, shares)
