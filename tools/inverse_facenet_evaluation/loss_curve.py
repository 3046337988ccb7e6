"""The model-space loss on a test corpus, iteration by iteration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from inverse_facenet_evaluation.corpora import Truth
from tfface.files import write_text
from tfface.losses.model_space import model_space_distance

_BATCH = 32


class MeasureLoss(keras.callbacks.Callback):
    """Writes the model-space loss on a corpus after each epoch: `[[iteration, loss], ...]`.

    Args:
        truth: The corpus.
        file: A JSON file, continued when it is there.
    """

    def __init__(self, truth: Truth, file: Path) -> None:
        super().__init__()
        self.truth, self.file = truth, file

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        images = tf.data.Dataset.from_tensor_slices(self.truth.images).batch(_BATCH)
        predicted = [
            self.model.encoder(tf.cast(batch, tf.float32) / 255.0, training=False)
            for batch in images
        ]
        steps = (epoch + 1) * self.params["steps"]
        loss = model_space_loss(self.model, tf.concat(predicted, axis=0), self.truth.codes)
        curve = [point for point in read_curve(self.file) if point[0] < steps]
        write_text(self.file, json.dumps([*curve, [steps, loss]]))


def read_curve(file: Path) -> list[list[float]]:
    """The points that `MeasureLoss` wrote."""
    return json.loads(file.read_text()) if file.exists() else []


def model_space_loss(system: Any, predicted: tf.Tensor, truth: np.ndarray) -> float:
    """The mean |A (theta - theta_gt)|^2 with the weights of the system's losses."""
    total = 0.0
    for name, gram in system.grams.items():
        part = system.layout.parts[name].slice
        distance = model_space_distance(predicted[:, part], truth[:, part], gram.value)
        total += getattr(system.losses_config, name) * float(tf.reduce_mean(distance))
    return total
