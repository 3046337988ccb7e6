"""Vertex normals from the one-ring of triangles.

The sum of face normals at each vertex is a product with a constant sparse matrix, and so is the
gradient; coordinates are kept apart, `(V, B)` each. On a CPU this is several times faster than
segment sums over `(B, T, 3)` and its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

_NO_AREA = 1e-24  # squared length of a summed normal (mm^4) that has no direction
Coordinates = Sequence[tf.Tensor]  # x, y and z


class MeshTopology:
    """What normals need to know about a triangle mesh, precomputed with NumPy.

    Args:
        triangles: `(T, 3)` vertex numbers, counter-clockwise seen from outside.
        vertex_count: V.

    Attributes:
        triangles: `(T, 3)` int32.
        vertex_count: V.

    Raises:
        ValueError: if `triangles` is not `(T, 3)` or names vertices outside of [0, V).
    """

    def __init__(self, triangles: np.ndarray, vertex_count: int) -> None:
        triangles = np.asarray(triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3:
            raise ValueError(f"triangles: expected shape (T, 3), got {triangles.shape}")
        if triangles.size and not (triangles.min() >= 0 and triangles.max() < vertex_count):
            raise ValueError(
                f"triangles: expected vertex numbers in [0, {vertex_count}), "
                f"got {triangles.min()} to {triangles.max()}"
            )
        self.triangles = triangles.astype(np.int32)
        self.vertex_count = int(vertex_count)

    @cached_property
    def corner_order(self) -> np.ndarray:
        """`(3 T,)` int32 corners, numbered `corner * T + triangle`, sorted by their vertex."""
        return np.argsort(self.triangles.T.reshape(-1), kind="stable").astype(np.int32)

    @cached_property
    def one_ring(self) -> np.ndarray:
        """`(V, R)` int32 neighbours r_0, r_1, ... of each vertex v: (v, r_m, r_m+1) are its
        triangles.

        v itself separates several fans and pads the end (those triangles have no area).
        """
        fans: list[list[tuple[int, int]]] = [[] for _ in range(self.vertex_count)]
        for a, b, c in self.triangles.tolist():
            fans[a].append((b, c))
            fans[b].append((c, a))
            fans[c].append((a, b))
        rings = [_chain(vertex, fan) for vertex, fan in enumerate(fans)]
        length = max((len(ring) for ring in rings), default=0)
        padded = [ring + [vertex] * (length - len(ring)) for vertex, ring in enumerate(rings)]
        return np.array(padded, np.int32).reshape(self.vertex_count, length)


def vertex_normals(vertices: tf.Tensor, topology: MeshTopology) -> tf.Tensor:
    """Unit normals: the area-weighted mean of the normals of the triangles around each vertex.

    Args:
        vertices: `[B, V, 3]` positions, float32 or float64.
        topology: of the mesh.

    Returns:
        `[B, V, 3]` unit normals pointing out; zero (with zero gradient) where the triangles around
        a vertex have no area or cancel, and at vertices without triangles.
    """
    vertices = tf.convert_to_tensor(vertices)
    points = tf.unstack(tf.transpose(vertices, [2, 1, 0]))  # three of (V, B)
    normals = tf.stack(_normalize(_summed_face_normals(topology)(*points)))
    return tf.ensure_shape(tf.transpose(normals, [2, 1, 0]), vertices.shape)


def vertex_normals_at(
    vertices: tf.Tensor, indices: tf.Tensor | np.ndarray, topology: MeshTopology
) -> tf.Tensor:
    """`vertex_normals` of some vertices only, at a cost that grows with their number.

    Args:
        vertices: `[B, V, 3]` positions of all vertices, float32 or float64.
        indices: `[N]` vertex numbers.
        topology: of the mesh.

    Returns:
        `[B, N, 3]` unit normals, or zero as in `vertex_normals`.
    """
    needed, places = _neighbourhood(indices, topology)
    points = tf.unstack(tf.transpose(tf.gather(vertices, needed, axis=1), [2, 1, 0]))
    local = [tf.gather(axis, places) for axis in points]  # three of (N, 1 + R, B)
    edges = [axis[:, 1:] - axis[:, :1] for axis in local]
    crosses = _cross([edge[:, :-1] for edge in edges], [edge[:, 1:] for edge in edges])
    normals = tf.stack(_normalize([tf.reduce_sum(axis, axis=1) for axis in crosses]))
    return tf.transpose(normals, [2, 1, 0])


def _neighbourhood(
    indices: tf.Tensor | np.ndarray, topology: MeshTopology
) -> tuple[tf.Tensor | np.ndarray, tf.Tensor | np.ndarray]:
    """The `(U,)` vertices that the normals of some depend on, and `(N, 1 + R)` places in them."""
    if isinstance(indices, np.ndarray):  # known beforehand: keep the tables out of the graph
        rings = topology.one_ring[indices]
        used = np.flatnonzero((rings != indices[:, None]).any(axis=0))
        involved = np.concatenate([indices[:, None], rings[:, : used.max(initial=-1) + 1]], axis=1)
        needed, places = np.unique(involved, return_inverse=True)
        return needed, places.reshape(involved.shape)
    rings = tf.gather(topology.one_ring, indices)
    used = tf.reduce_any(rings != indices[:, None], axis=0)  # few vertices have a long ring
    rings = rings[:, : tf.reduce_max(tf.where(used, tf.range(1, tf.size(used) + 1), 0))]
    involved = tf.concat([indices[:, None], rings], axis=1)
    needed, places = tf.unique(tf.reshape(involved, [-1]))
    return needed, tf.reshape(places, tf.shape(involved))


def _summed_face_normals(topology: MeshTopology) -> Callable[..., Coordinates]:
    """The map from vertices x, y, z `(V, B)` to the sums of the area normals around them."""
    corner_ids = [tf.constant(topology.triangles[:, corner]) for corner in range(3)]

    @tf.custom_gradient
    def summed(*points: tf.Tensor) -> tuple[Coordinates, Callable[..., Coordinates]]:
        a, b, c = ([tf.gather(axis, ids) for axis in points] for ids in corner_ids)
        edges = [_subtract(c, b), _subtract(a, c), _subtract(b, a)]  # each opposite its corner

        def gradient(*upstream: tf.Tensor) -> Coordinates:
            # d(n . g) / d(corner) = g x (opposite edge), g summed over the corners of the face.
            g = [tf.add_n([tf.gather(axis, ids) for ids in corner_ids]) for axis in upstream]
            by_corner = [tf.concat(_cross(g, edge), axis=-1) for edge in edges]
            return _sum_at_vertices(tf.concat(by_corner, axis=0), topology)

        face_normals = tf.concat(_cross(edges[1], edges[2]), axis=-1)  # (T, 3 B)
        return _sum_at_vertices(face_normals, topology), gradient

    return summed


def _sum_at_vertices(values: tf.Tensor, topology: MeshTopology) -> Coordinates:
    """Sums `(T, 3 B)` values of triangles, or `(3 T, 3 B)` of corners, at each vertex: `(V, B)`."""
    order = topology.corner_order
    rows = topology.triangles.T.reshape(-1)[order]
    columns = order % values.shape[0]  # a value of a triangle counts at its three corners
    # Two int32 tables take half the room of one of pairs in int64, in every graph.
    pairs = tf.stack([tf.constant(table.astype(np.int32)) for table in (rows, columns)], axis=-1)
    matrix = tf.SparseTensor(
        tf.cast(pairs, tf.int64),
        tf.ones([len(rows)], values.dtype),
        (topology.vertex_count, values.shape[0]),
    )
    return tf.split(tf.sparse.sparse_dense_matmul(matrix, values), 3, axis=-1)


def _subtract(a: Coordinates, b: Coordinates) -> Coordinates:
    return [first - second for first, second in zip(a, b, strict=True)]


def _cross(a: Coordinates, b: Coordinates) -> Coordinates:
    (ax, ay, az), (bx, by, bz) = a, b
    return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]


def _normalize(vectors: Coordinates) -> Coordinates:
    """Unit vectors; zero, with zero gradient, where there is no direction."""
    squared = tf.add_n([axis * axis for axis in vectors])
    degenerate = squared < _NO_AREA
    scale = tf.math.rsqrt(tf.where(degenerate, tf.ones_like(squared), squared))
    scale = tf.where(degenerate, tf.zeros_like(scale), scale)
    return [axis * scale for axis in vectors]


def _chain(vertex: int, edges: list[tuple[int, int]]) -> list[int]:
    """Joins directed edges (b, c) into paths b, c, d, ...; `vertex` separates several paths."""
    following: dict[int, list[int]] = {}
    for start, end in edges:
        following.setdefault(start, []).append(end)
    ends = {end for _, end in edges}
    path: list[int] = []
    while following:
        here = next((start for start in following if start not in ends), next(iter(following)))
        path += [vertex, here] if path else [here]
        while here in following:
            remaining = following[here]
            end = remaining.pop()
            if not remaining:
                del following[here]
            path.append(end)
            here = end
    return path
