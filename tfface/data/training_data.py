"""The batches that a system is trained on: photos from records, drawn faces, or both."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfface.config import ConfigError, DataConfig
from tfface.data.augmentation import Augmentation, augment_photometry
from tfface.data.code_samplers import CodeSampler
from tfface.data.corpus import read_corpus
from tfface.data.records import read_records
from tfface.data.shuffling import shuffled_passes
from tfface.data.synthetic import synthetic_faces
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel

Example = tuple[tf.Tensor, dict[str, tf.Tensor]]

_VALIDATION_SEED = 1_000_003  # added to the seed: other faces than those of training
_VALIDATION_FACES = 256  # at least
_SHUFFLE_BUFFER = 2048


def training_batches(
    config: DataConfig,
    model: MorphableModel,
    decoder: FaceDecoder,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    sampler: CodeSampler | None = None,
    frames: int = 1,
) -> tf.data.Dataset:
    """Builds the endless training stream.

    It gives `(images [B, S, S, 3], targets)` with the targets of `synthetic_faces`; of a photo
    `code` and `has_code` are zero. Every batch holds the same share of photos.

    Args:
        config: Where faces come from.
        model: The face model that faces are drawn from.
        decoder: A decoder of that model; sets the size of the pictures.
        batch_size: B.
        seed: Of every draw: the stream is a function of the seed.
        first_step: Batches to leave out at the start, for resuming.
        sampler: Draws the codes of drawn faces; None draws them as `config.synthetic` says.
        frames: So many drawn faces, one after another, stay together: they are of one person.

    Raises:
        ConfigError: a batch would hold no photo or no drawn face although both are wanted, or what
            `FaceSampler` raises.
        CorpusError: the corpora of `config.synthetic.records` are not what they should be.
        PhotoError: the folder of backgrounds holds no pictures.
        ValueError: no file matches a pattern of records.
    """
    photos = photos_in_batch(config, batch_size)
    augmentation = Augmentation(**config.augmentation.model_dump())
    parts = []
    if photos:
        records = read_records(
            config.records, decoder.image_size, shuffle=True, repeat=True, seed=seed,
            first_example=first_step * photos, augmentation=augmentation,
        )  # fmt: skip
        parts.append(records.map(_without_code(decoder)).batch(photos, drop_remainder=True))
    drawn = batch_size - photos
    if drawn:
        faces = _drawn_faces(config, model, decoder, seed, first_step * drawn, sampler, frames)
        if not config.synthetic.records:  # the pictures of a corpus are finished
            faces = faces.enumerate(first_step * drawn)
            faces = faces.map(_augment(augmentation, seed), num_parallel_calls=tf.data.AUTOTUNE)
        parts.append(faces.batch(drawn, drop_remainder=True))
    return joined(parts).prefetch(tf.data.AUTOTUNE)


def validation_batches(
    config: DataConfig,
    model: MorphableModel,
    decoder: FaceDecoder,
    batch_size: int,
    seed: int,
    sampler: CodeSampler | None = None,
) -> tf.data.Dataset:
    """Builds the validation set, repeated for ever; arguments as of `training_batches`.

    It is the faces of `config.validation_records`, or else drawn faces that training does not see.

    Raises:
        ConfigError: the validation records do not fill a batch; otherwise as `training_batches`.
    """
    if config.validation_records:
        check = read_records(config.validation_records, decoder.image_size)
        check = require_batch(check.map(_without_code(decoder)), batch_size)
    else:
        seed += _VALIDATION_SEED
        others = synthetic_faces(model, decoder, config.synthetic, seed, sampler=sampler)
        check = others.take(max(_VALIDATION_FACES, batch_size))
    return endless_batches(check, batch_size)


def require_batch(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """The examples of validation records.

    Raises:
        ConfigError: they do not fill a batch.
    """
    found = sum(1 for _ in examples.take(batch_size))
    if found < batch_size:
        raise ConfigError(
            f"data.validation_records: expected at least a batch of {batch_size} faces, got {found}"
        )
    return examples


def endless_batches(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Whole batches of a finite set, repeated for ever."""
    batches = examples.batch(batch_size, drop_remainder=True)
    # Endless, because Keras counts a step for which no batch is left as one without any error.
    return batches.repeat().prefetch(tf.data.AUTOTUNE)


def _drawn_faces(
    config: DataConfig,
    model: MorphableModel,
    decoder: FaceDecoder,
    seed: int,
    first: int,
    sampler: CodeSampler | None,
    frames: int,
) -> tf.data.Dataset:
    """Endless drawn faces from number `first` on; a corpus is shuffled for ever, by persons.

    One in memory is drawn once; one on disk is read again in every pass.
    """
    settings = config.synthetic
    if settings.records:
        faces, count = read_corpus(settings.records, model, decoder)
    else:
        faces = synthetic_faces(
            model, decoder, settings, seed, 0 if settings.corpus else first, sampler
        )
        if settings.corpus is None:
            return faces
        count = settings.corpus
        faces = faces.take(count).map(lambda image, targets: (to_bytes(image), targets)).cache()
    persons = faces.batch(frames, drop_remainder=True)
    persons = shuffled_passes(persons, min(count, _SHUFFLE_BUFFER) // frames, seed)
    faces = persons.skip(first // frames).unbatch()
    return faces.map(lambda image, targets: (to_floats(image), targets))


def to_bytes(image: tf.Tensor) -> tf.Tensor:
    """Pictures in [0, 1] as uint8, of which a cache holds four times as many."""
    return tf.image.convert_image_dtype(image, tf.uint8, saturate=True)


def to_floats(image: tf.Tensor) -> tf.Tensor:
    """The inverse of `to_bytes`."""
    return tf.image.convert_image_dtype(image, tf.float32)


def _augment(augmentation: Augmentation, seed: int) -> Callable[..., Example]:
    """Photometric changes only: the geometry of a drawn face is its truth."""

    def change(number: tf.Tensor, example: Example) -> Example:
        image, targets = example
        changed = augment_photometry({"image": image}, tf.stack([seed, number]), augmentation)
        return changed["image"], targets

    return change


def _without_code(decoder: FaceDecoder) -> Callable[..., Example]:
    """A photo's targets in the form of a drawn face's, with no code."""
    size = sum(decoder.code_sizes.values())

    def complete(photo: dict[str, tf.Tensor]) -> Example:
        known = {name: photo[name] for name in ("landmarks", "confidence")}
        return photo["image"], {**known, "code": tf.zeros([size]), "has_code": tf.zeros([])}

    return complete


def photos_in_batch(config: DataConfig, batch_size: int) -> int:
    """How many entries of a batch are of records, the others being drawn.

    Raises:
        ConfigError: both are wanted, and there would be none of one.
    """
    photos = round(batch_size * config.records_fraction) if config.records else 0
    if config.records and 0 < config.records_fraction < 1 and photos in (0, batch_size):
        raise ConfigError(
            "data.records_fraction: expected photos and drawn faces in every batch of "
            f"{batch_size}, got {config.records_fraction}, which makes {photos} photos"
        )
    return photos


def joined(parts: list[tf.data.Dataset]) -> tf.data.Dataset:
    """Batches of one or two streams as one stream of batches."""

    def join(first: Example, second: Example) -> Example:
        return tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=0), first, second)

    return parts[0] if len(parts) == 1 else tf.data.Dataset.zip(*parts).map(join)
