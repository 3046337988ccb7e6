"""Points as weighted sums of other points, by a sparse matrix that a layer stores as weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import scipy.sparse as sparse
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class SparseMap(GeometryLayer):
    """Points `[B, M, 3]` -> `[B, N, 3]`, each a weighted sum: matrix @ points.

    Subdivision and the skinning of a deformation graph, S of FML's eq. (2), are such maps.

    Args:
        matrix: `(N, M)`; None when a saved layer is restored, from `sizes`.
        sizes: What `get_config` stored: N, M and the number of entries.
    """

    def __init__(
        self,
        matrix: sparse.spmatrix | None = None,
        sizes: dict[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (matrix is None) == (sizes is None):
            raise ValueError(
                f"matrix, sizes: expected one of them, got {'both' if sizes else 'neither'}"
            )
        if matrix is not None:
            sizes = {"outputs": matrix.shape[0], "inputs": matrix.shape[1], "entries": matrix.nnz}
        self.sizes = dict(sizes or {})
        entries = self.sizes["entries"]
        options = {"initializer": "zeros", "trainable": False, "autocast": False}
        self.indices = self.add_weight(name="indices", shape=(entries, 2), dtype="int32", **options)
        self.values = self.add_weight(name="values", shape=(entries,), **options)
        self.built = True
        if matrix is not None:
            self.assign(matrix)

    def assign(self, matrix: sparse.spmatrix) -> None:
        """Takes the entries of a matrix `(N, M)` of as many entries."""
        found = matrix.tocoo()
        order = np.lexsort((found.col, found.row))  # row by row, as sparse tensors want it
        self.indices.assign(np.stack([found.row, found.col], -1)[order])
        self.values.assign(found.data[order])

    def call(self, points: tf.Tensor) -> tf.Tensor:
        count, size = self.sizes["outputs"], self.sizes["inputs"]
        indices = tf.cast(self.indices, tf.int64)
        matrix = tf.SparseTensor(indices, tf.convert_to_tensor(self.values), (count, size))
        columns = tf.reshape(tf.transpose(points, [1, 0, 2]), [size, -1])
        mapped = tf.sparse.sparse_dense_matmul(matrix, columns)
        return tf.transpose(tf.reshape(mapped, [count, -1, 3]), [1, 0, 2])

    def compute_output_shape(self, points_shape: Shape) -> Shape:
        return (points_shape[0], self.sizes["outputs"], 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}
