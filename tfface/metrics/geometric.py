"""Errors of the reconstructed surface, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from tfface.metrics.closest_points import MeshDistance

RIGID_LANDMARKS = (36, 39, 42, 45, 33, 48, 54)  # eye corners, nose base, mouth corners
NOSE_TIP = 30
NOSE_RADIUS = 95.0  # mm, Genova's choice
_TOGETHER = 64  # points that are looked up together


@dataclass(frozen=True, eq=False)
class Similarity:
    """The map x -> scale * rotation @ x + translation.

    Attributes:
        scale: Positive.
        rotation: `(3, 3)`.
        translation: `(3,)`.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Returns the images of `(..., 3)` points."""
        return self.scale * points @ self.rotation.T + self.translation

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Returns the `(..., 3)` points whose images are given."""
        return (points - self.translation) @ self.rotation / self.scale


@dataclass(frozen=True, eq=False)
class ScanToMesh:
    """What `scan_to_mesh` measured (N scan points near the nose).

    Attributes:
        distances: `(N,)` mm from each scan point to the aligned mesh.
        used: `(P,)` bool, the scan points that were measured.
        alignment: Takes the mesh to the scan.
    """

    distances: np.ndarray
    used: np.ndarray
    alignment: Similarity

    @property
    def mean(self) -> float:
        return float(self.distances.mean())

    @property
    def median(self) -> float:
        return float(np.median(self.distances))


def fit_similarity(source: np.ndarray, target: np.ndarray) -> Similarity:
    """Least-squares similarity that takes source points to target points (Umeyama 1991).

    Args:
        source: `(N, 3)`, at least three points that are not on one line.
        target: `(N, 3)`, corresponding.

    Raises:
        ValueError: if the shapes differ or the points do not span a plane.
    """
    source, target = _pair(source, target)
    centred, goal = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(goal.T @ centred)
    if len(source) < 3 or singular[1] <= 1e-12 * max(singular[0], 1e-300):
        raise ValueError("source: expected three or more points that are not on one line")
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (centred**2).sum())
    return Similarity(scale, rotation, target.mean(0) - scale * rotation @ source.mean(0))


def per_vertex_error(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Point-to-point distances after removing translation and isotropic scale.

    Protocol (MoFA, section 8): both meshes have one topology and include the rotation, that is
    `R @ vertices`; the estimate is moved and scaled in the least-squares sense onto the truth,
    and not rotated. The mean of the result is the paper's geometric error.

    Args:
        estimate: `(V, 3)` posed vertices.
        truth: `(V, 3)` posed vertices, mm.

    Returns:
        `(V,)` mm.

    Raises:
        ValueError: if the shapes differ or the estimate is a single point.
    """
    estimate, truth = _pair(estimate, truth)
    centred, goal = estimate - estimate.mean(0), truth - truth.mean(0)
    spread = (centred**2).sum()
    if spread <= 0:
        raise ValueError("estimate: expected more than one point")
    scale = max((centred * goal).sum() / spread, 0.0)  # a mirrored shape is no fit
    return np.linalg.norm(scale * centred - goal, axis=-1)


def hausdorff_distance(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> float:
    """The largest distance from one mesh to the other, in the units of the vertices.

    Protocol: the larger of two numbers, the greatest distance of a vertex of either mesh from the
    surface of the other; nothing is aligned. Vertices outside all triangles do not count.

    Args:
        first: Vertices `(V, 3)` and triangles `(T, 3)`.
        second: As well.

    Raises:
        ValueError: if a mesh has no triangle.
    """
    meshes = [MeshDistance(*mesh) for mesh in (first, second)]
    farthest = 0.0
    for (vertices, triangles), mesh in zip((second, first), meshes, strict=True):
        points = np.asarray(vertices)[np.unique(triangles)]
        # The few nearest triangles bound each distance; only what may be the largest is looked up.
        bounds = mesh.query(points, exact=False, proposals=2).distances
        for part in np.array_split(np.argsort(-bounds), -(-len(points) // _TOGETHER)):
            if bounds[part[0]] <= farthest:
                break
            farthest = max(farthest, mesh.query(points[part]).distances.max())
    return float(farthest)


def scan_to_mesh(
    scan: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    *,
    nose_tip: np.ndarray,
    initial: Similarity,
    radius: float = NOSE_RADIUS,
    iterations: int = 40,
) -> ScanToMesh:
    """Distances from a true surface to a reconstruction, scale solved.

    Protocol: of the scan, the points within `radius` of its nose tip count. The mesh starts from
    `initial`, usually `fit_similarity` of the seven `RIGID_LANDMARKS`, and a similarity is then
    found that minimises the squared distances from the scan points to the closest points of the
    mesh (iterated closest points, damped Gauss-Newton steps). The last distances are exact.

    Args:
        scan: `(P, 3)` points of the true surface, mm.
        vertices: `(V, 3)` reconstruction, in any unit and position.
        triangles: `(T, 3)`.
        nose_tip: `(3,)` of the scan.
        initial: A first alignment of the mesh to the scan.
        radius: mm.
        iterations: At most so many steps.

    Raises:
        ValueError: if no scan point is near the nose tip.
    """
    scan = np.asarray(scan, np.float64)
    used = np.linalg.norm(scan - np.asarray(nose_tip), axis=-1) <= radius
    if not used.any():
        raise ValueError(f"scan: expected points within {radius} mm of the nose tip, got none")
    points = scan[used]
    surface = MeshDistance(vertices, triangles)
    alignment = _align(points, surface, initial, iterations)
    closest = surface.query(alignment.inverse(points))
    return ScanToMesh(alignment.scale * closest.distances, used, alignment)


def _align(
    points: np.ndarray, surface: MeshDistance, alignment: Similarity, iterations: int
) -> Similarity:
    """Levenberg-Marquardt on the distances of points to the moving surface."""
    damping = 1e-4
    state = _residuals(points, surface, alignment)
    for _ in range(iterations):
        centre = state.closest.mean(0)
        arm = state.closest - centre
        # A step (rotation w, translation d, log scale k) moves a closest point by
        # w x arm + d + k arm, and shortens its distance by the part along `direction`.
        jacobian = np.concatenate(
            [np.cross(arm, state.direction), state.direction, _dot(arm, state.direction)], axis=1
        )
        normal = jacobian.T @ jacobian
        scaled = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(7)
        step = np.linalg.solve(scaled, jacobian.T @ state.distance)
        turn = Rotation.from_rotvec(step[:3]).as_matrix()
        scale = float(np.exp(np.clip(step[6], -1, 1)))  # a plane tells nothing of its size
        trial = Similarity(
            scale * alignment.scale,
            turn @ alignment.rotation,
            scale * turn @ (alignment.translation - centre) + centre + step[3:6],
        )
        trial_state = _residuals(points, surface, trial)
        if trial_state.cost < state.cost:
            gain = 1 - trial_state.cost / state.cost
            alignment, state = trial, trial_state
            damping = max(damping / 10, 1e-9)
            if gain < 1e-7:
                break
        elif damping > 1e3:
            break
        else:
            damping *= 10
    return alignment


class _Residuals(NamedTuple):
    direction: np.ndarray  # (N, 3) from the surface to the point, unit length
    distance: np.ndarray  # (N,)
    closest: np.ndarray  # (N, 3)
    cost: float


def _residuals(points: np.ndarray, surface: MeshDistance, alignment: Similarity) -> _Residuals:
    found = surface.query(alignment.inverse(points), exact=False)
    closest = alignment.apply(found.points)
    away = points - closest
    distance = np.linalg.norm(away, axis=-1)
    # A point on the surface has no direction of its own: take the triangle's normal.
    corners = surface.corners[found.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-300)
    on_surface = distance < 1e-6
    direction = away / np.where(on_surface, 1.0, distance)[:, None]
    direction[on_surface] = (normals @ alignment.rotation.T)[on_surface]
    return _Residuals(direction, distance, closest, float((distance**2).mean()))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1, keepdims=True)


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 2 or first.shape[1] != 3:
        raise ValueError(
            f"points: expected two arrays of one shape (N, 3), got {first.shape} and {second.shape}"
        )
    return first, second
