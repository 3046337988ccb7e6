"""Photos into records by the command line: what is written, resumed, refused."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import tfface.data.preparation as preparation
from tfface.data.photo_faces import FaceSettings
from tfface.data.prepare import find_photos, main
from tfface.data.records import parse_record, read_records


@pytest.fixture(scope="module")
def photos(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos with a face, in two folders of persons, and four without use."""
    folder = tmp_path_factory.mktemp("photos")
    for person in ("ada", "eve"):
        (folder / person).mkdir()
        for number in range(3):
            shifted = np.roll(astronaut[:320, 80:400], 5 * number, axis=1)
            Image.fromarray(shifted).save(folder / person / f"{person}{number}.png")
    tiny = np.full((200, 200, 3), 128, np.uint8)
    tiny[60:120, 60:124] = cv2.resize(
        astronaut[:300, 80:400], (64, 60), interpolation=cv2.INTER_AREA
    )
    Image.fromarray(tiny).save(folder / "tiny.png")
    Image.fromarray(astronaut[300:, :200]).save(folder / "suit.png")
    whole = (folder / "ada" / "ada0.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "film.mp4").touch()
    return folder


def prepare(*arguments: object) -> int:
    return main([str(a) for a in (*arguments, "--jobs", 1, "--image-size", 64)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def prepared(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("prepared") / "records"
    assert prepare(photos, "--output", output, "--shards", 3, "--person-from", "folder") == 3
    return output


def test_what_is_written(prepared: Path, photos: Path) -> None:
    shards = [f"part-0000{index}-of-00003.tfrecord" for index in range(3)]
    assert sorted(contents(prepared)) == ["manifest.json", *shards, "rejects.csv"]
    manifest = json.loads((prepared / "manifest.json").read_text())
    assert manifest["photos"] == 10
    assert manifest["faces"] == sum(file["faces"] for file in manifest["files"]) == 6
    assert manifest["rejects"] == {"no face": 1, "small": 1, "unreadable": 2}
    assert manifest["settings"]["image_size"] == 64
    with (prepared / "rejects.csv").open() as table:
        rejects = {row["source"]: (row["kind"], row["reason"]) for row in csv.DictReader(table)}
    root = photos.name
    assert {name.removeprefix(f"{root}/") for name in rejects} == {
        "tiny.png",
        "suit.png",
        "broken.png",
        "film.mp4",
    }
    assert rejects[f"{root}/film.mp4"] == ("unreadable", "a video, not a photo")
    assert "less than 24" in rejects[f"{root}/tiny.png"][1]
    assert "truncated" in rejects[f"{root}/broken.png"][1]
    import tensorflow as tf

    records = [
        parse_record(item)
        for item in tf.data.TFRecordDataset([str(prepared / shard) for shard in shards])
    ]
    assert {(item["source"].numpy().decode(), item["person"].numpy()) for item in records} == {
        (f"{root}/{person}/{person}{number}.png", person.encode())
        for person in ("ada", "eve")
        for number in range(3)
    }
    assert len(list(read_records(prepared, 64))) == 6


@pytest.mark.slow
def test_processes_write_the_same_bytes(prepared: Path, photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfface.data.prepare", photos, "--output", tmp_path / "r"]
    options = ["--jobs", "2", "--image-size", "64", "--shards", "3", "--person-from", "folder"]
    done = subprocess.run([*map(str, command), *options], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "6 faces of 10 photos" in done.stdout
    assert contents(tmp_path / "r") == contents(prepared)


def test_a_killed_run_goes_on(
    prepared: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "records"
    real, seen = preparation.photo_faces, []

    def dying(photo, detector, settings):
        if len(seen) == 6:
            raise SystemExit("killed")
        seen.append(photo.name)
        return real(photo, detector, settings)

    arguments = (photos, "--output", output, "--shards", 3, "--person-from", "folder")
    monkeypatch.setattr(preparation, "photo_faces", dying)
    with pytest.raises(SystemExit, match="killed"):
        prepare(*arguments)
    assert not (output / "manifest.json").exists()
    assert [path.name for path in output.glob("*.tfrecord*")] == ["part-00000-of-00003.tfrecord"]
    first = set(seen[:4])  # The first shard has four of the ten photos.
    seen.clear()
    monkeypatch.setattr(
        preparation,
        "photo_faces",
        lambda photo, *rest: (seen.append(photo.name), real(photo, *rest))[1],
    )
    assert prepare(*arguments) == 3
    assert len(seen) == 6
    assert not first & set(seen)
    assert contents(output) == contents(prepared)
    seen.clear()
    assert prepare(*arguments) == 3
    assert seen == []


def test_another_request_for_the_same_folder(
    prepared: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(prepared)
    assert prepare(photos, "--output", prepared, "--shards", 3) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "person_from folder instead of stem" in error
    assert contents(prepared) == before


def test_a_folder_of_other_things(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert prepare(photos, "--output", tmp_path) == 2
    assert "not a folder of records" in capsys.readouterr().err
    assert sorted(contents(tmp_path)) == ["letter.txt"]


def test_names_select_photos(photos: Path) -> None:
    def names(match: str | None, exclude: str | None) -> list[str]:
        found = find_photos([str(photos)], match, exclude)
        return [photo.name.removeprefix(f"{photos.name}/") for photo in found]

    assert names(r"2\.png$", None) == ["ada/ada2.png", "eve/eve2.png"]
    assert "ada/ada2.png" not in names(None, r"2\.png$")
    assert len(names(None, r"2\.png$")) == 8
    assert names("ada", r"[01]\.png") == ["ada/ada2.png"]


def test_all_faces_of_a_photo(astronaut: np.ndarray, tmp_path: Path) -> None:
    two = np.concatenate([astronaut[:300], astronaut[:300]], axis=1)
    Image.fromarray(two).save(tmp_path / "two.png")
    assert prepare(tmp_path / "two.png", "--output", tmp_path / "all", "--faces", "all") == 0
    assert prepare(tmp_path / "two.png", "--output", tmp_path / "largest") == 0
    counts = [
        json.loads((tmp_path / name / "manifest.json").read_text())["faces"]
        for name in ("all", "largest")
    ]
    assert counts == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image-size", "30"], "image-size: expected a multiple of 4"),
        (["--jobs", "0"], "jobs: expected a whole number"),
        (["--match-regex", "("], "not a regular expression"),
        (["--faces", "some"], "invalid choice"),
        (["--unknown"], "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str],
    words: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(photos), "--output", str(tmp_path / "records"), *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "records").exists()


def test_inputs_that_are_none(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for paths, words in (
        ([tmp_path / "empty"], "no images or videos"),
        ([tmp_path / "nowhere"], "no such file"),
        ([photos, "--match-regex", "zebra"], "no photo has a name"),
    ):
        assert prepare(*paths, "--output", tmp_path / "records") == 2
        error = capsys.readouterr().err.strip()
        assert words in error
        assert len(error.splitlines()) == 1
        assert not (tmp_path / "records").exists()


def test_an_output_that_cannot_be_made(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert prepare(photos, "--output", tmp_path / "file" / "records") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(tmp_path / "file") in error


@pytest.mark.slow
def test_a_full_disk(photos: Path, tmp_path: Path) -> None:
    """A process that may write files of 4 KiB at most: the shard does not fit, the rest does."""
    command = [sys.executable, "-m", "tfface.data.prepare", str(photos / "ada")]
    options = ["--output", str(tmp_path / "records"), "--jobs", "1", "--image-size", "64"]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 2, done.stderr
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("tfface.data.prepare: ")
    assert "part-00000-of-00001.tfrecord" in error
    left = sorted(path.name for path in (tmp_path / "records").rglob("*"))
    assert left == ["asked.json", "progress"]


def test_defaults_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"default: {FaceSettings().min_face}" in text
