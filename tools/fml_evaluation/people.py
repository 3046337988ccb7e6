"""Drawn people whose geometry and light are known; no system is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.code_samplers import FaceSampler
from tfface.data.synthetic_rendering import FacePainter
from tfface.data.video import VideoWriter
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

SEED = 9_000_003  # apart from training's seeds, which are small; the run's seed is added
_BATCH = 8  # people at a time
FILM_SIDE, FILM_RATE = 320, 12  # px, frames per second


@dataclass(frozen=True, eq=False)
class People:
    """P people (M pictures of each, S by S pixels).

    Attributes:
        pictures: `(P, M, S, S, 3)` uint8.
        vertices: `(P, M, V, 3)` mm, identity and expression, without pose.
    """

    pictures: np.ndarray
    vertices: np.ndarray


def draw_people(
    model: MorphableModel,
    decoder: FaceDecoder,
    settings: SyntheticConfig,
    count: int,
    frames: int,
    seed: int,
    light_only: bool = False,
) -> People:
    """Draws people.

    Args:
        model: The face model.
        decoder: Of it, at the size of the pictures.
        settings: How they vary.
        count: P.
        frames: M.
        seed: Of everything.
        light_only: A person's pictures differ by their light, and by nothing else.
    """
    sampler = FaceSampler(model, decoder, settings, frames)
    painter, layout = FacePainter(model, decoder, settings), CodeLayout(decoder.code_sizes)
    found: list[tuple[np.ndarray, ...]] = []
    for first in range(0, count, _BATCH):
        number = min(_BATCH, count - first)
        seeds = tf.unstack(tf.random.split(tf.constant([SEED + seed, first], tf.int64)))
        codes = sampler.draw(number * frames, seeds[0])
        parts = layout.split(codes)
        if light_only:
            parts |= {
                name: tf.repeat(part[::frames], frames, axis=0)
                for name, part in parts.items()
                if name != "illumination"
            }
            codes = layout.join(parts)
        vertices = decoder.face_model.vertices(parts["identity"], parts["expression"])
        # One after another, so that hair and background of a person's pictures are one.
        images = [
            painter(codes[i::frames], seeds[1] if light_only else seeds[1] + i)["image"]
            for i in range(frames)
        ]
        pictures = np.round(255 * np.clip(np.stack(images, axis=1), 0, 1)).astype(np.uint8)
        found.append((pictures, vertices.numpy().reshape(number, frames, -1, 3)))
    return People(*(np.concatenate(values) for values in zip(*found, strict=True)))


def draw_film(
    model: MorphableModel, settings: SyntheticConfig, count: int, seed: int, file: Path
) -> None:
    """Writes a film of one drawn person who turns the head and changes expression.

    Args:
        model: The face model.
        settings: How people vary.
        count: Frames.
        seed: Of everything.
        file: The film.
    """
    decoder = FaceDecoder.of_model(model, FILM_SIDE)
    layout, seeds = CodeLayout(decoder.code_sizes), tf.constant([SEED + seed, 1], tf.int64)
    sampler = FaceSampler(model, decoder, settings, frames=2)
    begun, ended = (
        {name: part[i : i + 1] for name, part in layout.split(sampler.draw(2, seeds)).items()}
        for i in (0, 1)
    )
    painter = FacePainter(model, decoder, settings)
    with VideoWriter(file, FILM_RATE) as writer:
        for number in range(count):
            time = number / max(count - 1, 1)
            parts = dict(begun)
            change = ended["expression"] - begun["expression"]
            parts["expression"] = begun["expression"] + time * change
            parts["rotation"] = tf.constant(
                [[0.1 * np.sin(4 * np.pi * time), 0.5 * np.sin(2 * np.pi * time), 0.0]], tf.float32
            )
            farther = np.multiply(decoder.initial_translation, (1.0, 1.0, 1.6))
            parts["translation"] = tf.constant(farther[None], tf.float32)
            image = painter(layout.join(parts), seeds)["image"][0]
            writer.write(np.round(255 * np.clip(image, 0, 1)).astype(np.uint8))
