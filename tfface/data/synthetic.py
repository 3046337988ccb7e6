"""Training faces drawn from a face model and rendered, with their true codes.

Faces are posed, lit, given hair, clothes and a background, and cropped by the rule that photos are
cropped by. The stream is deterministic: the same seed gives the same faces.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfface.config import SyntheticConfig
from tfface.data.code_samplers import CodeSampler, FaceSampler
from tfface.data.synthetic_rendering import FacePainter
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

GROUP = 16  # faces that are drawn together, which takes less time than one by one

Painted = dict[str, tf.Tensor]


def synthetic_faces(
    model: MorphableModel,
    decoder: FaceDecoder,
    settings: SyntheticConfig,
    seed: int,
    first: int = 0,
    sampler: CodeSampler | None = None,
) -> tf.data.Dataset:
    """An endless stream of drawn faces, a function of the seed.

    Args:
        model: The face model.
        decoder: A decoder of that model; sets the size of the pictures.
        settings: How the faces vary.
        seed: Seed of the stream.
        first: The number of faces to leave out at the start, for resuming.
        sampler: Draws the codes; None draws them as `settings` says.

    Returns:
        A dataset of `(image [S, S, 3] float32, targets)`, targets `landmarks [68, 2]` in pixels,
        `confidence [68]`, `code [N]` and `has_code []`.
    """
    sampler = sampler or FaceSampler(model, decoder, settings)
    painter = FacePainter(model, decoder, settings)

    def paint(codes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, Painted]:
        painted = painter(codes, seed)
        targets = {
            "landmarks": painted["landmarks"],
            "confidence": tf.ones([GROUP, 68]),
            "code": codes,
            "has_code": tf.ones([GROUP]),
        }
        return painted["image"], targets

    return painted_faces(sampler, paint, seed, first)


def painted_faces(
    sampler: CodeSampler,
    paint: Callable[[tf.Tensor, tf.Tensor], object],
    seed: int,
    first: int = 0,
) -> tf.data.Dataset:
    """An endless stream of what `paint` makes of drawn codes, a function of the seed.

    Args:
        sampler: Draws the codes.
        paint: Codes `[GROUP, N]` and a seed `[2]` -> a structure of tensors `[GROUP, ...]`.
        seed: Seed of the stream.
        first: The number of faces to leave out at the start.
    """

    @tf.autograph.experimental.do_not_convert  # which takes longer than the rest of the tracing
    def draw(group: tf.Tensor) -> object:
        seeds = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), group])))
        return paint(sampler.draw(GROUP, seeds[0]), seeds[1])

    groups = tf.data.Dataset.counter(first // GROUP)
    groups = groups.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return groups.unbatch().skip(first % GROUP)
