"""Records of several pictures of one person, and the dataset that reads them.

A record is a `tf.train.SequenceExample`; see `tfface.data.records` for the meaning of its features.
Context: `person`. Sequences, with an entry for each picture: `image`, `margin`, `landmarks`,
`confidence`, `crop`, `source`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from tfface.data.augmentation import Augmentation, Example
from tfface.data.face_records import FaceRecord
from tfface.data.records import bytes_feature, crop_example, floats_feature, record_files
from tfface.data.shuffling import shuffled_passes

_SEQUENCES = {
    "image": tf.io.FixedLenSequenceFeature([], tf.string),
    "margin": tf.io.FixedLenSequenceFeature([], tf.float32),
    "landmarks": tf.io.FixedLenSequenceFeature([68, 2], tf.float32),
    "confidence": tf.io.FixedLenSequenceFeature([68], tf.float32),
    "crop": tf.io.FixedLenSequenceFeature([4], tf.float32),
    "source": tf.io.FixedLenSequenceFeature([], tf.string),
}
_SHUFFLE_BUFFER = 1024  # encoded records


def encode_person(pictures: Sequence[FaceRecord]) -> bytes:
    """Pictures of one person as a serialised record: the same pictures give the same bytes."""
    lists: dict[str, list[tf.train.Feature]] = {
        "image": [bytes_feature(picture.picture) for picture in pictures],
        "margin": [floats_feature([picture.margin]) for picture in pictures],
        "landmarks": [floats_feature(picture.landmarks.ravel()) for picture in pictures],
        "confidence": [floats_feature(picture.confidence) for picture in pictures],
        "crop": [floats_feature(picture.crop) for picture in pictures],
        "source": [bytes_feature(picture.source.encode()) for picture in pictures],
    }
    person = {"person": bytes_feature(pictures[0].person.encode())}
    example = tf.train.SequenceExample(
        context=tf.train.Features(feature=person),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                name: tf.train.FeatureList(feature=entries) for name, entries in lists.items()
            }
        ),
    )
    return example.SerializeToString(deterministic=True)


def parse_person(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """All features of a serialised record, the pictures still encoded."""
    context = {"person": tf.io.FixedLenFeature([], tf.string)}
    person, pictures = tf.io.parse_single_sequence_example(serialized, context, _SEQUENCES)
    return {**person, **pictures}


def read_persons(
    patterns: str | Path | Iterable[str | Path],
    image_size: int,
    frames: int,
    *,
    repeat: bool = False,
    seed: int = 0,
    first_example: int = 0,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """The persons of TFRecord files, one by one; a function of the arguments alone.

    Args:
        patterns: Files, glob patterns, or folders.
        image_size: Side S of the crops, px.
        frames: M; of a record with more, the first, which differ most, are taken; missing ones are
            black.
        repeat: Go on for ever, in another order in each pass.
        seed: Of the orders and of the augmentation.
        first_example: Persons to pass over.
        augmentation: How crops vary, each in its own way; none if None.

    Returns:
        A dataset of dicts: `image` `(M, S, S, 3)` float32 in [0, 1], `landmarks` `(M, 68, 2)` in
        pixels of the crops, `confidence` `(M, 68)`, zero of missing ones.

    Raises:
        ValueError: no file matches a pattern.
    """
    single = isinstance(patterns, (str, Path))
    files = record_files(patterns if single else list(patterns))  # type: ignore[arg-type]
    dataset = tf.data.TFRecordDataset(files)
    if repeat:
        dataset = shuffled_passes(dataset, _SHUFFLE_BUFFER, seed)
    dataset = dataset.skip(first_example).enumerate(first_example)
    shapes = {"image": [image_size, image_size, 3], "landmarks": [68, 2], "confidence": [68]}

    def decode(number: tf.Tensor, serialized: tf.Tensor) -> Example:
        pictures = parse_person(serialized)
        del pictures["person"]
        pictures = {name: values[:frames] for name, values in pictures.items()}
        seeds = tf.random.split(tf.stack([tf.constant(seed, tf.int64), number]), frames)

        def crop(entry: tuple[dict[str, tf.Tensor], tf.Tensor]) -> Example:
            return crop_example(entry[0], image_size, entry[1], augmentation)

        known = tf.shape(pictures["image"])[0]
        crops = tf.map_fn(
            crop, (pictures, seeds[:known]), fn_output_signature=dict.fromkeys(shapes, tf.float32)
        )
        return {
            name: tf.ensure_shape(
                tf.pad(crops[name], [[0, frames - known], *[[0, 0]] * len(shape)]), [frames, *shape]
            )
            for name, shape in shapes.items()
        }

    return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
