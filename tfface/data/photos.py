"""Reading photos as people have them: rotated by EXIF, grey, transparent, 16-bit, CMYK, broken."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# fmt: off
IMAGE_EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm",
    ".pgm", ".pnm", ".gif", ".avif", ".jp2",
})
VIDEO_EXTENSIONS = frozenset({
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp",
})
# fmt: on

_BACKDROP = (128, 128, 128)  # Seen through transparent pixels: mid grey, as neutral as can be.
_MAX_PIXELS = 300_000_000  # Above it a small file may hide gigabytes.


class PhotoError(ValueError):
    """A photo or video that cannot be used; the message is one line: the file and the reason."""


def read_photo(path: str | Path) -> np.ndarray:
    """Read a photo the way a viewer shows it.

    EXIF orientation is applied; grey becomes RGB; transparent pixels show mid grey (128); 16-bit
    and floating-point grey are scaled to 8 bits; CMYK and palettes are converted; colour profiles
    are ignored, that is, taken for sRGB. An animation or a file of several pages is an error.

    Args:
        path: an image file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        PhotoError: missing, unreadable, empty, truncated, not an image, animated, or larger than
            300 megapixels.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise PhotoError(f"{path}: a folder, not a photo")
        if path.stat().st_size == 0:
            raise PhotoError(f"{path}: the file is empty")
        with warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata; the size is checked here.
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                return _to_rgb(picture, path)
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise PhotoError(f"{path}: not an image, or of an unknown format") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"{path}: more than {_MAX_PIXELS // 10**6} megapixels") from None
    except MemoryError:
        raise PhotoError(f"{path}: too large for the memory") from None
    except OSError as error:
        # Pillow reports truncated and damaged files as OSError without an errno.
        reason = error.strerror or f"damaged or truncated ({_one_line(error)})"
        raise PhotoError(f"{path}: {reason}") from None
    except Exception as error:  # Decoders of many formats meet any bytes: anything may come out.
        raise PhotoError(f"{path}: damaged image ({_one_line(error)})") from None


def iter_inputs(paths: Iterable[str | Path]) -> list[Path]:
    """The image and video files that paths stand for.

    A file stands for itself, whatever its name; a folder for the images and videos in it and in the
    folders below, sorted by path (hidden ones left out).

    Raises:
        PhotoError: a path that does not exist, or a folder without any image or video.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        try:
            files += _folder_files(path) if path.is_dir() else [path]
        except OSError as error:
            raise PhotoError(f"{path}: {error.strerror or _one_line(error)}") from None
        if not path.exists():
            raise PhotoError(f"{path}: no such file or folder")
    return files


def is_video(path: str | Path) -> bool:
    """Whether a file is a video, by its extension."""
    return Path(path).suffix.lower() in VIDEO_EXTENSIONS


def _folder_files(folder: Path) -> list[Path]:
    """The images and videos below a folder, sorted; those of reconstructions are left out."""
    extensions = IMAGE_EXTENSIONS | VIDEO_EXTENSIONS
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in extensions
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and not (path.parent / "reconstruction.json").is_file()
        and not (path.name == "overlay.mp4" and any(path.parent.glob("frame*/reconstruction.json")))
    )
    if not files:
        raise PhotoError(f"{folder}: no images or videos in this folder")
    return files


def _to_rgb(picture: Image.Image, path: Path) -> np.ndarray:
    """Decode an opened picture, upright, as (H, W, 3) uint8."""
    if picture.width * picture.height > _MAX_PIXELS:
        raise PhotoError(
            f"{path}: {picture.width}x{picture.height} pixels, more than "
            f"{_MAX_PIXELS // 10**6} megapixels"
        )
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":  # MPO: a phone's JPEG.
        raise PhotoError(f"{path}: an animation or a file of several pages, not a photo")
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        return np.repeat(_eight_bits(np.asarray(picture))[..., None], 3, axis=-1)
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        backdrop = Image.new("RGBA", picture.size, (*_BACKDROP, 255))
        picture = Image.alpha_composite(backdrop, picture.convert("RGBA"))
    return np.array(picture.convert("RGB"))


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """16-bit (or 32-bit or floating-point) grey as uint8, by the range it uses."""
    values = np.nan_to_num(np.asarray(grey, np.float64))
    if np.issubdtype(grey.dtype, np.floating) and values.max(initial=0) <= 1:
        white = 1.0
    else:
        white = 255.0 if values.max(initial=0) <= 255 else max(65535.0, values.max())
    return np.round(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def _one_line(error: BaseException) -> str:
    """An exception's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__
