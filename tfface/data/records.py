"""Training records: faces as TFRecord files, and the dataset that reads them.

A record is a `tf.train.Example` of these features, see `FaceRecord` for their meaning:

| feature | type | content |
|---|---|---|
| `image` | bytes | the encoded picture, the crop with a margin |
| `margin` | float | the picture's side in sides of the crop |
| `landmarks` | 136 floats | x, y of the 68 landmarks in pixels of the picture |
| `confidence` | 68 floats | in [0, 1] |
| `crop` | 4 floats | the crop's box in pixels of the original photo |
| `source`, `person` | bytes | UTF-8 |
| `source_size` | 2 ints | width, height of the original photo |

A pixel p of the crop at size S lies at `crop[:2] + p * (crop[2] - crop[0]) / S` in the photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfface.data.augmentation import Augmentation, Example, augment_geometry, augment_photometry
from tfface.data.face_records import FaceRecord
from tfface.data.shuffling import shuffled_passes
from tfface.files import write_by_rename

_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "margin": tf.io.FixedLenFeature([], tf.float32),
    "landmarks": tf.io.FixedLenFeature([68, 2], tf.float32),
    "confidence": tf.io.FixedLenFeature([68], tf.float32),
    "crop": tf.io.FixedLenFeature([4], tf.float32),
    "source": tf.io.FixedLenFeature([], tf.string),
    "person": tf.io.FixedLenFeature([], tf.string),
    "source_size": tf.io.FixedLenFeature([2], tf.int64),
}
_SHUFFLE_BUFFER = 4096  # Encoded records (some 20 KB each), not pictures.


def encode_record(
    record: FaceRecord, others: Mapping[str, bytes | Iterable[float]] | None = None
) -> bytes:
    """A record as a serialised `tf.train.Example`: the same record gives the same bytes.

    Args:
        record: The face.
        others: Further features, bytes or numbers.
    """
    features = {
        "image": bytes_feature(record.picture),
        "margin": floats_feature([record.margin]),
        "landmarks": floats_feature(record.landmarks.ravel()),
        "confidence": floats_feature(record.confidence),
        "crop": floats_feature(record.crop),
        "source": bytes_feature(record.source.encode()),
        "person": bytes_feature(record.person.encode()),
        "source_size": tf.train.Feature(int64_list=tf.train.Int64List(value=record.source_size)),
    }
    for name, value in (others or {}).items():
        features[name] = bytes_feature(value) if isinstance(value, bytes) else floats_feature(value)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def write_shard(path: str | Path, records: Iterable[FaceRecord]) -> int:
    """Write a TFRecord file of faces; see `write_serialized`."""
    return write_serialized(path, map(encode_record, records))


def write_serialized(path: str | Path, records: Iterable[bytes]) -> int:
    """Write a TFRecord file, which appears under its name when it is complete.

    Returns:
        The number of records.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    count = 0

    def write(temporary: Path) -> None:
        nonlocal count
        with _told_as_os_error(path):
            writer = tf.io.TFRecordWriter(str(temporary))
        try:
            for record in records:  # whose own errors are none of the file's
                with _told_as_os_error(path):
                    writer.write(record)
                count += 1
        finally:
            with _told_as_os_error(path):
                writer.close()

    write_by_rename(path, write)
    return count


@contextmanager
def _told_as_os_error(path: str | Path) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(f"{path}: {' '.join(str(error.message).split())}") from None


def parse_record(serialized: tf.Tensor, others: Mapping[str, Any] | None = None) -> Example:
    """All features of a serialised record, the picture still encoded; `others` as TensorFlow's."""
    return tf.io.parse_single_example(serialized, {**_FEATURES, **(others or {})})


def read_records(
    patterns: str | Path | Sequence[str | Path],
    image_size: int,
    *,
    shuffle: bool = False,
    repeat: bool = False,
    seed: int = 0,
    first_example: int = 0,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """The faces of TFRecord files as training examples, one by one.

    The stream is a function of the arguments alone: a run that was killed after n examples goes on
    with `first_example=n`. Batch and prefetch it as you need.

    Args:
        patterns: files, glob patterns, or folders (all their `*.tfrecord` files).
        image_size: side of the crops in pixels.
        shuffle: another order in each pass.
        repeat: go on forever.
        seed: of the order and of the augmentation.
        first_example: examples to pass over.
        augmentation: how crops vary; none if None.

    Returns:
        A dataset of dicts: `image` (S, S, 3) float32 in [0, 1], `landmarks` (68, 2) float32 in
        pixels of the crop, `confidence` (68,) float32.

    Raises:
        ValueError: no file matches a pattern.
    """
    files = record_files(patterns)
    dataset = tf.data.Dataset.from_tensor_slices(files).interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(len(files), 16),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    if shuffle:
        passes = shuffled_passes(dataset, _SHUFFLE_BUFFER, seed)
        dataset = passes if repeat else dataset.shuffle(_SHUFFLE_BUFFER, seed=seed)
    elif repeat:
        dataset = dataset.repeat()
    dataset = dataset.skip(first_example).enumerate(first_example)

    def decode(index: tf.Tensor, serialized: tf.Tensor) -> Example:
        example = parse_record(serialized)
        return crop_example(example, image_size, tf.stack([seed, index]), augmentation)

    return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def record_files(patterns: str | Path | Sequence[str | Path]) -> list[str]:
    """The files that patterns (files, globs, folders of `*.tfrecord`) stand for, sorted."""
    files: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, (str, Path)) else patterns:
        found = glob(
            str(pattern / "*.tfrecord" if (pattern := Path(pattern)).is_dir() else pattern)
        )
        if not found:
            raise ValueError(f"{pattern}: expected TFRecord files, got none")
        files.update(found)
    return sorted(files)


def damaged_file(patterns: Sequence[str]) -> str:
    """Tells, in one line, the first file of `record_files` that is cut short or damaged."""
    for path in record_files(patterns):
        count = 0
        try:
            for _ in tf.data.TFRecordDataset(path):
                count += 1
        except tf.errors.DataLossError:
            return f"{path}: expected whole records, got a damaged one after {count}"
    return f"{', '.join(patterns)}: expected whole records, got a damaged one"


def crop_example(
    example: Example, size: int, seed: tf.Tensor, augmentation: Augmentation | None = None
) -> Example:
    """The crop of a parsed record, as training wants it; `seed` `[2]` is of the augmentation."""
    if augmentation is None:
        return _plain_crop(example, size)
    return _augmented_crop(example, size, seed, augmentation)


def _plain_crop(example: Example, size: int) -> Example:
    """The crop in the middle of the picture, at its stored resolution if that is the size."""
    image = _decode(example["image"])
    side = tf.cast(tf.shape(image)[0], tf.float32)
    crop = side / example["margin"]
    corner = (side - crop) / 2
    low, high = tf.cast(tf.round(corner), tf.int32), tf.cast(tf.round(corner + crop), tf.int32)
    image = _resize(image[low:high, low:high], size)
    landmarks = (example["landmarks"] - tf.cast(low, tf.float32)) * (
        size / tf.cast(high - low, tf.float32)
    )
    return _example(image, landmarks, example["confidence"], size)


def _augmented_crop(
    example: Example, size: int, seed: tf.Tensor, settings: Augmentation
) -> Example:
    """The crop, moved and recoloured at random."""
    image = _decode(example["image"])
    side = tf.cast(tf.shape(image)[0], tf.float32)
    # The move resamples without antialiasing, which is good for a slight reduction, not for more.
    shrunk = tf.math.ceil(tf.cast(size, tf.float32) * example["margin"])
    new_side = tf.where(shrunk < 0.75 * side, shrunk, side)
    picture = {
        "image": _resize(image, tf.cast(new_side, tf.int32)),
        "landmarks": example["landmarks"] * (new_side / side),
        "confidence": example["confidence"],
    }
    seeds = tf.random.experimental.stateless_split(seed, 2)
    crop = new_side / example["margin"]
    moved = augment_geometry(picture, seeds[0], settings, crop, size)
    moved = augment_photometry(moved, seeds[1], settings)
    return _example(moved["image"], moved["landmarks"], moved["confidence"], size)


def _decode(picture: tf.Tensor) -> tf.Tensor:
    """(H, W, 3) float32 in [0, 1] from a JPEG or PNG file."""
    image = tf.io.decode_jpeg(picture, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.image.convert_image_dtype(image, tf.float32)


def _resize(image: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
    """The square picture at another size, antialiased; untouched if it has that size."""
    return tf.cond(
        tf.equal(tf.shape(image)[0], size),
        lambda: image,
        lambda: tf.clip_by_value(
            tf.image.resize(image, [size, size], "bicubic", antialias=True), 0.0, 1.0
        ),
    )


def _example(image: tf.Tensor, landmarks: tf.Tensor, confidence: tf.Tensor, size: int) -> Example:
    """A training example with its static shapes."""
    return {
        "image": tf.ensure_shape(image, [size, size, 3]),
        "landmarks": tf.ensure_shape(landmarks, [68, 2]),
        "confidence": tf.ensure_shape(confidence, [68]),
    }


def bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def floats_feature(values: Iterable[float]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=[float(v) for v in values]))
