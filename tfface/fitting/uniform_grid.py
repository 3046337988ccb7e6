"""A face as an even grid, whose vertices are a linear map of those of its model.

High-fidelity MoFA refines geometry on a uniform topology T2 that a linear map L takes from the
model's T1 (section 9.2): triangles of one size keep displacements of single vertices well behaved.
Here T2 is a grid of directions from a point behind the eyes, which sees the nose from above, so
that what lies under it is not hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import tensorflow as tf

from tfface.rendering.rasterize import interpolate, rasterize_orthographic


@dataclass(frozen=True, eq=False)
class UniformGrid:
    """T2.

    Attributes:
        triangles: `(T, 3)` int32.
        weights: `(U, V)` sparse, L: each vertex lies between three of the model's.
    """

    triangles: np.ndarray
    weights: sparse.csr_matrix

    def carry(self, values: np.ndarray) -> np.ndarray:
        """Values `(V, C)` at the model's vertices -> at the grid's, `(U, C)`."""
        return np.asarray(self.weights @ values)


def uniform_grid(
    vertices: np.ndarray,
    triangles: np.ndarray,
    used: np.ndarray,
    eyes: np.ndarray,
    spacing: float,
) -> UniformGrid:
    """Covers a part of a head.

    Args:
        vertices: `(V, 3)` mm, in model space (y is up, z leaves the face), of a face whose lips do
            not touch: the grid does not join them.
        triangles: `(T, 3)`, oriented.
        used: `(V,)` in [0, 1]; the grid covers what is above 0.5.
        eyes: `(N, 3)` mm, points around the eyes.
        spacing: mm.

    Raises:
        ValueError: the spacing is not positive, or larger than the face.
    """
    if not spacing > 0:
        raise ValueError(f"spacing: expected a positive length, got {spacing}")
    part = used > 0.5
    centre = np.array([0.0, eyes[:, 1].mean(), vertices[part, 2].min()])
    x, y, z = (vertices - centre).T
    radius = np.hypot(x, z)
    around, up, distance = np.arctan2(x, z), np.arctan2(y, radius), np.hypot(y, radius)
    columns, rows = (
        (angle - angle[part].min()) * size / spacing
        for angle, size in ((around, np.median(radius[part])), (-up, np.median(distance[part])))
    )
    height, width = (int(np.ceil(axis[part].max())) + 1 for axis in (rows, columns))
    if min(height, width) < 4:
        raise ValueError(f"spacing: expected less than the size of the face, got {spacing}")
    front = triangles[np.ptp(around[triangles], axis=1) < np.pi]  # not across the back of the head
    image = tf.constant(np.stack([columns, rows, -distance], axis=-1)[None], tf.float32)
    hit = rasterize_orthographic(image, tf.constant(front), height, width)  # the outermost surface
    inside = interpolate(tf.constant(used[None, :, None], tf.float32), hit, front)[0, ..., 0]
    seen = inside.numpy() > 0.5
    corners, shares = front[hit.triangle_ids.numpy()[0, seen]], hit.barycentrics.numpy()[0, seen]
    count = len(corners)
    place = np.repeat(np.arange(count), 3), corners.ravel()
    weights = sparse.csr_matrix((shares.ravel(), place), shape=(count, len(vertices)))
    number = np.full(seen.shape, -1)
    number[seen] = np.arange(count)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    cut = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    cut = cut[(cut >= 0).all(axis=1)].astype(np.int32)
    return UniformGrid(cut, weights)
