"""What a training record of one face holds. Free of TensorFlow, so that workers start quickly."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tfface.data.crop import crop_box, crop_image, scale_box, to_crop
from tfface.data.detection import DetectedFace

MARGIN = 1.5  # The stored picture's side in sides of the crop: room to turn and shift the crop.
Encoding = Literal["jpeg", "png"]
MAPS = ("depth", "normals", "mask")  # that a drawn face's record may hold as well


@dataclass(frozen=True)
class FaceRecord:
    """One face, cut out with a margin around its crop.

    Attributes:
        picture: the encoded picture, square: the crop and a margin around it.
        margin: the picture's side in sides of the crop, which lies in its middle.
        landmarks: (68, 2) in pixels of the picture.
        confidence: (68,) in [0, 1].
        crop: (4,) the crop's box in pixels of the original photo.
        source: the photo's name.
        person: an id of the person, empty if unknown.
        source_size: (width, height) of the original photo.
    """

    picture: bytes
    margin: float
    landmarks: np.ndarray
    confidence: np.ndarray
    crop: np.ndarray
    source: str
    person: str
    source_size: tuple[int, int]


def make_record(
    image: np.ndarray,
    face: DetectedFace,
    image_size: int,
    source: str = "",
    person: str = "",
    encoding: Encoding = "jpeg",
) -> FaceRecord:
    """Cut a face out of a photo.

    The stored picture is `MARGIN * image_size` pixels wide, so that the crop in its middle has
    exactly the pixels that `crop_image` gives at `image_size` (up to the loss of JPEG).

    Args:
        image: (H, W, 3) uint8 RGB.
        face: a face detected in it.
        image_size: side of the crop in pixels, a multiple of 4.
        source, person: names to store.
        encoding: "jpeg" (quality 95, full colour resolution) or "png" (lossless).
    """
    if image_size < 16 or image_size % 4:
        raise ValueError(f"image_size: expected a multiple of 4 from 16 up, got {image_size}")
    crop = crop_box(face.landmarks)
    box, size = scale_box(crop, MARGIN), int(MARGIN * image_size)
    return FaceRecord(
        picture=_encode(crop_image(image, box, size), encoding),
        margin=MARGIN,
        landmarks=to_crop(face.landmarks, box, size),
        confidence=face.confidence,
        crop=crop,
        source=source,
        person=person,
        source_size=(image.shape[1], image.shape[0]),
    )


def _encode(picture: np.ndarray, encoding: str) -> bytes:
    """A picture as a JPEG or PNG file."""
    options = {"jpeg": {"quality": 95, "subsampling": 0}, "png": {"compress_level": 6}}
    if encoding not in options:
        raise ValueError(f"encoding: expected one of {', '.join(options)}, got {encoding!r}")
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, encoding, **options[encoding])
    return stream.getvalue()
