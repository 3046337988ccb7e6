"""Photos as people have them, and files that only look like photos."""

from __future__ import annotations

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tfface.data.photos import PhotoError, is_video, iter_inputs, read_photo
from tfface.data.video import video_frames


@pytest.fixture
def picture() -> np.ndarray:
    """A smooth colour picture without symmetries, (40, 60, 3)."""
    y, x = np.mgrid[:40, :60]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 2], axis=2).astype(np.uint8)


def test_png_is_exact(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), picture)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int, tmp_path: Path, picture: np.ndarray) -> None:
    # What a camera stores so that a viewer shows `picture`: the inverse of each orientation.
    stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: np.rot90(p, -1),
    }[orientation](picture)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=98, subsampling=0, exif=exif)
    assert np.abs(read_photo(path).astype(int) - picture).max() < 12


def test_grey_and_palette(tmp_path: Path, picture: np.ndarray) -> None:
    grey = picture[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.jpg", quality=98)
    found = read_photo(tmp_path / "grey.jpg")
    assert found.shape == (40, 60, 3)
    assert np.abs(found.astype(int) - grey[..., None]).max() < 6
    Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    assert np.abs(read_photo(tmp_path / "p.png").astype(int) - picture).mean() < 6


def test_transparent_pixels_show_mid_grey(tmp_path: Path, picture: np.ndarray) -> None:
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:, :20], alpha[:, 20:30] = 0, 128
    Image.fromarray(np.concatenate([picture, alpha], 2)).save(tmp_path / "a.png")
    found = read_photo(tmp_path / "a.png").astype(int)
    assert (found[:, :20] == 128).all()
    assert np.abs(found[:, 20:30] - (picture[:, 20:30].astype(int) + 128) / 2).max() <= 2
    np.testing.assert_array_equal(found[:, 30:], picture[:, 30:])


def test_sixteen_bits(tmp_path: Path, picture: np.ndarray) -> None:
    grey = picture[..., 0]
    assert cv2.imwrite(str(tmp_path / "grey.png"), grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.png")[..., 1], grey)
    assert cv2.imwrite(str(tmp_path / "rgb.png"), picture[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(read_photo(tmp_path / "rgb.png").astype(int) - picture).max() <= 1


def test_cmyk(tmp_path: Path) -> None:
    red = Image.new("RGB", (32, 32), (200, 30, 30)).convert("CMYK")
    red.save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_photo(tmp_path / "a.jpg").mean((0, 1)) - (200, 30, 30)).max() < 12


def write_bad_files(folder: Path, picture: np.ndarray) -> dict[str, str]:
    """Files that are no photos, and words that the error must hold."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    jpeg = stream.getvalue()
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "headless.jpg").write_bytes(jpeg[:30])
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    png = stream.getvalue()
    (folder / "truncated.png").write_bytes(png[: len(png) // 2])
    (folder / "flipped.png").write_bytes(png[:5000] + bytes(500) + png[5500:])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    frames = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    (folder / "folder.jpg").mkdir()
    return {
        "truncated.jpg": "truncated",
        "headless.jpg": "not an image|truncated|damaged",
        "truncated.png": "truncated|damaged",
        "flipped.png": "damaged",
        "empty.jpg": "the file is empty",
        "text.jpg": "not an image",
        "moving.gif": "animation",
        "folder.jpg": "a folder, not a photo",
        "missing.jpg": "no such file",
    }


def test_bad_files_are_named_with_the_reason(tmp_path: Path, picture: np.ndarray) -> None:
    for name, words in write_bad_files(tmp_path, picture).items():
        with pytest.raises(PhotoError, match=words) as error:
            read_photo(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(error.value)


def test_a_small_file_with_a_huge_picture(tmp_path: Path) -> None:
    Image.new("1", (30_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(PhotoError, match="megapixels"):
        read_photo(tmp_path / "bomb.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_no_permission(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    path.chmod(0)
    with pytest.raises(PhotoError, match="Permission denied"):
        read_photo(path)


def test_inputs_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b" / ".hidden").mkdir(parents=True)
    for name in ("2.JPG", "1.png", "b/3.mp4", "notes.txt", ".4.png", "b/.hidden/5.png"):
        (tmp_path / name).touch()
    named = tmp_path / "notes.txt"
    found = iter_inputs([named, tmp_path])
    assert found == [named, *(tmp_path / name for name in ("1.png", "2.JPG", "b/3.mp4"))]
    assert [is_video(path) for path in found] == [False, False, False, True]


def test_results_in_a_folder_are_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "results/one").mkdir(parents=True)
    (tmp_path / "results/film/frame000003").mkdir(parents=True)
    for name in (
        "1.png",
        "overlay.mp4",  # of somebody's own
        "results/one/overlay.png",
        "results/one/reconstruction.json",
        "results/film/overlay.mp4",
        "results/film/frame000003/reconstruction.json",
    ):
        (tmp_path / name).touch()
    assert iter_inputs([tmp_path]) == [tmp_path / "1.png", tmp_path / "overlay.mp4"]


def test_inputs_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="no images or videos"):
        iter_inputs([tmp_path])
    with pytest.raises(PhotoError, match="no such file"):
        iter_inputs([tmp_path / "nowhere"])


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames that grow brighter by 20, the top half red."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for index in range(10):
        frame = np.full((48, 64, 3), 20 * index, np.uint8)
        frame[:24] = (0, 0, 255)
        writer.write(frame)
    writer.release()
    return path


def test_frames_in_order_as_rgb(video: Path) -> None:
    frames = list(video_frames(video))
    assert [index for index, _ in frames] == list(range(10))
    for index, frame in frames:
        assert frame.shape == (48, 64, 3)
        assert abs(frame[36, 32].mean() - 20 * index) < 6
        assert np.abs(frame[8, 32].astype(int) - (255, 0, 0)).max() < 20


def test_bad_videos(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    for name, words in {
        "text.mp4": "not a video",
        "empty.mp4": "the file is empty",
        "missing.mp4": "no such file",
    }.items():
        with pytest.raises(PhotoError, match=words) as error:
            next(video_frames(tmp_path / name))
        assert str(tmp_path / name) in str(error.value)
