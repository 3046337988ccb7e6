"""Neutral faces that systems see in photos, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from identity_regression_evaluation.photos import Portraits
from tfface.exported_model import ExportedModel
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.chip_alignment import CHIP_RULE
from tfface.systems.face_views import ChipRenderer, frontal_views

PARTS = ("identity", "albedo")
_BATCH = 16

Codes = dict[str, np.ndarray]


def neutral_codes(model: ExportedModel, faces: Portraits) -> Codes:
    """`identity` and `albedo` `(M, K)` that a system sees in photos, as it wants them cropped."""
    chips = model.crop_rule == CHIP_RULE
    pictures = faces.chips[model.image_size] if chips else faces.crops
    batches = [
        model.regress(pictures[first : first + _BATCH]) for first in range(0, len(pictures), _BATCH)
    ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in PARTS}


def mean_codes(codes: Mapping[str, np.ndarray]) -> Codes:
    """The mean face, as often."""
    return {name: np.zeros_like(values) for name, values in codes.items()}


def frontal_chips(model: MorphableModel, codes: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Chips `(M, S, S, 3)` in [0, 1] of neutral faces from the front, all in the same light."""
    decoder = FaceDecoder.of_model(model, size)
    renderer = ChipRenderer(decoder, size)
    modes = decoder.code_sizes["expression"]

    @tf.function(reduce_retracing=True)
    def draw(identity: tf.Tensor, albedo: tf.Tensor) -> tf.Tensor:
        count = tf.shape(identity)[0]
        neutral = tf.zeros([count, modes])
        return renderer(identity, neutral, albedo, frontal_views(count))

    count = len(codes["identity"])
    return np.concatenate(
        [
            draw(*(tf.constant(codes[name][first : first + _BATCH]) for name in PARTS)).numpy()
            for first in range(0, count, _BATCH)
        ]
    )


def spread(model: MorphableModel, versions: list[Codes]) -> np.ndarray:
    """How far the shapes that a system sees in versions of one photo lie apart, mm, `(M,)`.

    The mean distance of a vertex of the face from its mean over the versions.
    """
    shapes = np.stack([_shapes(model, codes) for codes in versions])  # (versions, M, V, 3)
    return np.linalg.norm(shapes - shapes.mean(axis=0), axis=-1).mean(axis=(0, 2))


def differences(model: MorphableModel, codes: Codes) -> float:
    """The same among different people: what a system that always saw one face would lack."""
    shapes = _shapes(model, codes)
    return float(np.linalg.norm(shapes - shapes.mean(axis=0), axis=-1).mean())


def _shapes(model: MorphableModel, codes: Codes) -> np.ndarray:
    face = model.regions["face"] > 0.5
    return np.einsum("vck,mk->mvc", model.identity[face], codes["identity"]).astype(np.float32)
