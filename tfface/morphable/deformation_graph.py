"""The deformation graph of FML: a few nodes that move a face's mesh (Tewari et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import trimesh
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from tfface.morphable.model import MorphableModel

NODES = 521
INFLUENCES = 8  # nodes that move a vertex
MOUTH_OPENING = 5.0  # mm, where lips are to be told apart
_UPPER_LIP, _LOWER_LIP = [61, 62, 63], [67, 66, 65]  # landmarks of the inner lips


class NodeCountError(ValueError):
    """A number of nodes that a mesh cannot have; the message is one line."""


@dataclass(frozen=True, eq=False)
class DeformationGraph:
    """Nodes on a mesh, and how they move its vertices: v = mean + skinning @ displacements.

    Attributes:
        nodes: `(G,)` int32, the vertices that the nodes are.
        skinning: sparse `(V, G)` S of eq. (2), the same for x, y and z; rows sum to one.
    """

    nodes: np.ndarray
    skinning: sparse.csr_matrix

    @property
    def neighbours(self) -> np.ndarray:
        """`(E, 2)` int32: each pair of nodes, once, that move a vertex in common."""
        shared = sparse.triu(self.skinning.T @ self.skinning, k=1)
        return np.stack(shared.nonzero(), axis=-1).astype(np.int32)

    def to_nodes(self, basis: np.ndarray) -> np.ndarray:
        """Displacements of vertices `(V, 3, K)` -> of nodes `(G, 3, K)`, by least squares."""
        columns = np.asarray(basis, np.float64).reshape(len(basis), -1)
        normal = (self.skinning.T @ self.skinning).toarray()
        found = np.linalg.solve(normal, self.skinning.T @ columns)
        return found.reshape(len(self.nodes), *basis.shape[1:])


def deformation_graph(model: MorphableModel, nodes: int = NODES) -> DeformationGraph:
    """Builds the graph of a face model by decimating its mean (section 3.2).

    The mouth is open a little for it, so that no node joins the lips, and distances are measured
    along the mesh. A vertex follows its `INFLUENCES` nearest nodes, the nearer the more (embedded
    deformation, Sumner et al. 2007). Parts of the mesh that are not joined to the face, as eyeballs
    and teeth, follow the face's nodes nearest in space.

    Args:
        model: The face model.
        nodes: About how many.

    Raises:
        NodeCountError: `nodes` is not between `INFLUENCES` + 1 and the number of the face's
            vertices.
    """
    points = with_open_mouth(model.mean, model.expression, model.landmarks)
    edges = trimesh.Trimesh(points, model.triangles, process=False).edges_unique
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=-1)
    shape = (model.vertex_count,) * 2
    mesh = sparse.csr_matrix((np.maximum(lengths, 1e-6), (edges[:, 0], edges[:, 1])), shape)
    labels = connected_components(mesh, directed=False)[1]
    face = labels == np.bincount(labels[model.landmarks]).argmax()
    if not INFLUENCES < nodes <= face.sum():
        raise NodeCountError(
            f"nodes: expected from {INFLUENCES + 1} to {face.sum()} (the face's vertices), "
            f"got {nodes}"
        )
    chosen = _decimate(points, model.triangles, face, nodes).astype(np.int32)
    distances = dijkstra(mesh, directed=False, indices=chosen).T  # (V, G)
    apart = ~np.isfinite(distances).any(axis=1)
    offsets = points[apart, None] - points[chosen]
    distances[apart] = np.linalg.norm(offsets, axis=-1)
    return DeformationGraph(chosen, _skinning(distances))


def with_open_mouth(mean: np.ndarray, expression: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """A face whose lips are moved `MOUTH_OPENING` apart by the expression modes, if these can.

    Args:
        mean: `(V, 3)` mm.
        expression: `(V, 3, K)` mm.
        landmarks: `(68,)` vertices.
    """
    lips = landmarks[[*_UPPER_LIP, *_LOWER_LIP]]
    rows = expression[lips, 1]  # (6, K): heights
    opening = rows[:3] - rows[3:]
    # A little of every mode rather than much of a few.
    system = opening @ opening.T + 1e-2 * np.eye(3)
    coefficients = opening.T @ np.linalg.solve(system, np.full(3, MOUTH_OPENING))
    return mean + expression @ coefficients


def orthonormal_columns(basis: np.ndarray) -> np.ndarray:
    """`(G, 3, K)` -> `(3 G, K')` float64 orthonormal columns of the same span; K' is its rank."""
    flat = np.asarray(basis, np.float64).reshape(3 * len(basis), basis.shape[-1])
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    return left[:, sizes > 1e-6 * sizes.max(initial=0.0)]


def _decimate(
    points: np.ndarray, triangles: np.ndarray, part: np.ndarray, count: int
) -> np.ndarray:
    """Vertices nearest to those that are left of a part of a mesh, about `count`."""
    numbers = np.flatnonzero(part)
    local = np.full(len(points), -1)
    local[numbers] = np.arange(len(numbers))
    kept = triangles[part[triangles].all(axis=1)]
    mesh = trimesh.Trimesh(points[numbers], local[kept], process=False)
    small = mesh.simplify_quadric_decimation(face_count=round(len(kept) * count / len(numbers)))
    nearest = cKDTree(points[numbers]).query(small.vertices)[1]
    return numbers[np.unique(nearest)]


def _skinning(distances: np.ndarray) -> sparse.csr_matrix:
    """Weights `(V, G)` of the nearest nodes: (1 - d / d_next)^2, made to sum to one."""
    order = np.argpartition(distances, INFLUENCES, axis=1)[:, : INFLUENCES + 1]
    near = np.take_along_axis(distances, order, axis=1)
    limit = near.max(axis=1, keepdims=True)
    weights = (1.0 - near / limit) ** 2  # that of the farthest is zero
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(distances)), INFLUENCES + 1)
    entries = (weights.ravel(), (rows, order.ravel()))
    matrix = sparse.csr_matrix(entries, shape=distances.shape)
    matrix.eliminate_zeros()
    return matrix
