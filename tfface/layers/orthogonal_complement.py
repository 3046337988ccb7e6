"""The orthogonal complement layer of FML: identity without expression."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.layers.geometry_layer import GeometryLayer

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class OrthogonalComplement(GeometryLayer):
    """Projects the columns of a matrix `[N, G]` onto the complement of a subspace: eq. (4), (5).

    The subspace's basis B_G is orthonormal here, so that (B_G^T B_G)^-1 of eq. (5) is the identity.

    Args:
        basis: `(N, K)` orthonormal columns; None when a saved layer is restored, from `shape`.
        shape: N and K.

    Raises:
        ValueError: the columns are not orthonormal.
    """

    def __init__(
        self,
        basis: ArrayLike | None = None,
        shape: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (basis is None) == (shape is None):
            raise ValueError(
                f"basis, shape: expected one of them, got {'both' if shape else 'neither'}"
            )
        if basis is not None:
            basis = np.asarray(basis, np.float64)
            shape = basis.shape
            error = np.abs(basis.T @ basis - np.eye(basis.shape[1])).max(initial=0.0)
            if error > 1e-5:
                raise ValueError(
                    f"basis: expected orthonormal columns, got an error of {error:.2g}"
                )
        self.basis = self.add_weight(
            name="basis", shape=shape, initializer="zeros", trainable=False
        )
        if basis is not None:
            self.basis.assign(basis)
        self.built = True

    def call(self, matrix: tf.Tensor) -> tf.Tensor:
        # In double precision: single would leave a millionth of the matrix, TF32 much more.
        basis, wide = tf.cast(self.basis, tf.float64), tf.cast(matrix, tf.float64)
        # The second time takes away what the rounding of the basis has left.
        for _ in range(2):
            wide -= tf.matmul(basis, tf.matmul(basis, wide, transpose_a=True))
        return tf.cast(wide, matrix.dtype)

    def compute_output_shape(self, matrix_shape: Shape) -> Shape:
        return matrix_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": tuple(self.basis.shape)}
