"""Held-out photos, and altered versions of them that show the same person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tfface.data.chips import crop_chip
from tfface.data.crop import crop_box, crop_image
from tfface.data.detection import FaceDetector
from tfface.data.photos import read_photo

_JITTER = 0.05  # of the face's size
_LIGHT = 0.7  # the darkest side of a photo under another light


@dataclass(frozen=True)
class Portraits:
    """Faces of M photos.

    Attributes:
        chips: Side of chip -> `(M, S, S, 3)` uint8.
        crops: `(M, S, S, 3)` uint8 of the usual rule.
    """

    chips: dict[int, np.ndarray]
    crops: np.ndarray


def read_portraits(
    paths: Sequence[Path], chip_sizes: Collection[int], crop_size: int
) -> dict[str, Portraits]:
    """The largest face of each photo, and of its altered versions: name -> faces.

    "photo" are the photos as they are. Photos without a face are left out; where only an altered
    one has none, its face is cut out where the photo's is.
    """
    detector = FaceDetector()
    rows: dict[str, list[tuple[list[np.ndarray], np.ndarray]]] = {}
    for number, path in enumerate(tqdm(paths, desc="held-out photos", unit="photo")):
        image = read_photo(path)
        faces = detector.detect(image)
        if not faces:
            continue
        first = faces[0].landmarks
        random = np.random.default_rng(number)
        for name, alter in {"photo": _same, **VERSIONS}.items():
            altered = alter(image, random)
            again = detector.detect(altered)
            resized = altered.shape[1] / image.shape[1]
            landmarks = again[0].landmarks if again else resized * first
            if name == "crop jitter":
                size = np.ptp(first[:, 0])
                landmarks = landmarks + _JITTER * size * random.uniform(-1, 1, (1, 2))
                centre = landmarks.mean(axis=0)
                landmarks = centre + (1 + _JITTER * random.uniform(-1, 1)) * (landmarks - centre)
            chips = [crop_chip(altered, landmarks, size) for size in chip_sizes]
            crop = crop_image(altered, crop_box(landmarks), crop_size)
            rows.setdefault(name, []).append((chips, crop))
    return {name: _stacked(faces, chip_sizes) for name, faces in rows.items()}


def _stacked(faces: list[tuple[list[np.ndarray], np.ndarray]], sizes: Collection[int]) -> Portraits:
    chips = {size: np.stack([face[0][n] for face in faces]) for n, size in enumerate(sizes)}
    return Portraits(chips, np.stack([crop for _, crop in faces]))


def _same(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return image


def _relit(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Darker to one side, and warmer or colder."""
    across = np.linspace(1, _LIGHT, image.shape[1])[None, :, None]
    if random.random() < 0.5:
        across = across[:, ::-1]
    tint = 1 + 0.1 * random.uniform(-1, 1, 3)
    return np.clip(image * across * tint, 0, 255).astype(np.uint8)


def _blurred(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), image.shape[1] / 120)


def _grey(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)


def _half(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


Alter = Callable[[np.ndarray, np.random.Generator], np.ndarray]
VERSIONS: dict[str, Alter] = {
    "other light": _relit,
    "blur": _blurred,
    "crop jitter": _same,
    "grey": _grey,
    "half resolution": _half,
}
