"""Features of recognition networks, computed once: of photos, and of drawn faces with their codes.

The networks are frozen, so a step of training needs no pass through them for what it is given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface.data.chips import crop_chip
from tfface.data.records import read_records
from tfface.files import Arrays

RECORD_SIZE = 256  # pixels of the crops that chips are cut out of
_BATCH = 32


def photo_chips(records: Sequence[str], size: int) -> Iterator[np.ndarray]:
    """The aligned chips `(S, S, 3)` uint8 of the faces of records, in their order."""
    for photo in read_records(list(records), RECORD_SIZE).as_numpy_iterator():
        pixels = np.round(255 * photo["image"]).astype(np.uint8)
        yield crop_chip(pixels, photo["landmarks"], size)


def photo_features(network: keras.Model, records: Sequence[str], size: int) -> Arrays:
    """`features` `[M, F]` of the photos of records."""
    chips = tqdm(photo_chips(records, size), "looking at photos", unit="photo")
    features = []
    while batch := list(itertools.islice(chips, _BATCH)):
        pictures = tf.constant(np.stack(batch), tf.float32) / 255
        features.append(network(pictures, training=False).numpy())
    return {"features": np.concatenate(features)}


def feature_batches(
    photos: np.ndarray | None,
    drawn: Arrays,
    photo_count: int,
    drawn_count: int,
    seed: int,
    first_step: int,
) -> tf.data.Dataset:
    """Endless batches for `IdentityRegression`, a function of the seed and the step.

    Args:
        photos: `[M, F]` features; None gives batches of drawn faces alone.
        drawn: `features` `[D, F]` and `code` `[D, N]`.
        photo_count, drawn_count: Of each in a batch.
        seed: Of the choice.
        first_step: Batches to leave out at the start.
    """
    tensors = {name: tf.convert_to_tensor(values) for name, values in drawn.items()}
    faces = None if photos is None else tf.convert_to_tensor(photos)

    def pick(values: tf.Tensor, count: int, seeds: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([count], seeds, 0, len(values), tf.int32)

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        seeds = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), step]), 2))
        chosen = pick(tensors["code"], drawn_count, seeds[0])
        code, features = (tf.gather(tensors[name], chosen) for name in ("code", "features"))
        if faces is None:
            return features, {"code": code}
        photo = tf.gather(faces, pick(faces, photo_count, seeds[1]))
        return photo, {"code": code, "drawn": features}

    steps = tf.data.Dataset.counter(first_step)
    return steps.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
