"""The linear face model: eq. (2) and (3) of high-fidelity MoFA."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.layers.sparse_map import SparseMap
from tfface.morphable.model import MorphableModel

Shape = tuple[int | None, ...]


class FaceModelLayer(GeometryLayer):
    """What a fixed and a learned face model share: coefficients -> shape and reflectance.

    Attributes:
        vertex_count: V.
    """

    vertex_count: int

    def call(
        self,
        identity: tf.Tensor,
        expression: tf.Tensor,
        albedo: tf.Tensor,
        indices: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Coefficients `[B, K]` in sigmas -> `vertices` (mm) and `colours`, both `[B, V, 3]`.

        Args:
            indices: `[N]` vertices to return; None returns all.
        """
        return self.vertices(identity, expression, indices), self.albedo_colours(albedo, indices)

    def vertices(
        self, identity: tf.Tensor, expression: tf.Tensor, indices: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Coefficients `[B, K]` -> `[B, V, 3]` in model space, mm; arguments as of `call`."""
        raise NotImplementedError

    def albedo_colours(self, albedo: tf.Tensor, indices: tf.Tensor | None = None) -> tf.Tensor:
        """Coefficients `[B, K]` -> `[B, V, 3]` reflectance, not clipped; likewise."""
        raise NotImplementedError

    def compute_output_shape(
        self,
        identity_shape: Shape,
        expression_shape: Shape,
        albedo_shape: Shape,
        indices_shape: Shape | None = None,
    ) -> tuple[Shape, Shape]:
        count = self.vertex_count if indices_shape is None else indices_shape[0]
        return (identity_shape[0], count, 3), (identity_shape[0], count, 3)


@keras.saving.register_keras_serializable(package="tfface")
class LinearFaceModel(FaceModelLayer):
    """Shape V = A_s + E_s alpha + E_e delta and reflectance R = A_r + E_r beta.

    The bases are weights that are not trained, stored in half precision (a basis is a few
    millimetres, so that this costs a few micrometres) and computed with in single precision.
    A model with a control mesh is evaluated there and then subdivided.

    Args:
        model: The face model; None when a saved layer is restored, from `sizes`.
        sizes: What `get_config` stored: numbers of vertices, cage vertices, modes and entries of
            the subdivision matrix (0 without one).
    """

    def __init__(
        self,
        model: MorphableModel | None = None,
        sizes: dict[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", trainable=False, **kwargs)
        if (model is None) == (sizes is None):
            raise ValueError(
                f"model, sizes: expected one of them, got {'both' if sizes else 'neither'}"
            )
        self.sizes = dict(sizes) if model is None else _sizes(model)  # type: ignore[arg-type]
        count, cage = self.sizes["vertices"], self.sizes["cage"]
        self.vertex_count = count
        shape_modes = self.sizes["identity"] + self.sizes["expression"]

        def weight(name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
            options = {"initializer": "zeros", "trainable": False, "autocast": False}
            return self.add_weight(name=name, shape=shape, dtype=dtype, **options)

        self.mean = weight("mean", (cage * 3,), "float32")
        self.shape_basis = weight("shape_basis", (shape_modes, cage * 3), "float16")
        self.albedo_mean = weight("albedo_mean", (count, 3), "float32")
        self.albedo_basis = weight("albedo_basis", (count, 3 * self.sizes["albedo"]), "float16")
        entries = self.sizes["entries"]
        matrix = {"outputs": count, "inputs": cage, "entries": entries}
        self.subdivision = SparseMap(sizes=matrix) if entries else None
        if model is not None:
            self._assign(model)
        self.built = True

    @property
    def modes(self) -> tuple[int, int, int]:
        """Numbers of identity, expression and albedo modes."""
        return self.sizes["identity"], self.sizes["expression"], self.sizes["albedo"]

    def vertices(
        self, identity: tf.Tensor, expression: tf.Tensor, indices: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Coefficients `[B, K]` in sigmas -> `[B, V, 3]` in model space, mm; eq. (2).

        Args:
            indices: `[N]` vertices to return; None returns all. (All are evaluated: the cage is
                small, and normals ask for the neighbours anyway.)
        """
        coefficients = tf.concat([identity, expression], axis=-1)
        flat = self.mean + tf.matmul(coefficients, tf.cast(self.shape_basis, tf.float32))
        cage = tf.reshape(flat, [-1, self.sizes["cage"], 3])
        vertices = self.subdivision(cage) if self.subdivision else cage
        return vertices if indices is None else tf.gather(vertices, indices, axis=1)

    def albedo_colours(self, albedo: tf.Tensor, indices: tf.Tensor | None = None) -> tf.Tensor:
        """Coefficients `[B, K]` in sigmas -> `[B, V, 3]` reflectance, not clipped; eq. (3).

        Args:
            indices: `[N]` vertices to evaluate; None evaluates all.
        """
        return linear_colours(self.albedo_mean, self.albedo_basis, albedo, indices)

    def _assign(self, model: MorphableModel) -> None:
        cage = model if model.control is None else model.control
        basis = np.concatenate([cage.identity, cage.expression], axis=-1)
        self.mean.assign(np.reshape(cage.mean, -1))
        self.shape_basis.assign(basis.reshape(-1, basis.shape[-1]).T.astype(np.float16))
        self.albedo_mean.assign(model.albedo_mean)
        self.albedo_basis.assign(model.albedo.reshape(len(model.mean), -1).astype(np.float16))
        if model.control is not None and self.subdivision is not None:
            self.subdivision.assign(model.control.matrix)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "sizes": self.sizes}


def linear_colours(
    mean: keras.Variable,
    basis: keras.Variable,
    coefficients: tf.Tensor,
    indices: tf.Tensor | None = None,
) -> tf.Tensor:
    """Mean `(V, 3)`, basis `(V, 3 K)` and coefficients `[B, K]` -> colours `[B, V, 3]`.

    Args:
        indices: `[N]` vertices to evaluate; None evaluates all.
    """
    centre, modes = tf.convert_to_tensor(mean), tf.convert_to_tensor(basis)
    if indices is not None:
        centre, modes = tf.gather(centre, indices), tf.gather(modes, indices)
    count, size = tf.shape(centre)[0], basis.shape[-1] // 3
    rows = tf.reshape(tf.cast(modes, tf.float32), [3 * count, size])
    flat = tf.matmul(coefficients, rows, transpose_b=True)
    return centre + tf.reshape(flat, [-1, count, 3])


def _sizes(model: MorphableModel) -> dict[str, int]:
    return {
        "vertices": model.vertex_count,
        "cage": model.vertex_count if model.control is None else len(model.control.mean),
        "identity": model.identity.shape[-1],
        "expression": model.expression.shape[-1],
        "albedo": model.albedo.shape[-1],
        "entries": 0 if model.control is None else model.control.matrix.nnz,
    }
