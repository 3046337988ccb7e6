"""Errors of depth maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DepthErrors:
    """Of one depth map, in its unit; NaN where no pixel is valid.

    Attributes:
        mean: Of the absolute errors.
        percentile_90: 90 % of the pixels are nearer to the truth.
    """

    mean: float
    percentile_90: float


def depth_errors(estimate: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> DepthErrors:
    """Mean and 90 % of absolute depth errors (Richardson et al. 2017, table 1).

    Protocol: the pixels that every compared method calls valid count, all alike. As one picture
    does not tell the distance of a face, the median difference is taken off.

    Args:
        estimate, truth: `(H, W)` mm.
        valid: `(H, W)` bool.

    Raises:
        ValueError: if the shapes differ.
    """
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    valid = np.asarray(valid, bool)
    if not estimate.shape == truth.shape == valid.shape:
        raise ValueError(
            f"estimate: expected the shape of truth and valid, {truth.shape} and {valid.shape}, "
            f"got {estimate.shape}"
        )
    difference = (estimate - truth)[valid]
    if not difference.size:
        return DepthErrors(np.nan, np.nan)
    distance = np.abs(difference - np.median(difference))
    return DepthErrors(float(distance.mean()), float(np.percentile(distance, 90)))
