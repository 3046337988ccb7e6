"""Records: what is written is what is read, crops equal inference's, streams reproduce."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfface.data.augmentation import Augmentation
from tfface.data.crop import crop_box, crop_image, to_crop, to_image
from tfface.data.detection import DetectedFace
from tfface.data.face_records import FaceRecord, make_record
from tfface.data.records import encode_record, parse_record, read_records, write_shard

STRONG = Augmentation(
    shift=0.06, scale=0.1, rotation=15.0, mirror=0.5, colour=0.5, blur=1.5, noise=0.04, jpeg=0.3,
    occlusion=0.2,
)  # fmt: skip


@pytest.fixture(scope="module")
def record(astronaut: np.ndarray, face: DetectedFace) -> FaceRecord:
    return make_record(astronaut, face, 64, "folder/a.png", "someone", encoding="png")


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of 4, 4 and 3 tiny faces; the colour of face n is 20 n + 10."""
    folder = tmp_path_factory.mktemp("numbered")
    records = []
    for number in range(11):
        stream = io.BytesIO()
        Image.new("RGB", (24, 24), (20 * number + 10,) * 3).save(stream, "PNG")
        points = np.full((68, 2), 12.0)
        records.append(
            FaceRecord(
                stream.getvalue(), 1.5, points, np.ones(68), np.arange(4), f"{number}", "", (9, 9)
            )
        )
    for shard in range(3):
        write_shard(folder / f"part-{shard}.tfrecord", records[shard::3])
    return folder


def numbers(dataset: tf.data.Dataset) -> list[int]:
    return [round((example["image"].numpy().mean() * 255 - 10) / 20) for example in dataset]


def test_all_features_survive(record: FaceRecord, astronaut: np.ndarray) -> None:
    parsed = {name: value.numpy() for name, value in parse_record(encode_record(record)).items()}
    assert parsed["image"] == record.picture
    assert parsed["source"] == b"folder/a.png"
    assert parsed["person"] == b"someone"
    np.testing.assert_array_equal(parsed["source_size"], [512, 512])
    np.testing.assert_allclose(parsed["crop"], record.crop, rtol=1e-6)
    np.testing.assert_allclose(parsed["landmarks"], record.landmarks, rtol=1e-6)
    assert encode_record(record) == encode_record(replace(record))


def test_the_crop_leads_back_to_the_photo(
    record: FaceRecord, face: DetectedFace, tmp_path: Path
) -> None:
    write_shard(tmp_path / "a.tfrecord", [record])
    example = next(iter(read_records(tmp_path, 64)))
    back = to_image(example["landmarks"].numpy(), record.crop, 64)
    np.testing.assert_allclose(back, face.landmarks, atol=1e-3)


def test_training_sees_the_pixels_of_inference(
    astronaut: np.ndarray, face: DetectedFace, tmp_path: Path
) -> None:
    box = crop_box(face.landmarks)
    for encoding, mean, most in (("png", 0.8, 1.0), ("jpeg", 2.5, 9.0)):
        path = tmp_path / f"{encoding}.tfrecord"
        write_shard(path, [make_record(astronaut, face, 96, encoding=encoding)])
        for size in (96, 64):
            example = next(iter(read_records(path, size)))
            expected = crop_image(astronaut, box, size).astype(float)
            difference = np.abs(255 * example["image"].numpy() - expected)
            assert difference.mean() < mean
            if size == 96:
                assert np.percentile(difference, 99) <= most + 0.01
            landmarks = to_crop(face.landmarks, box, size)
            np.testing.assert_allclose(example["landmarks"], landmarks, atol=1e-3)


def test_shapes_and_types(numbered: Path) -> None:
    spec = read_records(numbered, 40, augmentation=STRONG).element_spec
    assert {name: (value.shape, value.dtype) for name, value in spec.items()} == {
        "image": ((40, 40, 3), tf.float32),
        "landmarks": ((68, 2), tf.float32),
        "confidence": ((68,), tf.float32),
    }


def test_every_face_once_and_shuffled_anew(numbered: Path) -> None:
    assert sorted(numbers(read_records(numbered, 16))) == list(range(11))
    stream = numbers(read_records(numbered, 16, shuffle=True, repeat=True, seed=5).take(33))
    passes = [stream[start : start + 11] for start in (0, 11, 22)]
    for one_pass in passes:
        assert sorted(one_pass) == list(range(11))
    assert len({tuple(one_pass) for one_pass in passes}) == 3


@pytest.mark.parametrize("augmentation", [None, STRONG])
@pytest.mark.slow
def test_the_stream_reproduces_and_resumes(
    numbered: Path, augmentation: Augmentation | None
) -> None:
    def images(seed: int, first: int, count: int) -> np.ndarray:
        dataset = read_records(
            numbered,
            16,
            shuffle=True,
            repeat=True,
            seed=seed,
            first_example=first,
            augmentation=augmentation,
        )
        return np.stack([example["image"].numpy() for example in dataset.take(count)])

    stream = images(3, 0, 30)
    np.testing.assert_array_equal(images(3, 0, 30), stream)
    np.testing.assert_array_equal(images(3, 17, 13), stream[17:])
    assert (images(4, 0, 30) != stream).any()


def test_a_shard_appears_whole_or_not_at_all(record: FaceRecord, tmp_path: Path) -> None:
    def failing() -> object:
        yield record
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_shard(tmp_path / "a.tfrecord", failing())
    assert list(tmp_path.iterdir()) == []
    assert write_shard(tmp_path / "a.tfrecord", [record, record]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.tfrecord"]


def test_an_unwritable_place(record: FaceRecord, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"a\.tfrecord"):
        write_shard(tmp_path / "file" / "a.tfrecord", [record])


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing.*expected TFRecord files, got none"):
        read_records(str(tmp_path / "nothing*.tfrecord"), 16)
    with pytest.raises(ValueError, match="expected TFRecord files, got none"):
        read_records(tmp_path, 16)


def test_bad_settings(astronaut: np.ndarray, face: DetectedFace) -> None:
    with pytest.raises(ValueError, match="image_size: expected a multiple of 4"):
        make_record(astronaut, face, 30)
    with pytest.raises(ValueError, match="encoding: expected one of"):
        make_record(astronaut, face, 32, encoding="bmp")  # type: ignore[arg-type]
