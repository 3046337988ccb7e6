"""Laying one face model over the mean face of another, to carry its annotations across.

The source model is fitted to the target surface (similarity and identity coefficients, by
Gauss-Newton on the point-to-plane distance, with a standard normal prior on the coefficients);
what remains is taken up by a displacement field that is smoothed ever less. Points of the source
then name the nearest vertices of the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from tfface.morphable.model import MorphableModel

FACE_RADIUS = 30.0  # mm around the 68 landmarks: what of the source is laid on the target
SAMPLES = 2500  # points of the source that look for a partner
EFFECTIVE_POINTS = 10.0  # residuals of 1 mm are alike over wide areas: this many are independent
NOSE_TIP = 30  # iBUG number, from 0


@dataclass(frozen=True, eq=False)
class Registration:
    """A source model laid over a target mesh.

    Attributes:
        points: `(V_source, 3)` mm: where each vertex of the source lies on the target.
        origin: `(3,)` mm: where the source's model-space origin lies in the target's space.
        scale: Size of the target relative to the source.
        distance: Median distance in mm of the laid source from the target's surface over the face.
        skin: `(N,)` vertices of the target's largest connected piece, where annotations may land.
    """

    points: np.ndarray
    origin: np.ndarray
    scale: float
    distance: float
    skin: np.ndarray


@dataclass(frozen=True, eq=False)
class _Surface:
    """The vertices, unit normals and k-d tree of the skin of a mesh."""

    index: np.ndarray  # (N,) numbers of these vertices in the mesh
    points: np.ndarray  # (N, 3)
    normals: np.ndarray  # (N, 3)
    tree: cKDTree

    def partners(
        self, points: np.ndarray, normals: np.ndarray, reach: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the nearest vertices and whether each is near and faces the same way."""
        distance, nearest = self.tree.query(points)
        agree = np.einsum("ij,ij->i", normals, self.normals[nearest]) > 0.5
        return nearest, agree & (distance < reach)


@dataclass(frozen=True, eq=False)
class _Fit:
    """Similarity and identity coefficients: x = scale * rotation @ (mean + identity @ a) + t."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    coefficients: np.ndarray

    def __call__(self, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
        shape = mean + basis @ self.coefficients
        return self.scale * shape @ self.rotation.T + self.translation


def register(
    source: MorphableModel,
    vertices: np.ndarray,
    triangles: np.ndarray,
    known: Mapping[int, int] | None = None,
) -> Registration:
    """Lays the mean face of `source` over a target mesh.

    Args:
        source: The annotated model.
        vertices: `(V, 3)` the target in mm, x to the subject's left, y up, z out of the face
            (to within 20 degrees); its origin may be anywhere.
        triangles: `(T, 3)` counter-clockwise seen from outside.
        known: iBUG number (from 0) -> vertex of the target, for landmarks that are known.

    Returns:
        The registration. Its quality is in `distance`; 0.2 to 0.6 mm is usual.
    """
    known = dict(known or {})
    target = _skin_surface(vertices, triangles)
    sample = _face_sample(source)
    anchors = source.landmarks[list(known)], vertices[list(known.values())]
    normals = vertex_normals(source.mean, source.triangles)[sample]
    start = _starts(source, target, *anchors)
    rigid = [_improve(source, sample, normals, target, anchors, fit, modes=0) for fit in start]
    best = min(rigid, key=lambda fit: _distance(fit, source, sample, target))
    fit = _improve(source, sample, normals, target, anchors, best, source.identity.shape[-1])
    points = _bend(fit(source.mean, source.identity), source.landmarks[list(known)], anchors[1],
                   sample, normals @ fit.rotation.T, target)  # fmt: skip
    nearest = target.tree.query(points[sample])[1]
    gap = np.einsum("ij,ij->i", target.normals[nearest], points[sample] - target.points[nearest])
    distance = float(np.median(np.abs(gap)))
    return Registration(points, fit.translation, fit.scale, distance, target.index)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Returns `(V, 3)` unit normals, the area-weighted mean of the triangles around."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices, dtype=np.float64)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def largest_piece(vertex_count: int, triangles: np.ndarray) -> np.ndarray:
    """Returns the sorted vertices of the largest connected piece of a mesh: its skin."""
    ends = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(vertex_count, vertex_count))
    label = connected_components(graph, directed=False)[1]
    return np.flatnonzero(label == np.bincount(label).argmax())


def _skin_surface(vertices: np.ndarray, triangles: np.ndarray) -> _Surface:
    index = largest_piece(len(vertices), triangles)
    points = np.asarray(vertices[index], np.float64)
    return _Surface(index, points, vertex_normals(vertices, triangles)[index], cKDTree(points))


def _face_sample(source: MorphableModel) -> np.ndarray:
    """Returns about SAMPLES skin vertices of the source around its landmarks."""
    skin = largest_piece(source.vertex_count, source.triangles)
    near, _ = cKDTree(source.mean[source.landmarks]).query(source.mean[skin])
    face = skin[near < FACE_RADIUS]
    return face[:: max(1, len(face) // SAMPLES)]


def _starts(
    source: MorphableModel, target: _Surface, known: np.ndarray, places: np.ndarray
) -> list[_Fit]:
    """Returns poses to begin from: of the known landmarks, or heads level, lowered and raised
    with the nose tip on the foremost point."""
    none = np.zeros(0)
    if len(known):
        shift = np.mean(places - source.mean[known], axis=0)
        return [_Fit(1.0, np.eye(3), shift, none)]
    x = target.points[:, 0]
    middle = np.flatnonzero(np.abs(x - (x.min() + x.max()) / 2) < 20)
    middle = middle if len(middle) else np.arange(len(x))
    starts = []
    for pitch in (0.0, -20.0, 20.0):
        turn = Rotation.from_euler("x", pitch, degrees=True).as_matrix()
        foremost = middle[(target.points[middle] @ turn[:, 2]).argmax()]
        nose = turn @ source.mean[source.landmarks[NOSE_TIP]]
        starts.append(_Fit(1.0, turn, target.points[foremost] - nose, none))
    return starts


def _distance(fit: _Fit, source: MorphableModel, sample: np.ndarray, target: _Surface) -> float:
    """Returns the mean distance of the nearest 80 % of the sample."""
    modes = len(fit.coefficients)
    distance, _ = target.tree.query(fit(source.mean[sample], source.identity[sample, :, :modes]))
    return float(np.mean(np.sort(distance)[: int(0.8 * len(distance))]))


def _improve(
    source: MorphableModel,
    sample: np.ndarray,
    normals: np.ndarray,
    target: _Surface,
    anchors: tuple[np.ndarray, np.ndarray],
    fit: _Fit,
    modes: int,
) -> _Fit:
    """Gauss-Newton on the point-to-plane distance with ever closer partners."""
    mean = source.mean[sample].astype(np.float64)
    basis = source.identity[sample, :, :modes].astype(np.float64)
    known, places = anchors
    fit = _Fit(fit.scale, fit.rotation, fit.translation, np.zeros(modes))
    for reach in np.geomspace(40.0, 8.0, 12):
        points = fit(mean, basis)
        nearest, usable = target.partners(points, normals @ fit.rotation.T, reach)
        plane, partner = target.normals[nearest][usable], target.points[nearest][usable]
        rows = _jacobian(fit, points[usable], basis[usable], plane)
        residual = np.einsum("ij,ij->i", plane, partner - points[usable])
        weight = EFFECTIVE_POINTS / max(len(rows), 1)
        normal, gradient = weight * rows.T @ rows, weight * rows.T @ residual
        for axis in np.eye(3):  # known landmarks pull in all three directions, sigma 1 mm
            spot = fit(source.mean[known], source.identity[known, :, :modes])
            pull = _jacobian(fit, spot, source.identity[known, :, :modes], axis[None])
            normal += pull.T @ pull
            gradient += pull.T @ ((places - spot) @ axis)
        prior = np.r_[1e2, np.full(6, 1e-6), np.ones(modes)]  # scale: sigma 0.1
        state = np.r_[1.0 - 1.0 / fit.scale, np.zeros(6), fit.coefficients]
        step = np.linalg.solve(normal + np.diag(prior), gradient - prior * state)
        fit = _moved(fit, step)
    return fit


def _jacobian(fit: _Fit, points: np.ndarray, basis: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Returns d(plane . x) by log scale, rotation about t, translation, coefficients."""
    arm = points - fit.translation
    plane = np.broadcast_to(plane, arm.shape)
    turned = np.einsum("ij,ijk->ik", plane @ (fit.scale * fit.rotation), basis)
    along = np.einsum("ij,ij->i", plane, arm)[:, None]
    return np.hstack([along, np.cross(arm, plane), plane, turned])


def _moved(fit: _Fit, step: np.ndarray) -> _Fit:
    turn = Rotation.from_rotvec(step[1:4]).as_matrix()
    return _Fit(
        float(np.clip(fit.scale * np.exp(step[0]), 0.7, 1.4)),
        turn @ fit.rotation,
        fit.translation + step[4:7],
        fit.coefficients + step[7:],
    )


def _bend(
    points: np.ndarray,
    known: np.ndarray,
    places: np.ndarray,
    sample: np.ndarray,
    normals: np.ndarray,
    target: _Surface,
) -> np.ndarray:
    """Adds displacements towards the target's surface, smoothed over 25, 15, then 10 mm."""
    points = points.copy()
    for width in (25.0, 15.0, 10.0):
        nearest, usable = target.partners(points[sample], normals, reach=10.0)
        plane = target.normals[nearest]
        gap = np.einsum("ij,ij->i", plane, target.points[nearest] - points[sample])
        centres = np.concatenate([points[sample][usable], points[known]])
        moves = np.concatenate([(gap[:, None] * plane)[usable], places - points[known]])
        trust = np.r_[np.ones(int(usable.sum())), np.full(len(known), 20.0)]
        if not len(centres):
            break
        distance, near = cKDTree(centres).query(points, k=min(40, len(centres)))
        distance, near = distance.reshape(len(points), -1), near.reshape(len(points), -1)
        weight = trust[near] * np.exp(-0.5 * (distance / width) ** 2)
        total = weight.sum(axis=1, keepdims=True) + 1e-3  # far from the face nothing moves
        points += np.einsum("ij,ijk->ik", weight / total, moves[near])
    return points
