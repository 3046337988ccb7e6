"""A FaceSystem that trains in a moment: it learns the mean colour of its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import Config, DataConfig
from tfface.systems.base import FaceSystem

VERTICES = 5


class TinySystem(FaceSystem):
    """Its code has a `colour` and a `noise` part; the loss draws random numbers, as samplers do."""

    face_model_name = "tiny"
    focal_length = 4.5

    def __init__(self, image_size: int, code: int, seed: int, random_weight: float) -> None:
        super().__init__(name="tiny")
        self.image_size = image_size
        self.layout = CodeLayout({"colour": 3, "noise": code - 3})
        images = keras.Input((image_size, image_size, 3), name="images")
        features = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(images)
        features = keras.layers.GlobalAveragePooling2D()(features)
        outputs = keras.layers.Dense(code, dtype="float32", name="code")(features)
        self.encoder = keras.Model(images, outputs, name="encoder")
        self.random = keras.random.SeedGenerator(seed)
        self.random_weight = random_weight
        self.track_terms(("colour",))

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        error = tf.reduce_mean(tf.square(parts["colour"] - targets["colour"]), axis=-1)
        drawn = keras.random.uniform((), seed=self.random)
        return {"colour": tf.reduce_mean(error) * (1.0 + self.random_weight * drawn)}

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        colour = tf.repeat(self.layout.split(code)["colour"][:, None], VERTICES, axis=1)
        return {"vertices": 100.0 * colour, "albedo": colour, "landmarks": colour[:, :2]}

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = self(images, training=False)
        return {**parts, **self.decode(self.layout.join(parts))}

    def render(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        colour = self(images, training=False)["colour"][:, None, None]
        return {"input": images, "render": tf.ones_like(images) * colour}

    @property
    def triangles(self) -> np.ndarray:
        return np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4]], np.int32)

    def topology(self) -> dict[str, np.ndarray]:
        return {"triangles": self.triangles}

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        return keras.optimizers.Adam(config.optimizer.learning_rate)

    def training_batches(
        self, config: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        def example(index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            colour = tf.random.stateless_uniform([3], [tf.cast(seed, tf.int64), index])
            return tf.ones([self.image_size, self.image_size, 3]) * colour, {"colour": colour}

        indices = tf.data.Dataset.counter(first_step * batch_size)
        return indices.map(example).batch(batch_size).prefetch(2)

    def validation_batches(self, config: DataConfig, batch_size: int, seed: int) -> None:
        return None


def build_tiny_system(config: Config, random_weight: float = 0.0) -> TinySystem:
    identity: Any = config.face_model.identity
    return TinySystem(config.model.image_size, identity + 3, config.seed, random_weight)
