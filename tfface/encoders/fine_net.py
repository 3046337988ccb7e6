"""FineNet: hypercolumns of a recognition network that refine a depth map (Richardson et al. 2017).

Section 4.2: a network that sees the picture and the coarse depth is cut off before its third
pooling; the maps of its stages are brought back to the picture's size by learned up-convolutions
and regressed, pixel by pixel. All of it is convolution, so pictures of any size will do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfface.encoders.caffe_layers import convolution, subtract_mean
from tfface.encoders.published_weights import load_published_weights
from tfface.encoders.vgg_face import MEAN_RGB
from tfface.encoders.vgg_face import STAGES as VGG_STAGES
from tfface.rendering.srgb import grey

# (width, convolutions) of the stages; VGG-Face's make 2 + 64 + 128 + 256 = 450 channels.
STAGES = {"vgg_face": VGG_STAGES[:3], "compact": ((16, 2), (32, 2), (64, 2))}
_HIDDEN = 32  # channels between the two 1x1 convolutions
_STEEP = 4.0  # slope at which it stops telling steep from steeper
_MULTIPLE = 2 ** (len(STAGES["compact"]) - 1)  # of which padded sides are

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class FineNet(layers.Layer):
    """Refines height maps: what it returns differs from its input where the mask is not zero.

    The stages see colours, the slopes of the coarse surface, and how the shading wants them to
    change; grey value and height (in sides of the picture) join the hypercolumn as they are: none
    of it depends on the size of the picture.
    What is regressed is a correction, in pixels; before training the surface comes out as it went
    in.

    Args:
        stages: `vgg_face` (450 channels) or `compact` (114, for CPUs).

    Inputs: images `[B, H, W, 3]` in [0, 1], heights `[B, H, W, 1]` (towards the camera, pixels),
    hints `[B, H, W, 2]` (changes of their slopes) and mask `[B, H, W, 1]`. Output: heights
    `[B, H, W, 1]` float32.

    Raises:
        ValueError: the stages are unknown.
    """

    def __init__(self, stages: str = "compact", **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)  # half precision cannot hold heights
        if stages not in STAGES:
            raise ValueError(f"stages: expected one of {', '.join(STAGES)}, got {stages!r}")
        self.stages = stages
        self.columns = _columns(stages)
        self.hidden = layers.Conv2D(_HIDDEN, 1, activation="relu", name="hidden")
        self.regressor = layers.Conv2D(
            1, 1, kernel_initializer="zeros", name="correction", dtype="float32"
        )

    def build(self, *shapes: Shape) -> None:
        channels = self.columns.output_shape[-1] + 2
        self.hidden.build((None, None, None, channels))
        self.regressor.build((None, None, None, _HIDDEN))
        self.built = True

    def call(
        self, images: tf.Tensor, heights: tf.Tensor, hints: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        columns = self.hypercolumn(images, heights, hints)
        return heights + mask * tf.cast(self.regressor(self.hidden(columns)), tf.float32)

    def hypercolumn(self, images: tf.Tensor, heights: tf.Tensor, hints: tf.Tensor) -> tf.Tensor:
        """The features of each pixel, `[B, H, W, C]`."""
        size = tf.shape(images)[1:3]
        rows, columns = tf.unstack(-size % _MULTIPLE)
        padding = [[0, 0], [0, rows], [0, columns], [0, 0]]
        images, heights, hints = (
            tf.pad(tensor, padding, "SYMMETRIC") for tensor in (images, heights, hints)
        )
        slopes = tf.clip_by_value(tf.concat(tf.image.image_gradients(heights), -1), -_STEEP, _STEEP)
        maps = self.columns([images, tf.concat([slopes, hints], axis=-1)])
        intensity = grey(images)
        relative = heights / tf.cast(size[1], heights.dtype)
        raw = [tf.cast(tensor, maps.dtype) for tensor in (intensity, relative)]
        return tf.concat([*raw, maps], axis=-1)[:, : size[0], : size[1]]

    def load_vgg_face(self, path: str | Path) -> None:
        """Loads published VGG-Face weights from the user's file into the stages.

        Raises:
            WeightsError: the file does not hold them, or the stages are not those of VGG-Face.
        """
        load_published_weights(self.columns, path, r"conv\d_\d")

    def compute_output_shape(self, images_shape: Shape, *others: Shape) -> Shape:
        return (*images_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "stages": self.stages}


def _columns(name: str) -> keras.Model:
    """Images `[B, H, W, 3]`, slopes and hints `[B, H, W, 4]` -> the maps of all stages, joined."""
    images = keras.Input((None, None, 3), name="images")
    slopes = keras.Input((None, None, 4), name="slopes")
    (width, count), *deeper = STAGES[name]
    first = convolution(subtract_mean(images, MEAN_RGB), width, 3, "conv1_1", activation=None)
    second = layers.Conv2D(width, 3, padding="same", use_bias=False, name="slopes1_1")(slopes)
    x = layers.ReLU()(layers.Add()([first, second]))
    for i in range(2, count + 1):
        x = convolution(x, width, 3, f"conv1_{i}")
    maps = [x]
    for stage, (width, count) in enumerate(deeper, start=2):
        x = layers.MaxPooling2D(2, 2, name=f"pool{stage - 1}")(x)
        for i in range(1, count + 1):
            x = convolution(x, width, 3, f"conv{stage}_{i}")
        wide = x
        for i in range(1, stage):
            wide = layers.Conv2DTranspose(width, 2, 2, name=f"up{stage}_{i}")(wide)
        maps.append(wide)
    return keras.Model([images, slopes], layers.Concatenate()(maps), name=name)
