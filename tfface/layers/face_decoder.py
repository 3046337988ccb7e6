"""The model-based decoder of MoFA: a code -> the face it stands for, seen by a camera."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.code import CodeLayout
from tfface.data.framing import centring_translation
from tfface.layers.learned_face_model import LearnedFaceModel
from tfface.layers.linear_face_model import FaceModelLayer, LinearFaceModel
from tfface.layers.perspective_camera import PerspectiveCamera
from tfface.layers.rigid_transform import AxisAngleRotation, RigidTransform
from tfface.layers.spherical_harmonics_shading import SphericalHarmonicsShading
from tfface.layers.vertex_normals import VertexNormals
from tfface.morphable.model import MorphableModel
from tfface.rendering.cameras import rotate
from tfface.rendering.contour import contour_landmarks

FOCAL_LENGTH = 4.5  # sides of the crop: the mean face that fills it stands about one metre away
Parts = Mapping[str, tf.Tensor]
Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class FaceDecoder(keras.layers.Layer):
    """Draws the face of a code, vertex by vertex: eq. (1) to (5) of high-fidelity MoFA.

    Args:
        face_model: The linear face model, fixed or learned.
        normals: Vertex normals of its mesh.
        landmarks: `(68,)` vertices of the landmarks.
        contour: `(17, C)` candidates of the jaw landmarks.
        initial_translation: `(3,)` mm, puts the mean face in the middle of the crop.
        image_size: Side S of the crop, pixels.
        focal_length: In sides of the crop.
    """

    def __init__(
        self,
        face_model: FaceModelLayer,
        normals: VertexNormals,
        landmarks: ArrayLike,
        contour: ArrayLike,
        initial_translation: Iterable[float],
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        **kwargs: Any,
    ) -> None:
        # Half precision cannot hold pixels and millimetres: geometry stays in float32.
        super().__init__(dtype="float32", **kwargs)
        self.face_model, self.normals = face_model, normals
        self.rotation, self.pose = AxisAngleRotation(), RigidTransform()
        self.shading = SphericalHarmonicsShading()
        self.camera = PerspectiveCamera(focal_length * image_size, [image_size / 2] * 2)
        self.landmark_vertices = np.asarray(landmarks, np.int32)
        self.contour = np.asarray(contour, np.int32)
        every = np.concatenate([self.landmark_vertices, self.contour.reshape(-1)])
        self._candidates, self._local = np.unique(every, return_inverse=True)
        self._local_contour = self._local[68:].reshape(self.contour.shape)
        self.initial_translation = [float(value) for value in initial_translation]
        self.image_size, self.focal_length = int(image_size), float(focal_length)

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        learned: LearnedFaceModel | None = None,
    ) -> FaceDecoder:
        """Returns the decoder of a face model.

        Args:
            learned: Takes the place of the model's own modes.
        """
        return cls(
            learned or LinearFaceModel(model),
            VertexNormals(model.triangles, model.vertex_count),
            model.landmarks,
            model.contour,
            centring_translation(model, focal_length),
            image_size,
            focal_length,
        )

    @property
    def code_sizes(self) -> dict[str, int]:
        """name -> size of the code's parts."""
        return CodeLayout.of_face(*self.face_model.modes).sizes()

    def call(self, parts: Parts, indices: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Draws faces.

        Args:
            parts: `identity`, `expression`, `albedo` `[B, K]`, `rotation` and `translation`
                `[B, 3]`, `illumination` `[B, 9, 3]`.
            indices: `[N]` vertices to draw (stochastic sampling); None draws all.

        Returns:
            `vertices` `[B, V, 3]` in model space; `points` and `normals` in camera space,
            `albedo`, `shading`, `colours` (c_i) `[B, N, 3]` and `pixels` (u_i) `[B, N, 2]` of the
            drawn vertices; `landmarks` `[B, 68, 2]`, pixels of the crop.
        """
        vertices = self.face_model.vertices(parts["identity"], parts["expression"])
        rotation, translation = self.rotation(parts["rotation"]), parts["translation"]
        if indices is None:
            drawn, normals = vertices, self.normals(vertices)
        else:
            drawn, normals = (
                tf.gather(vertices, indices, axis=1),
                self.normals.at(vertices, indices),
            )
        points, normals = self.pose(drawn, rotation, translation), rotate(normals, rotation)
        albedo = self.face_model.albedo_colours(parts["albedo"], indices)
        shading = self.shading(normals, parts["illumination"])
        return {
            "vertices": vertices,
            "points": points,
            "normals": normals,
            "pixels": self.camera(points),
            "albedo": albedo,
            "shading": shading,
            "colours": albedo * shading,  # eq. (4)
            "landmarks": self._landmarks(vertices, rotation, translation),
        }

    def compute_output_shape(
        self, parts_shape: Mapping[str, Shape], indices_shape: Shape | None = None
    ) -> dict[str, Shape]:
        batch, vertices = parts_shape["rotation"][0], self.normals.topology.vertex_count
        drawn = indices_shape[0] if indices_shape else vertices
        seen = dict.fromkeys(("points", "normals", "albedo", "shading"), (batch, drawn, 3))
        return {
            "vertices": (batch, vertices, 3),
            **seen,
            "colours": (batch, drawn, 3),
            "pixels": (batch, drawn, 2),
            "landmarks": (batch, 68, 2),
        }

    def face(self, parts: Parts) -> dict[str, tf.Tensor]:
        """The face in model space, without pose and light.

        Args:
            parts: `identity`, `expression`, `albedo` `[B, K]`.

        Returns:
            `vertices`, `albedo` `[B, V, 3]` and `landmarks` `[B, 68, 3]`, those of a frontal face.
        """
        vertices = self.face_model.vertices(parts["identity"], parts["expression"])
        return {
            "vertices": vertices,
            "albedo": self.face_model.albedo_colours(parts["albedo"]),
            "landmarks": tf.gather(vertices, self.landmark_vertices, axis=1),
        }

    def landmarks(self, parts: Parts) -> tf.Tensor:
        """The `[B, 68, 2]` landmarks in pixels of the crop; the jaw follows the outline."""
        vertices = self.face_model.vertices(parts["identity"], parts["expression"])
        return self._landmarks(vertices, self.rotation(parts["rotation"]), parts["translation"])

    def _landmarks(
        self, vertices: tf.Tensor, rotation: tf.Tensor, translation: tf.Tensor
    ) -> tf.Tensor:
        """Only the candidates are posed; the rows of `_local` number them."""
        candidates = tf.gather(vertices, self._candidates, axis=1)
        points = self.pose(candidates, rotation, translation)
        normals = rotate(self.normals.at(vertices, self._candidates), rotation)
        chosen = contour_landmarks(points, normals, self._local[:68], self._local_contour)
        return self.camera(tf.gather(points, chosen, axis=1, batch_dims=1))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("dtype", "trainable"):
            config.pop(fixed, None)
        return {
            **config,
            "face_model": keras.saving.serialize_keras_object(self.face_model),
            "normals": keras.saving.serialize_keras_object(self.normals),
            "landmarks": self.landmark_vertices.tolist(),
            "contour": self.contour.tolist(),
            "initial_translation": self.initial_translation,
            "image_size": self.image_size,
            "focal_length": self.focal_length,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FaceDecoder:
        layers = {
            name: keras.saving.deserialize_keras_object(config.pop(name))
            for name in ("face_model", "normals")
        }
        return cls(**layers, **config)
