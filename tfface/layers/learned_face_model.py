"""The face model that FML learns: eq. (1) to (6) of Tewari et al. 2019."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import keras
import tensorflow as tf

from tfface.layers.linear_face_model import FaceModelLayer, LinearFaceModel, linear_colours
from tfface.layers.orthogonal_complement import OrthogonalComplement
from tfface.layers.sparse_map import SparseMap
from tfface.morphable.deformation_graph import DeformationGraph, orthonormal_columns
from tfface.morphable.model import MorphableModel

SKIN_TONE = (0.75, 0.58, 0.48)  # sRGB, of the mean before training
# Of the bases before training: displacements of nodes, mm, and colours.
NODE_DEVIATION, COLOUR_DEVIATION = 0.1, 0.01


@keras.saving.register_keras_serializable(package="tfface")
class LearnedFaceModel(FaceModelLayer):
    """Shape v = mean + S OCL(Theta_s) alpha + B delta, eq. (3); reflectance r + Theta_a beta, (6).

    Theta_s moves the nodes of a deformation graph. It, the mean reflectance r, one skin tone at
    first, and Theta_a are trained; the mean shape and the expression basis B are those of a face
    model.

    Args:
        fixed: The mean shape and the expressions.
        complement: OCL, of the expressions of the nodes.
        skinning: S.
        identity, albedo: Numbers of vectors to learn.
        skin_tone: sRGB in [0, 1].
    """

    def __init__(
        self,
        fixed: LinearFaceModel,
        complement: OrthogonalComplement,
        skinning: SparseMap,
        identity: int = 500,
        albedo: int = 500,
        skin_tone: Iterable[float] = SKIN_TONE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fixed, self.complement, self.skinning = fixed, complement, skinning
        self.identity, self.albedo, self.skin_tone = int(identity), int(albedo), list(skin_tone)
        self.vertex_count = count = fixed.vertex_count
        self.node_basis = self.add_weight(
            name="node_basis",
            shape=(3 * skinning.sizes["inputs"], self.identity),
            initializer=keras.initializers.RandomNormal(stddev=NODE_DEVIATION, seed=1),
        )
        self.albedo_mean = self.add_weight(
            name="albedo_mean",
            shape=(count, 3),
            initializer=lambda shape, dtype: tf.broadcast_to(tf.cast(self.skin_tone, dtype), shape),
        )
        self.albedo_basis = self.add_weight(
            name="albedo_basis",
            shape=(count, 3 * self.albedo),
            initializer=keras.initializers.RandomNormal(stddev=COLOUR_DEVIATION, seed=2),
        )
        self.built = True

    @classmethod
    def of_model(cls, model: MorphableModel, graph: DeformationGraph, **options: Any) -> Self:
        """Returns the untrained layer for a model's mean and expressions; options as above."""
        blendshapes = orthonormal_columns(graph.to_nodes(model.expression))
        fixed = LinearFaceModel(model.truncated(identity=0, albedo=0))
        return cls(fixed, OrthogonalComplement(blendshapes), SparseMap(graph.skinning), **options)

    @property
    def modes(self) -> tuple[int, int, int]:
        """Numbers of identity, expression and albedo modes."""
        return self.identity, self.fixed.modes[1], self.albedo

    def vertices(
        self, identity: tf.Tensor, expression: tf.Tensor, indices: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Parameters `[B, K]` -> `[B, V, 3]` in model space, mm; eq. (3).

        Args:
            indices: `[N]` vertices to return; None returns all.
        """
        shape = self.fixed.vertices(identity[:, :0], expression)
        vertices = shape + self.skinning(self.node_displacements(identity))
        return vertices if indices is None else tf.gather(vertices, indices, axis=1)

    def node_displacements(self, identity: tf.Tensor) -> tf.Tensor:
        """Shape parameters `[B, K]` -> displacements of the nodes `[B, G, 3]`, mm."""
        basis = self.complement(tf.convert_to_tensor(self.node_basis))
        moved = tf.matmul(identity, basis, transpose_b=True)
        return tf.reshape(moved, [-1, self.skinning.sizes["inputs"], 3])

    def albedo_colours(self, albedo: tf.Tensor, indices: tf.Tensor | None = None) -> tf.Tensor:
        """Parameters `[B, K]` -> `[B, V, 3]` reflectance, not clipped; eq. (6).

        Args:
            indices: `[N]` vertices to evaluate; None evaluates all.
        """
        return linear_colours(self.albedo_mean, self.albedo_basis, albedo, indices)

    def get_config(self) -> dict[str, Any]:
        layers = {name: getattr(self, name) for name in ("fixed", "complement", "skinning")}
        return {
            **super().get_config(),
            **{n: keras.saving.serialize_keras_object(layer) for n, layer in layers.items()},
            "identity": self.identity,
            "albedo": self.albedo,
            "skin_tone": self.skin_tone,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        layers = {
            name: keras.saving.deserialize_keras_object(config.pop(name))
            for name in ("fixed", "complement", "skinning")
        }
        return cls(**layers, **config)
