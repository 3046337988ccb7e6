"""The last layer of a regressor: features -> semantic code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfface.code import UNIT_TRANSLATION, CodeLayout
from tfface.rendering.spherical_harmonics import ambient_illumination

AMBIENT = 0.7  # shading of the initial light, the paper's


@keras.saving.register_keras_serializable(package="tfface")
class CodeHead(keras.layers.Layer):
    """Regresses the code from features; before training it gives the lit mean face.

    One zero-initialised `Dense` a part (high-fidelity MoFA, section 8), so that an optimiser can
    give each its own rate; the translation is split into `translation_xy` and `translation_z`.
    The output is `offset + scale * dense`: the offset stands the mean face in the middle of the
    picture and lights it with white ambient light of the paper's level.

    Args:
        sizes: name -> size of each part of the code, in order.
        initial_translation: `(3,)` camera-space translation of the mean face, mm.
        ambient: Shading of the initial light, 0.7 in the paper.

    Input: `[B, F]` features. Output: `[B, N]` float32 code (see `CodeLayout`).
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        initial_translation: Sequence[float],
        ambient: float = AMBIENT,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.sizes, self.ambient = dict(sizes), float(ambient)
        self.initial_translation = [float(value) for value in initial_translation]
        self.layout = CodeLayout(self.sizes)
        widths = {}
        for name, size in self.sizes.items():
            split = {"translation_xy": 2, "translation_z": 1}
            widths.update(split if name == "translation" else {name: size})
        widths = {name: width for name, width in widths.items() if width}  # a model may lack a part
        self.parts = [
            keras.layers.Dense(width, kernel_initializer="zeros", name=name, dtype="float32")
            for name, width in widths.items()
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for part in self.parts:
            part.build(input_shape)
        self.built = True

    def call(self, features: tf.Tensor) -> tf.Tensor:
        raw = tf.concat([part(features) for part in self.parts], axis=-1)
        scale, offset = [], []
        for name, size in self.sizes.items():
            scale += [UNIT_TRANSLATION if name == "translation" else 1.0] * size
            if name == "translation":
                offset += self.initial_translation
            elif name == "illumination":
                offset += ambient_illumination(self.ambient).reshape(-1).tolist()
            else:
                offset += [0.0] * size
        return tf.constant(offset) + tf.constant(scale) * raw

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.layout.size)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype", None)
        own = {"sizes": self.sizes, "initial_translation": self.initial_translation}
        return {**config, **own, "ambient": self.ambient}
