"""What systems that regress the whole code of a face have in common: encoder, head and decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.code import CodeLayout
from tfface.config import DataConfig, Section
from tfface.data.training_data import training_batches, validation_batches
from tfface.encoders import build_encoder, load_published_weights
from tfface.layers.code_head import CodeHead
from tfface.layers.face_decoder import FOCAL_LENGTH, FaceDecoder
from tfface.layers.front_facing_visibility import FrontFacingVisibility
from tfface.layers.vertex_image_sampling import VertexImageSampling
from tfface.losses.model_space import gram_matrix
from tfface.morphable.model import MorphableModel
from tfface.rendering.cameras import rotate, to_camera_space
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import inside_image
from tfface.rendering.visibility import front_facing, unoccluded
from tfface.systems.base import FaceSystem
from tfface.systems.pictures import draw_columns


class CodeRegressor(FaceSystem):
    """Encoder, code head and face decoder; a subclass gives the loss.

    Args:
        decoder: Draws the face of a code; sets the image size and the code's sizes.
        compared: `(V,)` weight of each vertex in what is measured on the mesh: the face without
            scalp, ears and neck.
        encoder: `compact`, `alexnet` or `vgg_face`.
        losses: Weights of the terms, of the class `losses_type`; None takes its defaults.
        seed: Of what a loss draws.

    Targets of `fit`: `landmarks` `[B, 68, 2]` in pixels, `confidence` `[B, 68]`, `code` `[B, N]`
    with `has_code` `[B]`, 1 where the code is the truth of a synthetic face.

    Attributes:
        grams: name -> weight `[K, K]` for each of `compared_parts`: d' G d is how far two codes
            are apart on the mesh (see `tfface.losses.model_space`).
    """

    losses_type: ClassVar[type[Section]]
    compared_parts: ClassVar[tuple[str, ...]] = ("identity", "expression", "albedo")
    morphable_model: MorphableModel  # of a system built with `of_model`: what faces are drawn from

    def __init__(
        self,
        decoder: FaceDecoder,
        compared: ArrayLike,
        encoder: str = "compact",
        losses: Section | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decoder, self.encoder_name, self.seed = decoder, encoder, seed
        self.losses_config: Any = losses or self.losses_type()
        self.compared = np.asarray(compared, np.float32)
        self.image_size, self.focal_length = decoder.image_size, decoder.focal_length
        self.triangles = decoder.normals.topology.triangles
        self.layout = CodeLayout(decoder.code_sizes)
        self.encoder = self.make_encoder()
        self.visibility, self.sampling = FrontFacingVisibility(), VertexImageSampling()
        self.grams = {
            name: self.add_weight(
                name=f"gram_{name}", shape=(size, size), initializer="zeros", trainable=False
            )
            for name, size in decoder.code_sizes.items()
            if name in self.compared_parts and size
        }

    def make_encoder(self) -> keras.Model:
        """Images `[B, S, S, 3]` -> untrained codes `[B, N]`."""
        features = build_encoder(self.encoder_name, self.image_size)
        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        head = CodeHead(self.layout.sizes(), self.decoder.initial_translation, name="code")
        return keras.Model(images, head(features(images)), name="encoder")

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        **options: Any,
    ) -> Self:
        """Returns an untrained system for a face model; options as in the constructor."""
        decoder = FaceDecoder.of_model(model, image_size, focal_length)
        system = cls(decoder, compared_vertices(model, decoder), **options)
        system.morphable_model, system.face_model_name = model, model.name
        for name, gram in system.make_grams(model).items():
            system.grams[name].assign(gram)
        return system

    def make_grams(self, model: MorphableModel) -> dict[str, np.ndarray]:
        """name -> `(K, K)` matrix by which a part is compared with its truth (see `grams`)."""
        return {name: gram_matrix(getattr(model, name), self.compared) for name in self.grams}

    def observe(
        self, images: tf.Tensor, face: Mapping[str, tf.Tensor], weights: ArrayLike
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Colours `[B, N, 3]` of pictures at a face's vertices, and how far each counts `[B, N]`.

        Args:
            images: `[B, S, S, 3]`.
            face: What the decoder gives, of N vertices.
            weights: `[N]`, of vertices that face the camera and lie in the picture.
        """
        visible = self.visibility(face["normals"], face["points"])
        visible &= inside_image(face["pixels"], self.image_size, self.image_size)
        return self.sampling(images, face["pixels"]), weights * tf.cast(visible, tf.float32)

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Code `[B, N]` -> `vertices`, `albedo` `[B, V, 3]`, `landmarks` `[B, 68, 3]`.

        All in model space: no pose, no light; the jaw landmarks are those of a frontal face.
        """
        return self.decoder.face(self.layout.split(code))

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` in [0, 1] -> the code's parts and the posed, lit face.

        Returns:
            The parts, the flat `code` `[B, N]`, what `FaceDecoder` gives (`vertices`, `landmarks`
            and so on; `albedo` are colours here, not coefficients), and `camera`, that of the
            crop: `focal_length` `[B]` and `principal_point` `[B, 2]` in pixels.
        """
        parts = self(images, training=False)
        size, count = float(self.image_size), tf.shape(images)[0]
        camera = {
            "focal_length": tf.fill([count], self.decoder.focal_length * size),
            "principal_point": tf.fill([count, 2], size / 2),
        }
        code = self.layout.join(parts)
        return {**parts, "code": code, **self.decoder(parts), "camera": camera}

    def load_encoder_weights(self, path: str) -> None:
        """Loads published AlexNet or VGG-Face weights from the user's file.

        Raises:
            WeightsError: if the file does not hold this encoder's weights.
        """
        load_published_weights(self.encoder.get_layer(self.encoder_name), path)

    def render(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` -> the columns of an image grid (see `draw_columns`)."""
        return draw_columns(self.decoder, self(images, training=False), images)

    def training_batches(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        """See `tfface.data.training_data.training_batches`."""
        model = self.morphable_model
        return training_batches(data, model, self.decoder, batch_size, seed, first_step)

    def validation_batches(self, data: DataConfig, batch_size: int, seed: int) -> tf.data.Dataset:
        """See `tfface.data.training_data.validation_batches`."""
        return validation_batches(data, self.morphable_model, self.decoder, batch_size, seed)

    def topology(self) -> dict[str, np.ndarray]:
        """What a program needs beside `decode` to build a mesh."""
        return mesh_topology(self.decoder, self.morphable_model, self.compared)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "compared": self.compared.tolist(),
            "encoder": self.encoder_name,
            "losses": self.losses_config.model_dump(),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        decoder = keras.saving.deserialize_keras_object(config.pop("decoder"))
        return cls(decoder, losses=cls.losses_type(**config.pop("losses")), **config)


def mesh_topology(
    decoder: FaceDecoder, model: MorphableModel, compared: np.ndarray
) -> dict[str, np.ndarray]:
    """What a program needs beside `decode` to build a mesh, and what it may show of it."""
    everything = np.ones(model.vertex_count, np.float32)
    face = model.regions.get("face", everything)
    return {
        "triangles": decoder.normals.topology.triangles,
        "landmarks": decoder.landmark_vertices,
        "contour": decoder.contour,
        "uv": model.uv,
        "compared": compared,
        # Drawn over a photo: the face and the mouth's inside.
        "shown": np.maximum(face, model.regions.get("mouth", 0.0 * everything)),
    }


def compared_vertices(model: MorphableModel, decoder: FaceDecoder) -> np.ndarray:
    """Weights `(V,)` of the photometric loss: the region `face`, without what lies inside.

    Facing alone would compare eyeballs with the lids before them: a vertex counts only if on the
    mean face it is seen from the front or from one of the sides.
    """
    weights = model.regions.get("face", np.ones(model.vertex_count, np.float32))
    turns = tf.constant([[0.0, yaw, 0.0] for yaw in (-0.6, 0.0, 0.6)])
    rotation = rotation_matrix(turns)
    translation = tf.tile(tf.constant([decoder.initial_translation]), [3, 1])
    mean = tf.tile(tf.constant(model.mean[None], tf.float32), [3, 1, 1])
    points = to_camera_space(mean, rotation, translation)
    size = 512
    seen = unoccluded(points, tf.constant(model.triangles), decoder.focal_length * size, size)
    seen &= front_facing(rotate(decoder.normals(mean), rotation), points)
    return np.where(tf.reduce_any(seen, axis=0), weights, 0.0).astype(np.float32)
