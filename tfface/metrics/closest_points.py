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

    Triangles are sorted into classes of similar size. In each, a k-d tree of centroids proposes
    triangles that are measured exactly. None whose centroid is farther than the best distance plus
    the class's largest radius can win, so proposals are doubled until that holds.

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
        radii = np.linalg.norm(self.corners - centroids[:, None], axis=-1).max(axis=1)
        octaves = np.floor(np.log2(np.maximum(radii, 1e-6 * radii.max() + 1e-300)))
        self._classes = []
        for octave in np.unique(octaves):
            members = np.flatnonzero(octaves == octave)
            tree = cKDTree(centroids[members])
            self._classes.append((members, tree, radii[members].max()))
        self._classes.sort(key=lambda group: -len(group[0]))  # the likeliest ones first

    def query(self, points: np.ndarray, exact: bool = True, proposals: int = 8) -> ClosestPoints:
        """Returns the closest point on the mesh of each of `(N, 3)` points.

        Args:
            points: `(N, 3)`.
            exact: If False, only the `proposals` nearest centroids of each class are looked at:
                enough for the inner steps of an alignment.
            proposals: How many triangles to measure first.
        """
        points = np.asarray(points, np.float64)
        best = ClosestPoints(
            np.zeros_like(points), np.full(len(points), np.inf), np.zeros(len(points), int)
        )
        for first in range(0, len(points), _CHUNK):
            rows = np.arange(first, min(first + _CHUNK, len(points)))
            for group in self._classes:
                self._search(points, rows, group, best, exact, proposals)
        return best

    def _search(
        self,
        points: np.ndarray,
        rows: np.ndarray,
        group: tuple[np.ndarray, cKDTree, float],
        best: ClosestPoints,
        exact: bool,
        proposals: int,
    ) -> None:
        """Updates the given rows of `best` with one class of triangles."""
        members, tree, radius = group
        count = min(proposals, len(members))
        limit = best.distances[rows].max() + radius
        reach, found = tree.query(points[rows], count, distance_upper_bound=limit)
        reach, found = reach.reshape(-1, count), found.reshape(-1, count)
        candidates = members[np.minimum(found, len(members) - 1)]  # beyond the limit: any will do
        on_triangle = closest_points(points[rows, None], self.corners[candidates])  # (n, k, 3)
        distances = np.linalg.norm(on_triangle - points[rows, None], axis=-1)
        nearest = distances.argmin(axis=1)
        row = np.arange(len(rows))
        better = distances[row, nearest] < best.distances[rows]
        winners = rows[better]
        best.points[winners] = on_triangle[row, nearest][better]
        best.distances[winners] = distances[row, nearest][better]
        best.triangles[winners] = candidates[row, nearest][better]
        unsure = best.distances[rows] + radius > reach[:, -1]
        if exact and count < len(members) and unsure.any():
            self._search(points, rows[unsure], group, best, exact, 2 * count)


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
