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

from tfface.config import MoFALossesConfig
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.landmark import landmark_loss
from tfface.losses.model_space import model_space_distance
from tfface.losses.photometric import reweighted_photometric_loss
from tfface.losses.regularization import statistical_regularization
from tfface.rendering.rotations import rotation_matrix
from tfface.systems.code_regressor import CodeRegressor

# Weights of what is compared with the truth of a drawn face. Identity is the hardest to see;
# depth and light differ by some tenths, the landmarks of a good face by a hundredth of the side.
IDENTITY_WEIGHT, DEPTH_WEIGHT, LIGHT_WEIGHT, PICTURE_WEIGHT = 3.0, 10.0, 4.0, 40.0


@keras.saving.register_keras_serializable(package="tfface")
class MoFA(CodeRegressor):
    """A code regressor with the losses (7) to (14).

    Args:
        decoder, compared, encoder, losses: As of `CodeRegressor`.
        sampled_vertices: Vertices drawn in every step (section 7), for all pictures of the batch,
            which is what saves work: their rows of the bases are gathered once. None uses all.
        seed: Seed of that draw.
    """

    losses_type = MoFALossesConfig

    def __init__(
        self,
        decoder: FaceDecoder,
        compared: ArrayLike,
        sampled_vertices: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(decoder, compared, **options)
        self.compared_vertices = np.flatnonzero(self.compared > 0.5).astype(np.int32)
        self.sampled_vertices = sampled_vertices
        self.random = keras.random.SeedGenerator(self.seed)
        self.track_terms(("photometric", "landmark", "regularizer", "supervision"))

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
        observed, visibility = self.observe(images, face, weights)
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

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sampled_vertices": self.sampled_vertices}
