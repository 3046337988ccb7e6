"""The batches of training: photos and drawn faces in the wanted shares, the same after a resume."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfface.config import DataConfig, SyntheticConfig
from tfface.data.face_records import FaceRecord
from tfface.data.records import write_shard
from tfface.data.training_data import training_batches, validation_batches
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.morphable.model import MorphableModel

SETTINGS = SyntheticConfig(supersampling=1)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def decoder(model: MorphableModel) -> FaceDecoder:
    return FaceDecoder.of_model(model, 64)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten photos of one grey each."""
    path = tmp_path_factory.mktemp("records") / "part.tfrecord"
    faces = []
    for number in range(10):
        stream = io.BytesIO()
        Image.new("RGB", (96, 96), (20 * number + 10,) * 3).save(stream, "PNG")
        points, crop = np.full((68, 2), 48.0), np.arange(4)
        face = FaceRecord(stream.getvalue(), 1.5, points, np.ones(68), crop, "", "", (9, 9))
        faces.append(face)
    write_shard(path, faces)
    return str(path)


def assert_same(first: tf.data.Dataset, second: tf.data.Dataset) -> None:
    for (image, targets), (same, same_targets) in zip(first, second, strict=True):
        np.testing.assert_array_equal(image, same)
        np.testing.assert_array_equal(targets["code"], same_targets["code"])


@pytest.mark.slow
@pytest.mark.parametrize("corpus", [None, 40])
def test_batches_resume_to_the_same_pictures(model, decoder, corpus) -> None:
    config = DataConfig(synthetic=SETTINGS.model_copy(update={"corpus": corpus}))
    whole = training_batches(config, model, decoder, 8, seed=3).skip(6).take(2)
    resumed = training_batches(config, model, decoder, 8, seed=3, first_step=6).take(2)
    assert_same(whole, resumed)


@pytest.mark.slow
def test_photos_and_drawn_faces_share_a_batch(model, decoder, records) -> None:
    settings = SETTINGS.model_copy(update={"corpus": 8})
    config = DataConfig(records=[records], records_fraction=0.25, synthetic=settings)
    whole = training_batches(config, model, decoder, 8, seed=3)
    seen = set()
    for images, targets in whole.take(10):
        np.testing.assert_array_equal(targets["has_code"], [0, 0, 1, 1, 1, 1, 1, 1])
        np.testing.assert_array_equal(targets["code"][:2], np.zeros_like(targets["code"][:2]))
        assert (np.std(images[:2], axis=(1, 2, 3)) < 1e-3).all()
        assert (np.std(images[2:], axis=(1, 2, 3)) > 0.05).all()
        seen |= {round(255 * float(image[0, 0, 0])) for image in images[:2]}
    assert seen == set(range(10, 210, 20))  # every photo in ten batches of two
    resumed = training_batches(config, model, decoder, 8, seed=3, first_step=3).take(2)
    assert_same(whole.skip(3).take(2), resumed)


def test_shares_that_cannot_be(model, decoder, records) -> None:
    for fraction in (0.01, 0.99):
        config = DataConfig(records=[records], records_fraction=fraction, synthetic=SETTINGS)
        with pytest.raises(ValueError, match="records_fraction: expected photos and drawn faces"):
            training_batches(config, model, decoder, 16, seed=3)


def test_validation_faces_repeat_and_must_fill_a_batch(model, decoder, records) -> None:
    config = DataConfig(validation_records=[records], synthetic=SETTINGS)
    check = validation_batches(config, model, decoder, 4, seed=3).take(4)
    first, _, again, _ = (images.numpy() for images, _ in check)  # two batches of ten photos
    np.testing.assert_array_equal(first, again)
    with pytest.raises(
        ValueError, match="validation_records: expected at least a batch of 11 faces, got 10"
    ):
        validation_batches(config, model, decoder, 11, seed=3)
