"""MoFA: a model-based face autoencoder (Tewari et al. 2018, sections 4 to 8).

The encoder regresses the code x = (alpha, delta, beta, T, t, gamma); the decoder, in closed form,
draws the face it stands for; training compares the two pictures. No labels are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.code import CodeLayout
from tfface.config import DataConfig, LossesConfig
from tfface.data.training_data import training_data
from tfface.encoders import build_encoder, load_published_weights
from tfface.layers.code_head import CodeHead
from tfface.layers.face_decoder import FOCAL_LENGTH, FaceDecoder
from tfface.layers.front_facing_visibility import FrontFacingVisibility
from tfface.layers.vertex_image_sampling import VertexImageSampling
from tfface.losses.landmark import landmark_loss
from tfface.losses.model_space import gram_matrix, model_space_distance
from tfface.losses.photometric import reweighted_photometric_loss
from tfface.losses.regularization import statistical_regularization
from tfface.morphable.model import MorphableModel
from tfface.rendering.cameras import rotate, to_camera_space
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import inside_image
from tfface.rendering.visibility import front_facing, unoccluded
from tfface.systems.base import FaceSystem
from tfface.systems.pictures import draw_columns

COMPARED_PARTS = ("identity", "expression", "albedo")
# Weights of what is compared with the truth of a drawn face. Identity is the hardest to see;
# depth and light differ by some tenths, the landmarks of a good face by a hundredth of the side.
IDENTITY_WEIGHT, DEPTH_WEIGHT, LIGHT_WEIGHT, PICTURE_WEIGHT = 3.0, 10.0, 4.0, 40.0


@keras.saving.register_keras_serializable(package="tfface")
class MoFA(FaceSystem):
    """Encoder, code head and face decoder, with the losses (7) to (14).

    Args:
        decoder: Draws the face of a code; sets the image size and the code's sizes.
        compared: `(V,)` weight of each vertex in the photometric loss: the face without scalp,
            ears and neck.
        encoder: `compact`, `alexnet` or `vgg_face`.
        losses: Weights of the terms.
        sampled_vertices: Vertices drawn in every step (section 7), for all pictures of the batch,
            which is what saves work: their rows of the bases are gathered once. None uses all.
        seed: Seed of that draw.

    Targets of `fit`: `landmarks` `[B, 68, 2]` in pixels, `confidence` `[B, 68]`, `code` `[B, N]`
    with `has_code` `[B]`, 1 where the code is the truth of a synthetic face.
    """

    morphable_model: MorphableModel  # of a system built with `of_model`: what faces are drawn from

    def __init__(
        self,
        decoder: FaceDecoder,
        compared: ArrayLike,
        encoder: str = "compact",
        losses: LossesConfig | None = None,
        sampled_vertices: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decoder, self.encoder_name, self.seed = decoder, encoder, seed
        self.losses_config = losses or LossesConfig()
        self.compared = np.asarray(compared, np.float32)
        self.compared_vertices = np.flatnonzero(self.compared > 0.5).astype(np.int32)
        self.sampled_vertices = sampled_vertices
        self.visibility, self.sampling = FrontFacingVisibility(), VertexImageSampling()
        self.image_size, self.focal_length = decoder.image_size, decoder.focal_length
        self.triangles = decoder.normals.topology.triangles
        self.layout = CodeLayout(decoder.code_sizes)
        features = build_encoder(encoder, self.image_size)
        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        head = CodeHead(decoder.code_sizes, decoder.initial_translation, name="code")
        self.encoder = keras.Model(images, head(features(images)), name="encoder")
        self.random = keras.random.SeedGenerator(seed)
        self.grams = {
            name: self.add_weight(
                name=f"gram_{name}", shape=(size, size), initializer="zeros", trainable=False
            )
            for name, size in decoder.code_sizes.items()
            if name in COMPARED_PARTS and size
        }
        self.track_terms(("photometric", "landmark", "regularizer", "supervision"))

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        **options: Any,
    ) -> MoFA:
        """Returns an untrained system for a face model; options as in the constructor."""
        decoder = FaceDecoder.of_model(model, image_size, focal_length)
        compared = compared_vertices(model, decoder)
        system = cls(decoder, compared, **options)
        system.morphable_model, system.face_model_name = model, model.name
        for name, gram in system.grams.items():
            gram.assign(gram_matrix(getattr(model, name), compared))
        return system

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        drawn = self._draw_vertices()
        face = self.decoder(parts, drawn)
        terms = {
            "photometric": lambda: self.photometric_error(images, face, drawn),
            "landmark": lambda: landmark_loss(
                face["landmarks"], targets["landmarks"], targets["confidence"], self.image_size
            ),
            "regularizer": lambda: self.regularizer(parts),
            "supervision": lambda: self.supervision(targets, parts),
        }
        weighted = {}
        for name, term in terms.items():  # a term of weight zero is not computed
            weight = getattr(self.losses_config, name)
            weighted[name] = weight * tf.reduce_mean(term()) if weight else tf.zeros([])
        return weighted

    def regularizer(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Eq. (10), `[B]`."""
        weights = self.losses_config
        return statistical_regularization(
            parts["identity"],
            parts["expression"],
            parts["albedo"],
            weights.albedo,
            weights.expression,
        )

    def photometric_error(
        self, images: tf.Tensor, face: Mapping[str, tf.Tensor], drawn: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Eq. (8), or (13) when only some vertices were drawn: `[B]` mean RGB distance."""
        weights = tf.constant(self.compared)
        if drawn is not None:
            weights = tf.gather(weights, drawn)
        visible = self.visibility(face["normals"], face["points"])
        visible &= inside_image(face["pixels"], self.image_size, self.image_size)
        observed = self.sampling(images, face["pixels"])
        visibility = weights * tf.cast(visible, tf.float32)
        return reweighted_photometric_loss(face["colours"], observed, visibility)

    def _draw_vertices(self) -> tf.Tensor | None:
        """The step's sample of vertices, drawn anew in every step and shared by its pictures."""
        if self.sampled_vertices is None:
            return None
        count = len(self.compared_vertices)
        drawn = keras.random.randint((self.sampled_vertices,), 0, count, seed=self.random)
        return tf.gather(self.compared_vertices, drawn)

    def supervision(
        self, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> tf.Tensor:
        """Distance to the true face, `[B]`, zero where it is not known.

        Shape, expression and reflectance are compared on the mesh (root mean square, in units of
        what separates two random faces), the rotation by its matrix, depth and light by their
        ratio to the true ones, and all of the geometry by where the landmarks lie in the picture.
        """
        truth = self.layout.split(targets["code"])
        total = tf.zeros_like(targets["has_code"])
        for name, variable in self.grams.items():
            gram = tf.convert_to_tensor(variable)
            squared = model_space_distance(parts[name], truth[name], gram) / tf.linalg.trace(gram)
            weight = IDENTITY_WEIGHT if name == "identity" else 1.0
            total += weight * tf.sqrt(squared + 1e-6)
        turn = rotation_matrix(parts["rotation"]) - rotation_matrix(truth["rotation"])
        total += tf.sqrt(tf.reduce_sum(tf.square(turn), axis=[1, 2]) + 1e-6)
        depth, true_depth = parts["translation"][:, 2], truth["translation"][:, 2]
        total += DEPTH_WEIGHT * tf.abs(depth / tf.minimum(true_depth, -1.0) - 1.0)
        light, true_light = parts["illumination"], truth["illumination"]
        strength = tf.reduce_sum(tf.square(true_light), axis=[1, 2])
        change = tf.reduce_sum(tf.square(light - true_light), axis=[1, 2])
        total += LIGHT_WEIGHT * tf.sqrt(tf.math.divide_no_nan(change, strength) + 1e-6)
        apart = (self.decoder.landmarks(parts) - targets["landmarks"]) / self.image_size
        distance = tf.sqrt(tf.reduce_sum(tf.square(apart), axis=-1) + 1e-8)
        total += PICTURE_WEIGHT * tf.reduce_mean(distance, axis=-1)
        return tf.where(targets["has_code"] > 0.5, total, 0.0)

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Code `[B, N]` -> `vertices`, `albedo` `[B, V, 3]`, `landmarks` `[B, 68, 3]`.

        All in model space: no pose, no light; the jaw landmarks are those of a frontal face.
        """
        parts = self.layout.split(code)
        vertices = self.decoder.face_model.vertices(parts["identity"], parts["expression"])
        return {
            "vertices": vertices,
            "albedo": self.decoder.face_model.albedo_colours(parts["albedo"]),
            "landmarks": tf.gather(vertices, self.decoder.landmark_vertices, axis=1),
        }

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

    def make_datasets(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        """Training and validation batches; see `training_data`."""
        return training_data(data, self.morphable_model, self.decoder, batch_size, seed, first_step)

    def topology(self) -> dict[str, np.ndarray]:
        """What a program needs beside `decode` to build a mesh."""
        return {
            "triangles": self.triangles,
            "landmarks": self.decoder.landmark_vertices,
            "contour": self.decoder.contour,
            "uv": self.morphable_model.uv,
            "compared": self.compared,
            "shown": self._shown(),
        }

    def _shown(self) -> np.ndarray:
        """Weights `(V,)` of what is drawn over a photo: the face and the mouth's inside."""
        regions = self.morphable_model.regions
        everything = np.ones(self.morphable_model.vertex_count, np.float32)
        face = regions.get("face", everything)
        return np.maximum(face, regions.get("mouth", 0.0 * everything))

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "compared": self.compared.tolist(),
            "encoder": self.encoder_name,
            "losses": self.losses_config.model_dump(),
            "sampled_vertices": self.sampled_vertices,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> MoFA:
        decoder = keras.saving.deserialize_keras_object(config.pop("decoder"))
        return cls(decoder, losses=LossesConfig(**config.pop("losses")), **config)


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
