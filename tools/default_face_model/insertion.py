"""Puts the landmarks into the mesh as vertices of their own, at both levels of detail.

Snapping a landmark to the nearest vertex would move it by up to 5 mm on the cheeks, where the
mesh is coarse; splitting the triangle that it lies in moves it not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import trimesh
from scipy.spatial import cKDTree

LEAST_WEIGHT = 0.03  # Of a corner: keeps the new triangles from being slivers.


@dataclass(frozen=True)
class Insertion:
    """The mesh with the landmarks in it.

    Attributes:
        fine: sparse `(V + 68, V)`, the new fine vertices from the old ones. The order is the
            coarse vertices, the landmarks, the rest of the fine ones.
        fine_triangles: `(T + 136, 3)` int32.
        coarse_triangles: `(Tc + 136, 3)` int32, of the first Vc + 68 new vertices.
        landmarks: `(68,)` int32, Vc to Vc + 67.
    """

    fine: sp.csr_matrix
    fine_triangles: np.ndarray
    coarse_triangles: np.ndarray
    landmarks: np.ndarray


def insert_points(
    points: np.ndarray,
    vertices: np.ndarray,
    fine_triangles: np.ndarray,
    coarse_triangles: np.ndarray,
    coarse_count: int,
    allowed: np.ndarray,
) -> Insertion:
    """Splits, at both levels, the triangles nearest to the points.

    Args:
        points: `(N, 3)` positions on the mean.
        vertices: `(V, 3)` fine mean; its first `coarse_count` vertices are the coarse mesh's.
        fine_triangles: `(T, 3)`.
        coarse_triangles: `(Tc, 3)`.
        coarse_count: Vc.
        allowed: `(V,)` bool; triangles with a corner outside it are not split (eyes, teeth).
    """
    count = len(points)
    after = np.arange(len(vertices))
    after[coarse_count:] += count  # the landmarks stand between the coarse and the fine vertices
    positions = np.empty((len(vertices) + count, 3))
    positions[after] = vertices
    allowed_after = np.zeros(len(positions), bool)
    allowed_after[after] = allowed
    landmarks = range(coarse_count, coarse_count + count)

    fine = list(map(tuple, after[fine_triangles]))
    rows, columns, values = list(after), list(range(len(vertices))), [1.0] * len(vertices)
    matrix = sp.csr_matrix((values, (rows, columns)), (len(positions), len(vertices))).tolil()
    for landmark, point in zip(landmarks, points, strict=True):
        corners, weights = _split(fine, positions, allowed_after, landmark, point)
        positions[landmark] = weights @ positions[list(corners)]
        allowed_after[landmark] = True
        matrix[landmark] = sum(w * matrix[c] for c, w in zip(corners, weights, strict=True))
    coarse = list(map(tuple, after[coarse_triangles]))
    for landmark in landmarks:
        _split(coarse, positions, allowed_after, landmark, positions[landmark])
    return Insertion(
        matrix.tocsr(),
        np.array(fine, np.int32),
        np.array(coarse, np.int32),
        np.array(landmarks, np.int32),
    )


def _split(
    triangles: list[tuple[int, ...]],
    positions: np.ndarray,
    allowed: np.ndarray,
    new: int,
    point: np.ndarray,
) -> tuple[tuple[int, ...], np.ndarray]:
    """Replaces the triangle nearest to the point by three around the vertex `new`."""
    array = np.array(triangles)
    centres = positions[array].mean(1)
    near = cKDTree(centres).query(point, k=60)[1]
    near = near[allowed[array[near]].all(1)]
    corners = positions[array[near]]
    closest = trimesh.triangles.closest_point(corners, np.tile(point, (len(near), 1)))
    best = int(np.argmin(np.linalg.norm(closest - point, axis=1)))
    weights = trimesh.triangles.points_to_barycentric(corners[best : best + 1], closest[best][None])
    weights = np.clip(weights[0], LEAST_WEIGHT, None)
    a, b, c = triangles[near[best]]
    triangles[near[best]] = (a, b, new)
    triangles.extend([(b, c, new), (c, a, new)])
    return (a, b, c), weights / weights.sum()
