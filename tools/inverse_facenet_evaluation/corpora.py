"""The distributions of the supplement's corpora, and a corpus in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfface.config import Constant, Normal, Samples, SyntheticConfig, Uniform
from tfface.data.corpus import read_corpus
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

_LIPS = (62, 66)  # iBUG landmarks: the middle of the upper and of the lower lip, inside
_BIAS = 0.5  # of that expression
_WIDE_MOUTHS = 0.1  # of the natural expressions, those that open the mouth most, make the bias


@dataclass(frozen=True)
class Truth:
    """A corpus: pictures `[M, S, S, 3]` uint8 and codes `[M, N]`."""

    images: np.ndarray
    codes: np.ndarray


def read_truth(folder: Path, model: MorphableModel, decoder: FaceDecoder) -> Truth:
    """Reads a corpus.

    Raises:
        CorpusError: the folder is not a corpus of this model and size.
    """
    faces, _ = read_corpus([folder], model, decoder)
    pairs = [(image, targets["code"]) for image, targets in faces.as_numpy_iterator()]
    images, codes = zip(*pairs, strict=True)
    return Truth(np.stack(images), np.stack(codes))


def narrow() -> SyntheticConfig:
    """Faces that vary little: alike in shape, closed mouths, white light."""
    return SyntheticConfig(
        identity=Normal(deviation=0.4),
        expression=Samples(scale=Uniform(low=0.0, high=0.4)),
        albedo=Samples(scale=Constant(value=0.6)),
        yaw=Normal(deviation=15.0, low=-40.0, high=40.0),
        pitch=Normal(deviation=6.0, low=-15.0, high=15.0),
        roll=Normal(deviation=5.0, low=-12.0, high=12.0),
        ambient=Uniform(low=0.55, high=0.75),
        directional=Uniform(low=0.0, high=0.3),
        light_tint=Normal(deviation=0.02),
        hair=0.0,
        supersampling=1,
    )


def wide(model: MorphableModel) -> SyntheticConfig:
    """Biased towards open mouths and coloured light, with more variation.

    In expression and colour, as section 1 says; people vary as in training. (The caption of figure
    2 also speaks of shape.)
    """
    return narrow().model_copy(
        update={
            "expression": Samples(
                scale=Uniform(low=0.3, high=0.9), bias=(_BIAS * open_mouth(model)).tolist()
            ),
            "albedo": Samples(scale=Constant(value=1.0)),
            "light_tint": Normal(deviation=0.3),
            "ambient": Uniform(low=0.4, high=0.9),
            "directional": Uniform(low=0.0, high=0.7),
        }
    )


def open_mouth(model: MorphableModel) -> np.ndarray:
    """The mean `(K,)` of the natural expressions that open the mouth most."""
    samples = np.asarray(model.expression_samples)
    upper, lower = (model.expression[model.landmarks[lip], 1] for lip in _LIPS)
    gaps = samples @ (upper - lower)
    widest = np.argsort(gaps)[-max(1, round(_WIDE_MOUTHS * len(samples))) :]
    return samples[widest].mean(axis=0)
