"""Exact closest points on a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

_CHUNK = 4096  # queries at a time: bounds memory at a few hundred MB


@dataclass(frozen=True, eq=False)
class ClosestPoints:
    """Closest points on a mesh (N queries).

    Attributes:
        points: `(N, 3)` on the surface.
        distances: `(N,)` >= 0.
        triangles: `(N,)` the triangle that each point lies on.
    """

    points: np.ndarray
    distances: np.ndarray
    triangles: np.ndarray


class MeshDistance:
    """Answers closest-point queries on one mesh.

    A k-d tree of centroids proposes triangles and each is measured exactly. No triangle whose
    centroid is farther than the best distance plus the largest triangle radius can win, so the
    number of proposals doubles until that holds.

    Args:
        vertices: `(V, 3)`.
        triangles: `(T, 3)` int.

    Raises:
        ValueError: if there is no triangle.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        triangles = np.asarray(triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles):
            raise ValueError(f"triangles: expected shape (T, 3) with T > 0, got {triangles.shape}")
        self.corners = np.asarray(vertices, np.float64)[triangles]  # (T, 3, 3)
        centroids = self.corners.mean(axis=1)
        self._radius = np.linalg.norm(self.corners - centroids[:, None], axis=-1).max()
        self._tree = cKDTree(centroids)

    def query(self, points: np.ndarray, exact: bool = True, proposals: int = 12) -> ClosestPoints:
        """Returns the closest point on the mesh of each of `(N, 3)` points.

        Args:
            points: `(N, 3)`.
            exact: If False, only the `proposals` nearest centroids are looked at: enough for
                the inner steps of an alignment.
            proposals: How many triangles to measure first.
        """
        points = np.asarray(points, np.float64)
        parts = [
            self._query(points[i : i + _CHUNK], exact, proposals)
            for i in range(0, len(points), _CHUNK)
        ]
        closest, triangles = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        return ClosestPoints(closest, np.linalg.norm(closest - points, axis=-1), triangles)

    def _query(
        self, points: np.ndarray, exact: bool, proposals: int
    ) -> tuple[np.ndarray, np.ndarray]:
        count = min(proposals, len(self.corners))
        reach, candidates = self._tree.query(points, count)
        reach, candidates = reach.reshape(-1, count), candidates.reshape(-1, count)
        on_triangle = closest_points(points[:, None], self.corners[candidates])  # (N, k, 3)
        squared = ((on_triangle - points[:, None]) ** 2).sum(-1)
        best = squared.argmin(axis=1)
        row = np.arange(len(points))
        closest, triangles = on_triangle[row, best], candidates[row, best]
        unsure = np.sqrt(squared[row, best]) + self._radius > reach[:, -1]
        if exact and count < len(self.corners) and unsure.any():
            closest[unsure], triangles[unsure] = self._query(points[unsure], exact, 2 * count)
        return closest, triangles


def closest_points(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Closest points on triangles (Ericson, Real-Time Collision Detection, 5.1.5).

    Args:
        points: `(..., 3)`.
        corners: `(..., 3, 3)`, the corners a, b, c of each point's triangle; broadcasts.

    Returns:
        `(..., 3)`.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac = b - a, c - a
    d1, d2 = _dot(ab, points - a), _dot(ac, points - a)
    d3, d4 = _dot(ab, points - b), _dot(ac, points - b)
    d5, d6 = _dot(ab, points - c), _dot(ac, points - c)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2

    total = va + vb + vc
    v, w = _ratio(vb, total), _ratio(vc, total)  # inside the triangle
    along_ab, along_ac = _ratio(d1, d1 - d3), _ratio(d2, d2 - d6)
    along_bc = _ratio(d4 - d3, (d4 - d3) + (d5 - d6))
    regions = (  # (condition, weight of b, weight of c), later ones win
        ((va <= 0) & (d4 >= d3) & (d5 >= d6), 1 - along_bc, along_bc),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), 0.0, along_ac),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), along_ab, 0.0),
        ((d6 >= 0) & (d5 <= d6), 0.0, 1.0),
        ((d3 >= 0) & (d4 <= d3), 1.0, 0.0),
        ((d1 <= 0) & (d2 <= 0), 0.0, 0.0),
    )
    for condition, weight_b, weight_c in regions:
        v, w = np.where(condition, weight_b, v), np.where(condition, weight_c, w)
    return a + v[..., None] * ab + w[..., None] * ac


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...i,...i->...", a, b)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a / np.where(np.abs(b) > 1e-300, b, 1.0)
