"""Principal components of many painted faces."""

from __future__ import annotations

import numpy as np


def principal_components(
    colours: np.ndarray, weights: np.ndarray, modes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weighted PCA of colours.

    Args:
        colours: (N, V, 3).
        weights: (V,) importance of each vertex (an area, more where it matters).
        modes: number K of components kept.

    Returns:
        mean (V, 3), basis (V, 3, K) scaled to one standard deviation, coefficients (N, K) in
        sigmas, and the fraction (K,) of the variance that the first 1, ..., K modes hold.
    """
    count, vertices, _ = colours.shape
    mean = colours.mean(0)
    root = np.sqrt(weights / weights.sum())[:, None]
    flat = ((colours - mean) * root).reshape(count, -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / (count - 1))
    order = np.argsort(values)[::-1][:modes]
    coefficients = vectors[:, order] * np.sqrt(count - 1)
    # The basis by regression on unit-variance coefficients: equal to the weighted eigenvectors.
    basis = np.einsum("nvc,nk->vck", colours - mean, coefficients) / (count - 1)
    sign = np.where(basis.sum((0, 1)) < 0, -1.0, 1.0)
    held = np.cumsum(values[order]) / values.sum()
    return mean, basis * sign, coefficients * sign, held
