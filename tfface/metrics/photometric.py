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
    rendered, observed = np.asarray(rendered, np.float64), np.asarray(observed, np.float64)
    if rendered.shape != observed.shape or rendered.shape[-1:] != (3,):
        raise ValueError(
            f"observed: expected the shape of rendered, (..., V, 3) = {rendered.shape}, "
            f"got {observed.shape}"
        )
    distances = np.linalg.norm(rendered - observed, axis=-1)
    weights = np.ones_like(distances) if visible is None else np.asarray(visible, np.float64)
    if weights.shape != distances.shape:
        raise ValueError(f"visible: expected shape {distances.shape}, got {weights.shape}")
    total = weights.sum(axis=-1)
    safe = np.where(total > 0, total, 1.0)
    return np.where(total > 0, (weights * distances).sum(axis=-1) / safe, np.nan)
