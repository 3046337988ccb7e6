"""Vertex normals as a layer."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.layers.geometry_layer import GeometryLayer
from tfface.rendering.normals import MeshTopology, vertex_normals, vertex_normals_at


@keras.saving.register_keras_serializable(package="tfface")
class VertexNormals(GeometryLayer):
    """One-ring, area-weighted vertex normals of a fixed mesh.

    Args:
        triangles: `(T, 3)` vertices, counter-clockwise seen from outside; or the packed text that
            `get_config` makes of them.
        vertex_count: V.

    Input: `[B, V, 3]` vertices. Output: `[B, V, 3]` unit normals, float32.
    """

    def __init__(self, triangles: np.ndarray | str, vertex_count: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", trainable=False, **kwargs)
        if isinstance(triangles, str):
            packed = zlib.decompress(base64.b64decode(triangles))
            triangles = np.frombuffer(packed, "<i4").reshape(-1, 3)
        self.topology = MeshTopology(triangles, vertex_count)

    def call(self, vertices: tf.Tensor) -> tf.Tensor:
        return vertex_normals(vertices, self.topology)

    def at(self, vertices: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        """The normals of some vertices only: `[B, V, 3]`, `[N]` -> `[B, N, 3]`."""
        return vertex_normals_at(vertices, indices, self.topology)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        packed = zlib.compress(self.topology.triangles.astype("<i4").tobytes(), 9)
        text = base64.b64encode(packed).decode("ascii")
        return {"name": self.name, "triangles": text, "vertex_count": self.topology.vertex_count}
