"""InverseFaceNet: a face from one look, learnt from drawn faces (Kim et al. 2018).

The encoder regresses pose, shape, expression, reflectance and illumination; the loss compares them
with the true ones in the space of the face model. Self-supervised bootstrapping then moves the
drawn faces towards unlabelled photos (`tfface.systems.bootstrapping`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.config import Config, InverseFaceNetConfig, InverseFaceNetLossesConfig
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.model_space import model_space_distance, model_space_grams, parameter_grams
from tfface.morphable.model import MorphableModel
from tfface.optimizers import make_optimizer
from tfface.systems.base import Stage
from tfface.systems.bootstrapping import Bootstrapping
from tfface.systems.code_regressor import CodeRegressor

PARTS = ("identity", "expression", "albedo", "rotation", "translation", "illumination")


@keras.saving.register_keras_serializable(package="tfface")
class InverseFaceNet(CodeRegressor):
    """A code regressor with the model-space parameter loss; arguments as of `CodeRegressor`."""

    losses_type = InverseFaceNetLossesConfig
    compared_parts = PARTS

    def __init__(self, decoder: FaceDecoder, compared: ArrayLike, **options: Any) -> None:
        super().__init__(decoder, compared, **options)
        self.track_terms(tuple(self.grams))

    def make_grams(self, model: MorphableModel) -> dict[str, np.ndarray]:
        sizes = self.decoder.code_sizes
        if self.losses_config.space == "parameters":
            grams = parameter_grams(sizes)
        else:
            distance = -self.decoder.initial_translation[2]
            grams = model_space_grams(model, self.compared, distance)
        return {name: grams[name] for name in self.grams}

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """|A (theta - theta_gt)|^2, part by part, each with its weight; means over the batch."""
        truth = self.layout.split(targets["code"])
        terms = {}
        for name, gram in self.grams.items():
            predicted, expected = (tf.reshape(p[name], [-1, gram.shape[0]]) for p in (parts, truth))
            distance = model_space_distance(predicted, expected, tf.convert_to_tensor(gram))
            weight = getattr(self.losses_config, name)
            terms[name] = weight * tf.reduce_mean(distance)
        return terms

    def stages(self, config: Config, folder: Path, chief: bool = True) -> Iterator[Stage]:
        """The corpus of `data.synthetic`, then the rounds of bootstrapping."""
        rounds = Bootstrapping(self, cast(InverseFaceNetConfig, config), folder, chief)
        yield from super().stages(config, folder, chief)
        yield from rounds.stages()

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        """As of all systems; the schedule starts again with every round, at its own rate."""
        settings = cast(InverseFaceNetConfig, config).bootstrapping
        steps = config.training.steps_per_epoch
        return make_optimizer(
            **config.optimizer.model_dump(),
            total_steps=config.training.epochs * steps,
            later=[(settings.epochs * steps, settings.learning_rate)] * settings.rounds,
        )
