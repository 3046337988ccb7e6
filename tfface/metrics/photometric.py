"""How far the rendered face is from the picture, in colour."""

from __future__ import annotations

import numpy as np


def photometric_error(
    rendered: np.ndarray, observed: np.ndarray, visible: np.ndarray | None = None
) -> np.ndarray:
    """Mean RGB distance over visible vertices, the photometric error of the MoFA papers.

    Protocol: the Euclidean distance of two sRGB-encoded colours, each channel in [0, 1] (so black
    and white are sqrt(3) apart), averaged over the vertices that face the camera, hidden by
    nothing, and fall inside the picture.

    Args:
        rendered: `(..., V, 3)` colours of the model's vertices, albedo times shading.
        observed: `(..., V, 3)` colours of the picture at the projected vertices.
        visible: `(..., V)` bool, or weights >= 0. None counts every vertex.

    Returns:
        `(...)`; NaN where no vertex is visible.

    Raises:
        ValueError: if the shapes disagree.
    """
    difference = _difference(rendered, observed)
    return _visible_mean(np.linalg.norm(difference, axis=-1), visible)


def absolute_colour_error(
    rendered: np.ndarray, observed: np.ndarray, visible: np.ndarray | None = None
) -> np.ndarray:
    """Mean absolute difference of colours, the L1 error of InverseFaceNet (Kim et al. 2018).

    Protocol: as `photometric_error`, but the mean of the three channels' absolute differences, in
    units in which black and white are 255 apart.

    Args:
        rendered, observed, visible: As of `photometric_error`.

    Returns:
        `(...)`; NaN where no vertex is visible.

    Raises:
        ValueError: if the shapes disagree.
    """
    difference = _difference(rendered, observed)
    return _visible_mean(255.0 * np.abs(difference).mean(axis=-1), visible)


def _difference(rendered: np.ndarray, observed: np.ndarray) -> np.ndarray:
    rendered, observed = np.asarray(rendered, np.float64), np.asarray(observed, np.float64)
    if rendered.shape != observed.shape or rendered.shape[-1:] != (3,):
        raise ValueError(
            f"observed: expected the shape of rendered, (..., V, 3) = {rendered.shape}, "
            f"got {observed.shape}"
        )
    return rendered - observed


def _visible_mean(distances: np.ndarray, visible: np.ndarray | None) -> np.ndarray:
    weights = np.ones_like(distances) if visible is None else np.asarray(visible, np.float64)
    if weights.shape != distances.shape:
        raise ValueError(f"visible: expected shape {distances.shape}, got {weights.shape}")
    total = weights.sum(axis=-1)
    safe = np.where(total > 0, total, 1.0)
    return np.where(total > 0, (weights * distances).sum(axis=-1) / safe, np.nan)
