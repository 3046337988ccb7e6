"""How the vertices of a linear face and their normals move with its code, in closed form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfface.rendering.normals import MeshTopology
from tfface.rendering.rotations import cross_product_matrix

_SHORT = (4, 8)  # rings of most vertices; tables are padded to these, and to the longest


@dataclass(frozen=True, eq=False)
class _Rings:
    """The neighbourhoods of n vertices; a vertex itself stands for a missing neighbour.

    Attributes:
        vertices: `(n,)`.
        neighbours, before, after: `(n, R)`, each with those beside it in the ring.
        modes: `[n, 3 (R + 1), K]`: how the spokes move with the code, and then the vertex.
    """

    vertices: np.ndarray
    neighbours: np.ndarray
    before: np.ndarray
    after: np.ndarray
    modes: tf.Tensor


@dataclass(frozen=True, eq=False)
class Spokes:
    """From n vertices to the neighbours u in their rings, `[B, n, R, 3]`: e_u, and e_after(u)
    without e_before(u)."""

    sums: tf.Tensor
    across: tf.Tensor


class NormalModes:
    """Sums of face normals around some vertices, and their derivatives.

    N_v is the sum of e_u x e_after(u) over the neighbours u of v, with spokes e_u = x_u - x_v, so
    that dN_v is the sum of de_u x (e_after(u) - e_before(u)). Vertices with rings of a length are
    kept together.

    Args:
        geometry: `(V, 3, K)` how vertices move with the code.
        topology: Of the mesh.
        vertices: `(N,)` those wanted.
        dtype: Of all tensors.

    Attributes:
        vertices: `(N,)`, in the order of all results.
    """

    def __init__(
        self, geometry: np.ndarray, topology: MeshTopology, vertices: np.ndarray, dtype: tf.DType
    ) -> None:
        rings = topology.one_ring[vertices]
        tables = [_neighbours(v, ring) for v, ring in zip(vertices, rings, strict=True)]
        lengths = np.array([len(table) for table in tables])
        self.groups = []
        for low, high in itertools.pairwise((-1, *_SHORT, rings.shape[1])):
            members = np.flatnonzero((lengths > low) & (lengths <= high))
            if len(members):
                own = vertices[members]
                table = np.broadcast_to(own[:, None, None], (len(own), high, 3)).copy()
                for row, member in zip(table, members, strict=True):
                    row[: lengths[member]] = tables[member]
                neighbours, before, after = np.moveaxis(table, -1, 0)
                spokes = geometry[neighbours] - geometry[own][:, None]
                moved = np.concatenate([spokes, geometry[own][:, None]], axis=1)
                modes = tf.constant(moved.reshape(len(own), -1, geometry.shape[-1]), dtype)
                self.groups.append(_Rings(own, neighbours, before, after, modes))
        self.vertices = np.concatenate([group.vertices for group in self.groups])

    def see(self, vertices: tf.Tensor) -> tuple[tf.Tensor, list[Spokes]]:
        """N_v `[B, N, 3]` of a mesh `[B, V, 3]`, and what `jacobian` wants."""
        spokes = []
        for group in self.groups:
            centre = tf.gather(vertices, group.vertices, axis=1)[:, :, None]
            spoke, before, after = (
                tf.gather(vertices, table, axis=1) - centre
                for table in (group.neighbours, group.before, group.after)
            )
            summed = tf.reduce_sum(tf.linalg.cross(spoke, after), axis=2)
            spokes.append(Spokes(summed, after - before))
        return tf.concat([group.sums for group in spokes], axis=1), spokes

    def jacobian(
        self, by_sum: tf.Tensor, by_vertex: tf.Tensor, spokes: Sequence[Spokes]
    ) -> tf.Tensor:
        """df / d(code) `[B, N, C, K]` of functions f of N_v and x_v.

        Args:
            by_sum, by_vertex: df / dN_v and df / dx_v, `[B, N, C, 3]`.
            spokes: Of the same mesh.
        """
        blocks, start = [], 0
        for group, seen in zip(self.groups, spokes, strict=True):
            end = start + len(group.vertices)
            # de x w = -[w]x de
            by_spoke = -tf.matmul(by_sum[:, start:end, None], cross_product_matrix(seen.across))
            factors = tf.concat([by_spoke, by_vertex[:, start:end, None]], axis=2)
            # [B, n, R + 1, C, 3] -> [n, B C, 3 (R + 1)]: all pictures at once.
            channels, width = factors.shape[3], 3 * factors.shape[2]
            factors = tf.transpose(factors, [1, 0, 3, 2, 4])
            block = tf.matmul(tf.reshape(factors, [end - start, -1, width]), group.modes)
            block = tf.reshape(block, [end - start, -1, channels, block.shape[-1]])
            blocks.append(tf.transpose(block, [1, 0, 2, 3]))
            start = end
        return tf.concat(blocks, axis=1)


def _neighbours(vertex: int, ring: np.ndarray) -> np.ndarray:
    """Neighbours of a vertex with those before and after them in the ring, `(R, 3)`.

    A ring that closes names its first neighbour again at its end.
    """
    ring = np.concatenate([[vertex], ring, [vertex]])
    table = np.stack([ring[1:-1], ring[:-2], ring[2:]], axis=-1)
    table = table[table[:, 0] != vertex]
    if len(table) > 1 and table[0, 0] == table[-1, 0] and (table[:-1, 2] != vertex).all():
        table[0, 1] = table[-1, 1]
        table = table[:-1]
    return table
