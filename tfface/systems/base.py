"""What every system shares: a Keras model from images to a semantic code, trained by `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import Config, DataConfig
from tfface.data.crop import CROP_RULE
from tfface.optimizers import make_optimizer


@dataclass(frozen=True)
class Stage:
    """Epochs of a run that have their own training data.

    Attributes:
        first: Epochs before it.
        end: Epochs when it is over.
        make_batches: A number of steps to leave out at the stage's start -> endless training
            batches. Called when the stages before are over.
    """

    first: int
    end: int
    make_batches: Callable[[int], tf.data.Dataset]


class FaceSystem(keras.Model):
    """Base of the systems: `predict(images)` gives the named parts of the code.

    A subclass sets the attributes below and implements what raises NotImplementedError here: that
    is all that training, export and TensorBoard ask of a system. `fit` takes a dataset of
    `(images, targets)`: images `[B, S, S, 3]` in [0, 1], targets a dict of tensors.

    Attributes:
        layout: The parts of the code that the encoder gives.
        image_size: S, pixels.
        encoder: Images -> flat code `[B, N]`.
        together: Images of one person -> one flat code `[1, N]`, or `[B, N]` where each image has
            its own pose and light; with the same variables. None where a system sees one image at a
            time.
        face_model_name: Name of the face model.
        focal_length: Of a crop's camera, in sides of the crop.
        camera: The model of its camera, `perspective` or `weak_perspective` (one so far away that
            nothing is left of perspective).
        crop_rule: How a photo is cropped for the encoder.
        triangles: `(T, 3)` int32 mesh of what `decode` gives.
    """

    layout: CodeLayout
    image_size: int
    encoder: keras.Model
    together: keras.Model | None = None
    face_model_name: str
    focal_length: float
    camera: str = "perspective"
    crop_rule: str = CROP_RULE
    triangles: np.ndarray

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._term_trackers: dict[str, keras.metrics.Mean] = {}

    @property
    def decoded_layout(self) -> CodeLayout:
        """The code that `decode` takes: what the encoder gives, unless a system takes more."""
        return self.layout

    @property
    def learned_variables(self) -> list[keras.Variable]:
        """What training changes, in an order of its own: the same of any mesh."""
        return list(self.encoder.variables)

    @property
    def other_encoders(self) -> dict[str, keras.Model]:
        """name -> images to codes `[..., N]`: what is exported beside `encoder`."""
        return {} if self.together is None else {"serve_together": self.together}

    @property
    def lite_encoder(self) -> keras.Model:
        """What is converted to TFLite, which cannot draw meshes."""
        return self.encoder

    @property
    def detail_sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that an exported `detail` takes, pixels; none without it."""
        return ()

    def build(self, input_shape: Any) -> None:
        self.built = True  # the encoder is built when it is made

    def call(self, images: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` in [0, 1] -> the parts of the code."""
        return self.layout.split(tf.cast(self.encoder(images, training=training), tf.float32))

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Returns the weighted terms of the loss, scalars, by name; their sum is minimised."""
        raise NotImplementedError

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Code `[B, N]` -> `vertices`, `albedo` `[B, V, 3]`, `landmarks` `[B, 68, 3]`; no pose.

        The code is of `decoded_layout`.
        """
        raise NotImplementedError

    def detail(self, images: tf.Tensor, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, H, H, 3]` and their codes `[B, N]` -> maps of finer geometry."""
        raise NotImplementedError

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` -> the parts, `vertices`, `albedo`, `landmarks`, `camera`."""
        raise NotImplementedError

    def render(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` -> the columns of an image grid, `[B, S, S, 3]` in [0, 1]."""
        raise NotImplementedError

    def training_batches(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        """Endless training batches from step `first_step` on."""
        raise NotImplementedError

    def validation_batches(
        self, data: DataConfig, batch_size: int, seed: int
    ) -> tf.data.Dataset | None:
        """Endless validation batches, or None."""
        raise NotImplementedError

    def stages(self, config: Config, folder: Path, chief: bool = True) -> Iterable[Stage]:
        """The stages of a run; one, of `training.epochs`, unless a system has more.

        Args:
            config: The whole run.
            folder: Of the run, for what a stage keeps.
            chief: False on workers that write nothing.
        """

        def make_batches(first_step: int) -> tf.data.Dataset:
            size = config.training.batch_size
            return self.training_batches(config.data, size, config.seed, first_step)

        return [Stage(0, config.training.epochs, make_batches)]

    def topology(self) -> dict[str, np.ndarray]:
        """Arrays that a program needs beside `decode` to build a mesh, `triangles` among them."""
        raise NotImplementedError

    def compute_loss(
        self,
        x: tf.Tensor,
        y: Mapping[str, tf.Tensor],
        y_pred: Mapping[str, tf.Tensor],
        sample_weight: None = None,
        training: bool = True,
    ) -> tf.Tensor:
        terms = self.loss_terms(x, y, y_pred)
        for name, value in terms.items():
            self._term_trackers[name].update_state(value)
        # Gradients are summed over replicas: each contributes its share of the global mean.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return tf.add_n(list(terms.values())) / replicas

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        """Returns the run's optimiser; `multipliers` name parts of the code."""
        steps = config.training.epochs * config.training.steps_per_epoch
        return make_optimizer(**config.optimizer.model_dump(), total_steps=steps)

    def track_terms(self, names: tuple[str, ...]) -> None:
        """Declares the names that `loss_terms` returns, to be shown and logged as metrics."""
        self._term_trackers = {name: keras.metrics.Mean(name=name) for name in names}

    # MultiWorkerMirroredStrategy with `fit`: Keras 3 reduces the first batch and the metrics in
    # ways that fail across workers. Building from the local batch and reducing scalars work.

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        strategy = self._distribute_strategy
        if strategy is None or iterator is None:
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)
            return
        for _, _, batches in iterator:
            batch = next(batches)
            break
        local = tf.nest.map_structure(lambda t: strategy.experimental_local_results(t)[0], batch)
        with strategy.scope():
            self._symbolic_build(data_batch=local)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        return self._reducible(super().train_step(data))

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        return self._reducible(super().test_step(data))

    def _reducible(self, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Gives scalars the axis over which Keras averages the logs of several workers."""
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return {name: tf.reshape(value, [1]) for name, value in logs.items()}
        return logs
