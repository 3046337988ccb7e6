"""Catmull-Clark subdivision of a quad mesh as one sparse matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse


def catmull_clark(quads: np.ndarray, vertex_count: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Returns one Catmull-Clark step as a matrix, which therefore commutes with linear bases.

    Catmull and Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes",
    1978; border edges and their vertices follow the cubic B-spline of the border.

    Args:
        quads: (Q, 4) int vertex indices, V > every index.
        vertex_count: V.

    Returns:
        matrix: (V + E + Q, V) sparse rows of affine weights: first the moved vertices in their old
            order, then one point per edge, then one per quad.
        fine_quads: (4 Q, 4) int32, oriented as `quads`.

    Raises:
        ValueError: `quads` is not (Q, 4), has an index outside [0, V) or an edge of three quads.
    """
    quads = np.asarray(quads)
    if quads.ndim != 2 or quads.shape[1] != 4:
        raise ValueError(f"quads: expected shape (Q, 4), got {quads.shape}")
    if quads.size and not 0 <= quads.min() <= quads.max() < vertex_count:
        raise ValueError(
            f"quads: expected indices in [0, {vertex_count}), got {quads.min()} to {quads.max()}"
        )
    edges, edge_of_side, uses = _edges(quads)
    if (uses > 2).any():
        raise ValueError(f"quads: expected edges of one or two quads, got one of {uses.max()}")
    face_points = (
        _incidence(np.repeat(np.arange(len(quads)), 4), quads.ravel(), len(quads), vertex_count)
        / 4.0
    )
    middles = (
        _incidence(np.repeat(np.arange(len(edges)), 2), edges.ravel(), len(edges), vertex_count)
        / 2.0
    )
    edge_faces = _incidence(
        edge_of_side.ravel(), np.repeat(np.arange(len(quads)), 4), len(edges), len(quads)
    )
    border = uses == 1
    # Inner edge: mean of its ends and the two face points; border edge: its middle.
    inner = sparse.diags((~border).astype(float))
    edge_points = sparse.diags(border.astype(float)) @ middles + inner @ (
        0.5 * middles + 0.25 * edge_faces @ face_points
    )
    vertex_points = _vertex_points(edges, border, middles, face_points, quads, vertex_count)
    matrix = sparse.vstack([vertex_points, edge_points, face_points]).tocsr()
    matrix.eliminate_zeros()
    return matrix, _fine_quads(quads, edge_of_side, vertex_count, len(edges))


def triangulate(quads: np.ndarray, symmetry: np.ndarray) -> np.ndarray:
    """Returns the quads cut into triangles (2 Q, 3) int32, mirrored quads along mirrored diagonals.

    Args:
        quads: (Q, 4) vertex indices.
        symmetry: (V,) the mirrored vertex of each vertex.
    """
    quads = np.asarray(quads)
    # Cut from the corner that is first in an order which mirrored corners share.
    first = np.minimum(quads, symmetry[quads]).argmin(axis=1)
    turned = np.take_along_axis(quads, (first[:, None] + np.arange(4)) % 4, axis=1)
    return (
        np.stack([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]], axis=1)
        .reshape(-1, 3)
        .astype(np.int32)
    )


def _edges(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the edges (E, 2), the edge of each quad's side (Q, 4) and each edge's quad count."""
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, inverse, uses = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    return edges, inverse.reshape(-1, 4), uses


def _incidence(rows: np.ndarray, columns: np.ndarray, height: int, width: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(height, width))


def _vertex_points(
    edges: np.ndarray,
    border: np.ndarray,
    middles: sparse.csr_matrix,
    face_points: sparse.csr_matrix,
    quads: np.ndarray,
    vertex_count: int,
) -> sparse.csr_matrix:
    """Inner vertex of valence n: (F + 2 M + (n - 3) P) / n; border vertex: P/2 + M/2."""
    at_edges = _incidence(
        edges.ravel(), np.repeat(np.arange(len(edges)), 2), vertex_count, len(edges)
    )
    at_faces = _incidence(
        quads.ravel(), np.repeat(np.arange(len(quads)), 4), vertex_count, len(quads)
    )
    edge_count = np.asarray(at_edges.sum(1)).ravel()
    face_count = np.asarray(at_faces.sum(1)).ravel()
    at_border = at_edges @ sparse.diags(border.astype(float))
    border_count = np.asarray(at_border.sum(1)).ravel()
    inner = (border_count == 0) & (edge_count > 0)
    smooth_border = border_count == 2
    n = np.maximum(edge_count, 1)
    face_mean = sparse.diags(inner / np.maximum(face_count, 1) / n) @ at_faces @ face_points
    edge_mean = sparse.diags(2 * inner / n / n) @ at_edges @ middles
    border_mean = sparse.diags(smooth_border / 4.0) @ at_border @ middles
    # A vertex without quads, or where two borders meet, stays.
    own = np.where(inner, (n - 3) / n, np.where(smooth_border, 0.5, 1.0))
    return (face_mean + edge_mean + border_mean + sparse.diags(own)).tocsr()


def _fine_quads(
    quads: np.ndarray, edge_of_side: np.ndarray, vertex_count: int, edge_count: int
) -> np.ndarray:
    centre = vertex_count + edge_count + np.arange(len(quads))
    after = vertex_count + edge_of_side  # side i runs from corner i to corner i + 1
    before = np.roll(after, 1, axis=1)
    corners = [
        np.stack([quads[:, i], after[:, i], centre, before[:, i]], axis=-1) for i in range(4)
    ]
    return np.stack(corners, axis=1).reshape(-1, 4).astype(np.int32)
