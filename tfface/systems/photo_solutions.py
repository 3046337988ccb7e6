"""Photos with the solutions that CoarseNet had of them before the end-to-end training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface.config import CoarseFineConfig, ConfigError
from tfface.data.records import read_records
from tfface.data.shuffling import shuffled_passes
from tfface.files import Arrays, kept
from tfface.systems.coarse_net import CoarseNet

_SHUFFLE_BUFFER = 1024
_BATCH = 16


def photo_batches(
    net: CoarseNet,
    drawn: tf.data.Dataset,
    config: CoarseFineConfig,
    batch_size: int,
    folder: Path,
    chief: bool,
    first_step: int,
) -> tf.data.Dataset:
    """Endless batches `(images [B, S, S, 3], {"original": [B, R]})`.

    Args:
        net: As it is when the stage begins.
        drawn: Pictures `[S, S, 3]` that stand for photos where there are no records.
        config: The run.
        batch_size: B.
        folder: Of the run, which keeps the solutions.
        chief: Whether this process writes.
        first_step: Batches to leave out at the start.

    Raises:
        ConfigError: the run goes on in the middle of the stage, and its solutions are gone or those
            of other settings.
    """
    photos, size = drawn, net.decoder.image_size
    if config.end_to_end.records:
        photos = read_records(config.end_to_end.records, size).map(lambda face: face["image"])
    photos = photos.map(partial(tf.image.convert_image_dtype, dtype=tf.uint8, saturate=True))
    file = folder / "solutions.npz"

    def solve() -> Arrays:
        if first_step:
            raise ConfigError(
                f"output: expected {file} of this run, which CoarseNet has left since, got none "
                "for these settings: start again, or from the last checkpoint before"
            )
        return {"solutions": _solutions(net, photos)}

    settings = config.model_dump_json(
        include={
            "face_model": True,
            "model": True,
            "seed": True,
            "end_to_end": {"records"},
            "data": {"synthetic"},  # stands for photos where there are no records
        }
    )
    originals = tf.data.Dataset.from_tensor_slices(kept(file, settings, chief, solve)["solutions"])
    pairs = tf.data.Dataset.zip(photos, originals)
    pairs = shuffled_passes(pairs, _SHUFFLE_BUFFER, config.seed).skip(first_step * batch_size)

    def example(images: tf.Tensor, original: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return tf.image.convert_image_dtype(images, tf.float32), {"original": original}

    batches = pairs.batch(batch_size, drop_remainder=True)
    return batches.map(example, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _solutions(net: CoarseNet, photos: tf.data.Dataset) -> np.ndarray:
    """`(M, R)` of pictures, by all passes."""

    @tf.function
    def solve(pictures: tf.Tensor) -> tf.Tensor:
        return net.iterate(tf.image.convert_image_dtype(pictures, tf.float32))[:, -1]

    batches = tqdm(photos.batch(_BATCH), "looking at photos", unit="batch")
    return np.concatenate([solve(batch).numpy() for batch in batches])
