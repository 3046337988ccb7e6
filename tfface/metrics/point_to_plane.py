"""The geometric error of Genova et al. 2018 (section 4.2), of surfaces without correspondence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfface.metrics.closest_points import MeshDistance
from tfface.metrics.geometric import NOSE_RADIUS, Similarity, scan_to_mesh

Mesh = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class PointToPlane:
    """Distances in mm, of points whose counterparts lie within the other surface.

    Attributes:
        from_scan: `(N,)` from vertices of the cropped scan to the planes of the mesh.
        from_mesh: `(M,)` from vertices of the aligned mesh to those of the scan.
        alignment: Takes the mesh to the scan.
    """

    from_scan: np.ndarray
    from_mesh: np.ndarray
    alignment: Similarity

    @property
    def mean(self) -> float:
        """Both directions count alike; NaN where the surfaces have nothing in common."""
        if not (self.from_scan.size and self.from_mesh.size):
            return np.nan
        return float((self.from_scan.mean() + self.from_mesh.mean()) / 2)


def symmetric_point_to_plane(
    scan: Mesh,
    mesh: Mesh,
    *,
    nose_tip: np.ndarray,
    initial: Similarity,
    radius: float = NOSE_RADIUS,
    part: np.ndarray | None = None,
) -> PointToPlane:
    """Symmetric point-to-plane distances after iterated closest points with isotropic scale.

    Protocol: the scan is cropped to `radius` around the tip of its nose; the mesh is aligned to
    what is left by rotation, translation and one scale (see `scan_to_mesh`). Of the aligned mesh
    only `part` counts. A vertex of either surface counts if its closest point on the other does not
    lie on a border there, which is the region that both have in common; its distance is that to the
    plane of the triangle there.

    Args:
        scan: True surface, vertices `(P, 3)` mm and triangles `(S, 3)`.
        mesh: Reconstruction, vertices `(V, 3)` and triangles `(T, 3)`.
        nose_tip: `(3,)` of the scan.
        initial: A first alignment of the mesh to the scan.
        radius: mm.
        part: `(V,)` bool, vertices of the mesh that have counterparts in a scan, as those of the
            inside of the mouth have none; all if None.

    Raises:
        ValueError: if no triangle of the scan is near the nose tip, or `part` is not `(V,)`.
    """
    points, triangles = np.asarray(scan[0], np.float64), np.asarray(scan[1])
    near = np.linalg.norm(points - np.asarray(nose_tip), axis=-1) <= radius
    cropped = points, triangles[near[triangles].all(axis=1)]
    used = np.unique(cropped[1])
    alignment = scan_to_mesh(
        points[used], *mesh, nose_tip=nose_tip, initial=initial, radius=np.inf
    ).alignment
    moved, faces = alignment.apply(np.asarray(mesh[0], np.float64)), np.asarray(mesh[1])
    if part is not None:
        if np.shape(part) != (len(moved),):
            raise ValueError(f"part: expected shape ({len(moved)},), got {np.shape(part)}")
        faces = faces[part[faces].all(axis=1)]
    return PointToPlane(
        _distances(points[used], (moved, faces)),
        _distances(moved[np.unique(faces)], cropped),
        alignment,
    )


def _distances(points: np.ndarray, mesh: Mesh) -> np.ndarray:
    """To the planes of the closest triangles, of points that do not fall beside the mesh."""
    surface = MeshDistance(*mesh)
    closest = surface.query(points)
    corners = surface.corners[closest.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=-1)
    apart = np.abs(((points - closest.points) * normals).sum(axis=-1)) / np.maximum(length, 1e-300)
    beside = _on_border(mesh[1])[closest.triangles]
    return apart[~beside & (length > 0)]


def _on_border(triangles: np.ndarray) -> np.ndarray:
    """Which triangles touch the border, where an edge has but one triangle, `(T,)`."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1).reshape(-1, 2)
    found, count = np.unique(edges, axis=0, return_counts=True)
    return np.any(np.isin(triangles, found[count == 1]), axis=1)
