"""Light that explains a picture of a known surface: linear least squares."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfface.rendering.spherical_harmonics import sh_basis

RIDGE = 1e-2  # of the mean square, keeps light from where nothing is seen small


def fit_light(
    normals: np.ndarray, albedo: np.ndarray, observed: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The spherical-harmonics light of B faces.

    Args:
        normals: `(B, V, 3)` unit, camera space.
        albedo: `(B, V, 3)`.
        observed: `(B, V, 3)` colours in the picture.
        weights: `(B, V)`, 0 where a vertex is not seen.

    Returns:
        `(B, 9, 3)` coefficients.
    """
    basis = sh_basis(tf.constant(normals, tf.float32)).numpy()  # (B, V, 9)
    light = np.zeros((len(normals), 9, 3), np.float32)
    for channel in range(3):
        shaded = basis * (albedo[..., channel] * weights)[..., None]
        goal = observed[..., channel] * weights
        gram = np.einsum("bvk,bvl->bkl", shaded, shaded)
        scale = np.trace(gram, axis1=1, axis2=2)[:, None, None] / 9
        gram += (RIDGE * scale + 1e-6) * np.eye(9)  # the light is zero where nothing is seen
        right = np.einsum("bvk,bv->bk", shaded, goal)
        light[..., channel] = np.linalg.solve(gram, right[..., None])[..., 0]
    return light
