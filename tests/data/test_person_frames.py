"""Several pictures of a person: turned heads, which are chosen, videos, folders, records."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tfface.data import person_frames as module
from tfface.data.augmentation import Augmentation
from tfface.data.detection import FaceDetector
from tfface.data.person_frames import find_sources, head_turn, most_different, person_frames
from tfface.data.person_records import read_persons
from tfface.data.photo_faces import FaceSettings, Photo
from tfface.data.prepare import find_photos, main
from tfface.morphable.default import load_default_face_model

SETTINGS = FaceSettings(image_size=64, frames=2)


@pytest.fixture(scope="module")
def portrait(astronaut: np.ndarray) -> np.ndarray:
    return astronaut[:320, 80:400]


@pytest.fixture(scope="module")
def folder(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada's three photos and one without a face, Eve's single photo, and a film."""
    folder = tmp_path_factory.mktemp("persons")
    for person, count in (("ada", 3), ("eve", 1)):
        (folder / person).mkdir()
        for number in range(count):
            shown = np.roll(portrait, 4 * number, axis=1)
            Image.fromarray(shown).save(folder / person / f"{number}.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "ada" / "black.png")
    write_film(folder / "film.avi", [np.roll(portrait, 3 * n, axis=1) for n in range(6)])
    return folder


def write_film(path: Path, frames: list[np.ndarray]) -> Path:
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (0.5, 0), (-0.5, 0), (0, 0.3), (0.3, -0.2)])
def test_turns_of_the_mean_face(yaw: float, pitch: float) -> None:
    """Yaw is to the subject's left, pitch upwards."""
    model = load_default_face_model("coarse")
    across = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    c, s = np.cos(pitch), np.sin(pitch)
    up = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    points = model.mean[model.landmarks] @ (up @ across).T + [0, 0, -1000]
    pixels = 2000 * points[:, :2] * [1, -1] / -points[:, 2:] + 300
    np.testing.assert_allclose(head_turn(pixels), [yaw, pitch], atol=0.06)


def test_the_most_different() -> None:
    turns = np.array([[0.1, 0], [0.0, 0.01], [0.5, 0], [-0.45, 0], [0.48, 0.02]])
    assert most_different(turns, 3) == [1, 2, 3]
    assert sorted(most_different(turns, 9)) == [0, 1, 2, 3, 4]
    assert sorted(most_different(np.zeros((3, 2)), 3)) == [0, 1, 2]  # copies of one picture


def test_a_folder_is_a_person(folder: Path) -> None:
    ada, eve, _ = find_sources(find_photos([str(folder)], None, None))
    sets, rejects = person_frames(ada, FaceDetector(), SETTINGS)
    assert [len(pictures) for pictures in sets] == [2]  # the third has no other
    assert {picture.person for picture in sets[0]} == {f"{folder.name}/ada"}
    assert len({picture.picture for picture in sets[0]}) == 2
    assert [(reject.source, reject.kind) for reject in rejects] == [
        (f"{folder.name}/ada/black.png", "no face")
    ]
    sets, rejects = person_frames(eve, FaceDetector(), SETTINGS)
    assert not sets
    assert rejects[0].kind == "too few pictures"
    assert rejects[0].reason == "1 usable pictures of one person, less than 2"


def test_a_cut_begins_another_person(
    portrait: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The face of the second scene is elsewhere in the picture."""
    monkeypatch.setattr(module, "STRIDE", 1)
    wide = [np.zeros((320, 720, 3), np.uint8) for _ in range(4)]
    for number, frame in enumerate(wide):
        frame[:, (400 if number > 1 else 0) :][:, :320] = portrait
    film = write_film(tmp_path / "film.avi", wide)
    sets, _ = person_frames(Photo(film, "film.avi"), FaceDetector(), SETTINGS)
    assert [pictures[0].person for pictures in sets] == ["film.avi#0", "film.avi#1"]
    left, right = (pictures[0].crop[0] for pictures in sets)
    assert right - left == pytest.approx(400, abs=10)


def test_a_long_film_gives_several_sets(
    portrait: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STRIDE", 1)
    monkeypatch.setattr(module, "PIECE", 2)
    film = write_film(tmp_path / "film.avi", [portrait] * 5)
    sets, _ = person_frames(Photo(film, "film.avi"), FaceDetector(), SETTINGS)
    assert [len(pictures) for pictures in sets] == [2, 2]


def test_small_and_uncertain_faces_are_left_out(folder: Path) -> None:
    for settings in (
        FaceSettings(image_size=64, frames=2, min_face=1000.0),
        FaceSettings(image_size=64, frames=2, min_confidence=1.01),
    ):
        ada = find_sources(find_photos([str(folder / "ada")], None, None))[0]
        sets, rejects = person_frames(ada, FaceDetector(), settings)
        assert not sets
        kinds = sorted(reject.kind for reject in rejects[:-1])
        assert kinds in (["no face", *["small"] * 3], [*["low confidence"] * 3, "no face"])
        assert rejects[-1].reason.startswith("0 usable pictures")


def test_sources_are_films_and_folders(folder: Path) -> None:
    sources = find_sources(find_photos([str(folder)], None, None))
    root = folder.name
    assert [source.name for source in sources] == [f"{root}/ada", f"{root}/eve", f"{root}/film.avi"]
    assert [len(source.members) for source in sources] == [4, 1, 0]
    (ada,) = find_sources(find_photos([str(folder)], match="ada", exclude="black"))
    assert [photo.path.name for photo in ada.members] == ["0.png", "1.png", "2.png"]


def test_the_command_line_writes_what_training_reads(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--frames", "3", "--jobs", "1", "--image-size", "64", "--output", tmp_path / "r"]
    assert main([str(folder), *map(str, options)]) == 3  # Eve has one photo only
    assert "2 sets of pictures of 3 videos and folders" in capsys.readouterr().out
    persons = list(read_persons(tmp_path / "r", 64, frames=4))
    assert len(persons) == 2
    ada, film = persons
    assert ada["image"].shape == (4, 64, 64, 3)
    assert ada["landmarks"].shape == (4, 68, 2)
    for person, pictures in ((ada, 3), (film, 2)):
        present = np.any(person["image"] > 0, axis=(1, 2, 3))
        np.testing.assert_array_equal(present, np.arange(4) < pictures)
        assert person["confidence"].numpy()[~present].max() == 0
        assert person["confidence"].numpy()[present].mean() > 0.8
    inside = ada["landmarks"].numpy()[:3]
    assert 0 < inside.min() < inside.max() < 64


@pytest.mark.parametrize("option", [["--faces", "all"], ["--person-from", "folder"]])
def test_who_is_who_is_not_for_options_of_single_photos(option, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), "--frames", "2", *option, "--output", str(tmp_path / "r")])
    assert stopped.value.code == 2
    assert "--frames knows who is who" in capsys.readouterr().err


def test_each_picture_is_changed_in_its_own_way_and_again_alike(
    folder: Path, tmp_path: Path
) -> None:
    options = ["--frames", "2", "--jobs", "1", "--image-size", "64", "--output", str(tmp_path)]
    main([str(folder / "film.avi"), *options])
    change = Augmentation(shift=0.1, rotation=10.0, colour=0.3)
    streams = [
        read_persons(tmp_path, 64, 2, repeat=True, seed=3, augmentation=change) for _ in range(2)
    ]
    (first, second), again = (list(stream.take(2)) for stream in streams)
    np.testing.assert_array_equal(first["image"], again[0]["image"])
    resumed = read_persons(
        tmp_path, 64, 2, repeat=True, seed=3, augmentation=change, first_example=1
    )
    np.testing.assert_array_equal(next(iter(resumed))["image"], second["image"])
    assert np.abs(first["image"] - second["image"]).max() > 0.05
