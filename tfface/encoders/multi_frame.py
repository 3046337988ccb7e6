"""FML's network: towers that share their weights, and one identity for all frames of a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfface.code import CodeLayout
from tfface.encoders.caffe_layers import require_size
from tfface.encoders.compact import batch_normalized, normalized_convolution, residual_features
from tfface.layers.code_head import CodeHead

IDENTITY_PARTS = ("identity", "albedo")  # of a person; the others are a frame's own
SMALLEST_IMAGE = 64
Shape = tuple[int | None, ...]
Map = tuple[int, int, int]  # height, width, channels


@dataclass(frozen=True)
class _Widths:
    """Channels and units; with `normalized`, batch normalisation before the ReLUs of convolutions
    and of the identity's layers. (Without, these die, and one face stands for all.)

    Attributes:
        low, medium: Of the features of those names.
        identity: Convolutions after the pooling over frames.
        identity_units: Of each of two layers after them.
        frame: Convolutions of a frame's own parameters; the first sees the identity alone.
        frame_units: Of the layer after them.
    """

    low: int
    medium: int
    identity: tuple[int, int]
    identity_units: int
    frame: tuple[int, int, int, int]
    frame_units: int
    normalized: bool


WIDTHS = {
    "fml": _Widths(384, 256, (384, 256), 1000, (384, 384, 384, 256), 2048, False),  # tables 1 to 3
    "compact": _Widths(96, 96, (128, 96), 384, (48, 96, 96, 64), 384, True),  # for CPUs
}


@keras.saving.register_keras_serializable(package="tfface")
class MultiFrameEncoder(keras.layers.Layer):
    """Images `[B, M, S, S, 3]` in [0, 1] of B persons -> codes `[B, M, N]` (supplement, section 1).

    M is any number, and may be another in every call. A tower gives low and medium features of
    each frame; the mean of the medium ones over the frames gives the person's identity and
    reflectance, which are the same in all of the person's codes; with them, a frame's low features
    give its expression, pose and light. The paper's table 1 has no pooling before the third
    convolution, but its sizes ask for one.

    Args:
        network: One of `WIDTHS`: `fml`, the paper's, or `compact`.
        image_size: S.
        sizes: name -> size of the parts of the code, in order.
        initial_translation: See `CodeHead`.

    Raises:
        ValueError: the name is unknown.
        ImageSizeError: the images are too small.
    """

    def __init__(
        self,
        network: str,
        image_size: int,
        sizes: Mapping[str, int],
        initial_translation: Iterable[float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if network not in WIDTHS:
            raise ValueError(f"network: expected one of {', '.join(WIDTHS)}, got {network!r}")
        require_size(image_size, SMALLEST_IMAGE)
        self.network, self.image_size = network, int(image_size)
        self.layout = CodeLayout(sizes)
        self.initial_translation = [float(value) for value in initial_translation]
        own = {name: size for name, size in sizes.items() if name not in IDENTITY_PARTS}
        shared = {name: sizes[name] for name in IDENTITY_PARTS}
        widths = WIDTHS[network]
        self.low = _low_features(network, image_size)
        self.medium = _medium_features(self.low.output_shape[1:], widths)
        self.identity = _identity_features(self.medium.output_shape[1:], widths)
        self.identity_head = CodeHead(shared, self.initial_translation, name="identity_head")
        self.frame = _frame_features(self.low.output_shape[1:], sum(shared.values()), widths)
        self.frame_head = CodeHead(own, self.initial_translation, name="frame_head")

    def build(self, input_shape: Shape) -> None:
        self.identity_head.build(self.identity.output_shape)
        self.frame_head.build(self.frame.output_shape)
        self.built = True

    def call(
        self, images: tf.Tensor, present: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """See above.

        Args:
            images: `[B, M, S, S, 3]`.
            present: `[B, M]`, 0 where a frame is missing, which then tells nothing of its person;
                its code is of no use. None if none is.
        """
        count, frames = tf.shape(images)[0], tf.shape(images)[1]
        side = self.image_size
        low = self.low(tf.reshape(images, [-1, side, side, 3]), training=training)
        medium = self.medium(low, training=training)
        each = tf.reshape(medium, [count, frames, *self.medium.output_shape[1:]])
        pooled = self.identity(_mean_over_frames(each, present), training=training)
        person = tf.repeat(self.identity_head(pooled), frames, axis=0)
        own = self.frame_head(self.frame([low, person], training=training))
        parts = {
            **self.identity_head.layout.split(person),
            **self.frame_head.layout.split(own),
        }
        return tf.reshape(self.layout.join(parts), [count, frames, self.layout.size])

    def compute_output_shape(self, images_shape: Shape, present_shape: Any = None) -> Shape:
        return (*images_shape[:2], self.layout.size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "network": self.network,
            "image_size": self.image_size,
            "sizes": self.layout.sizes(),
            "initial_translation": self.initial_translation,
        }


def _mean_over_frames(features: tf.Tensor, present: tf.Tensor | None) -> tf.Tensor:
    """`[B, M, H, W, C]` -> `[B, H, W, C]`, of the frames that are present."""
    if present is None:
        return tf.reduce_mean(features, axis=1)
    weights = tf.cast(present, features.dtype)
    total = tf.reduce_sum(features * weights[:, :, None, None, None], axis=1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=1)[:, None, None, None])


def _low_features(network: str, image_size: int) -> keras.Model:
    """Table 1 as far as `lowFeatures`; of `compact` they are an eighth as wide as the image."""
    images = keras.Input((image_size, image_size, 3), name="images")
    widths = WIDTHS[network]
    if network == "fml":
        x = _convolution(2.0 * images - 1.0, 96, 11, strides=4)
        x = layers.MaxPooling2D(3, 2)(x)
        x = layers.MaxPooling2D(3, 2)(_convolution(x, 256, 5))
        x = _convolution(x, widths.low, 3)
    else:
        x = residual_features(images, (24, 48, widths.low), (1, 1))
    return keras.Model(images, x, name="low_features")


def _medium_features(shape: Map, widths: _Widths) -> keras.Model:
    """Table 1 from there to `mediumFeatures`, a quarter as wide."""
    low = keras.Input(shape, name="low")
    x = _convolution(low, widths.medium, 3, strides=2, normalized=widths.normalized)
    x = _convolution(x, widths.medium, 3, strides=2, normalized=widths.normalized)
    return keras.Model(low, x, name="medium_features")


def _identity_features(shape: Map, widths: _Widths) -> keras.Model:
    """Table 2 after the pooling, as far as its last layer."""
    pooled = keras.Input(shape, name="pooled")
    x = pooled
    for width in widths.identity:
        x = _convolution(x, width, 3, normalized=widths.normalized)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = _dense(x, widths.identity_units, widths)
    return keras.Model(pooled, x, name="identity_features")


def _frame_features(shape: Map, identity_size: int, widths: _Widths) -> keras.Model:
    """Table 3 as far as its last layer: low features and the identity's parameters."""
    low = keras.Input(shape, name="low")
    identity = keras.Input((identity_size,), name="identity")
    height, width, _ = shape
    x = layers.Dense(height * width, "relu", kernel_initializer="he_normal")(identity)
    x = layers.Reshape((height, width, 1))(x)
    x = _convolution(x, widths.frame[0], 3, normalized=widths.normalized)
    x = layers.Concatenate()([x, low])
    for channels in widths.frame[1:]:
        x = _convolution(x, channels, 3, normalized=widths.normalized)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    x = layers.Dense(widths.frame_units, "relu", kernel_initializer="he_normal")(x)
    return keras.Model([low, identity], x, name="frame_features")


def _convolution(
    x: keras.KerasTensor, width: int, kernel: int, strides: int = 1, normalized: bool = False
) -> keras.KerasTensor:
    if normalized:
        return normalized_convolution(x, width, kernel, strides)
    options = {"activation": "relu", "kernel_initializer": "he_normal"}
    return layers.Conv2D(width, kernel, strides, "same", **options)(x)


def _dense(x: keras.KerasTensor, units: int, widths: _Widths) -> keras.KerasTensor:
    if widths.normalized:
        return batch_normalized(layers.Dense(units, use_bias=False)(x))
    return layers.Dense(units, "relu", kernel_initializer="he_normal")(x)
