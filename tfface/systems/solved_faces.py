"""Photos and drawn faces, with what CoarseNet solved before FineNet was trained."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface.config import CoarseFineConfig, ConfigError
from tfface.data.records import read_records, record_files
from tfface.data.shuffling import shuffled_passes
from tfface.data.training_data import joined, to_bytes, to_floats
from tfface.files import Arrays, kept
from tfface.systems.coarse_net import CoarseNet

_SHUFFLE_BUFFER = 1024
_BATCH = 16

Example = tuple[tf.Tensor, dict[str, tf.Tensor]]


def solved_batches(
    net: CoarseNet,
    drawn: tf.data.Dataset,
    config: CoarseFineConfig,
    folder: Path,
    chief: bool,
    first_step: int,
    changed: bool,
) -> tf.data.Dataset:
    """Endless batches, half of them photos (without records: drawn faces), half drawn faces.

    Args:
        net: As it is when FineNet's training begins.
        drawn: A finite set of pictures `[S, S, 3]` with their true solutions `[R]` and true
            heights `[S, S, 1]`.
        config: The run.
        folder: Of the run, which keeps the solutions.
        chief: Whether this process writes.
        first_step: Batches to leave out at the start.
        changed: Whether CoarseNet has learned since: it cannot give these solutions any more.

    Returns:
        A dataset of `(images [B, S, S, 3], targets)`, targets `solved` `[B, R]`, `original`
        `[B, R]`, `surface` `[B, S, S, 1]`, and `drawn` `[B]`, which is 1 where `original` is the
        truth, and 0 where it is what CoarseNet solved (and `surface` is 0).

    Raises:
        ConfigError: they cannot be made any more, and are gone or those of other settings.
    """
    faces = drawn.map(lambda image, *known: (to_bytes(image), *known)).cache()
    pictures = {"drawn": faces.map(lambda image, *_: image)}
    files: dict[str, int] = {}
    if config.end_to_end.records:
        photos = read_records(config.end_to_end.records, net.decoder.image_size)
        pictures["photos"] = photos.map(lambda photo: to_bytes(photo["image"]))
        files = {name: os.path.getsize(name) for name in record_files(config.end_to_end.records)}
    file = folder / "solutions.npz"

    def solve() -> Arrays:
        if changed:
            raise ConfigError(
                f"output: expected {file} of these settings, made before CoarseNet changed, got "
                "none: start again, or from the last checkpoint before"
            )
        return {name: _solutions(net, images, name) for name, images in pictures.items()}

    settings = config.model_dump_json(
        include={
            "face_model": True,
            "model": True,
            "seed": True,
            "training": {"batch_size", "epochs", "steps_per_epoch"},
            "data": {"synthetic", "augmentation"},
            "end_to_end": {"synthetic", "augmentation"},
        }
    ) + json.dumps(files)
    solved = {
        name: tf.data.Dataset.from_tensor_slices(solutions)
        for name, solutions in kept(file, settings, chief, solve).items()
    }
    source = "photos" if "photos" in pictures else "drawn"
    unlabelled = tf.data.Dataset.zip(pictures[source], solved[source])
    none = tf.zeros(faces.element_spec[2].shape)
    unlabelled = unlabelled.map(
        lambda image, solution: _example(image, solution, solution, none, 0.0)
    )
    labelled = tf.data.Dataset.zip(faces, solved["drawn"])
    labelled = labelled.map(
        lambda face, solution: _example(face[0], solution, face[1], face[2], 1.0)
    )
    half = config.training.batch_size // 2
    counts = (config.training.batch_size - half, half)
    streams = [
        shuffled_passes(examples, _SHUFFLE_BUFFER, config.seed + number)
        .skip(first_step * count)
        .batch(count, drop_remainder=True)
        .map(
            lambda images, targets: (to_floats(images), targets),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        for number, (examples, count) in enumerate(zip((unlabelled, labelled), counts, strict=True))
    ]
    return joined(streams).prefetch(tf.data.AUTOTUNE)


def _example(
    image: tf.Tensor, solved: tf.Tensor, original: tf.Tensor, surface: tf.Tensor, drawn: float
) -> Example:
    known = {"original": original, "surface": surface, "drawn": tf.constant(drawn)}
    return image, {"solved": solved, **known}


def _solutions(net: CoarseNet, pictures: tf.data.Dataset, name: str) -> np.ndarray:
    """`(M, R)` of pictures, by all passes."""

    @tf.function
    def solve(images: tf.Tensor) -> tf.Tensor:
        return net.iterate(to_floats(images))[:, -1]

    batches = tqdm(pictures.batch(_BATCH), f"CoarseNet on {name}", unit="batch")
    return np.concatenate([solve(batch).numpy() for batch in batches])
