"""From one photo file to the records of its faces, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from tfface.data.detection import DetectedFace, FaceDetector
from tfface.data.face_records import Encoding, FaceRecord, make_record
from tfface.data.photos import PhotoError, is_video, read_photo


@dataclass(frozen=True)
class FaceSettings:
    """Which faces become records, and how.

    Attributes:
        image_size: side of the crops in pixels.
        faces: the largest face of a photo only, or all.
        min_face: the least length in pixels of the longer side of a face's box. At 24 the landmarks
            are wrong by 2 % of the distance between the outer eye corners, at 40 by 1 %.
        min_confidence: the least mean confidence of the landmarks.
        min_score: the detector's threshold.
        person_from: where the person's id comes from: the photo's name ("stem"), its folder's name,
            or nowhere.
        encoding: of the stored pictures.
        frames: pictures of one person in a record, of videos and folders; None makes a record of
            each face of a photo.
    """

    image_size: int = 256
    faces: Literal["largest", "all"] = "largest"
    min_face: float = 24.0
    min_confidence: float = 0.5
    min_score: float = 0.5
    person_from: Literal["stem", "folder", "none"] = "stem"
    encoding: Encoding = "jpeg"
    frames: int | None = None


@dataclass(frozen=True)
class Photo:
    """A photo file: where it is, and its name in records and reports.

    A folder of photos of one person has them as `members`.
    """

    path: Path
    name: str
    members: tuple[Photo, ...] = ()


@dataclass(frozen=True)
class Reject:
    """A photo, or one face of it, that is not used.

    Attributes:
        source: the photo's name.
        kind: "unreadable", "no face", "small", "low confidence" or "too few pictures".
        reason: one line for people.
    """

    source: str
    kind: str
    reason: str


def photo_faces(
    photo: Photo, detector: FaceDetector, settings: FaceSettings
) -> tuple[list[FaceRecord], list[Reject]]:
    """The records of a photo's faces, the largest first, and what was rejected."""
    if is_video(photo.path):
        return [], [Reject(photo.name, "unreadable", "a video, not a photo")]
    try:
        image = read_photo(photo.path)
    except PhotoError as error:
        reason = str(error).removeprefix(f"{photo.path}: ")
        return [], [Reject(photo.name, "unreadable", reason)]
    try:
        faces = detector.detect(image)
    except (MemoryError, cv2.error) as error:
        reason = f"cannot be searched: {' '.join(str(error).split()) or type(error).__name__}"
        return [], [Reject(photo.name, "unreadable", reason)]
    if not faces:
        size = f"{image.shape[1]}x{image.shape[0]}"
        return [], [Reject(photo.name, "no face", f"no face found in {size} pixels")]
    records, rejects = [], []
    for face in faces if settings.faces == "all" else faces[:1]:
        reject = objection(photo, face, settings)
        if reject is None:
            records.append(_record(image, face, photo, settings))
        else:
            rejects.append(reject)
    return records, rejects


def _record(
    image: np.ndarray, face: DetectedFace, photo: Photo, settings: FaceSettings
) -> FaceRecord:
    persons = {"stem": photo.path.stem, "folder": photo.path.absolute().parent.name, "none": ""}
    return make_record(
        image,
        face,
        settings.image_size,
        source=photo.name,
        person=persons[settings.person_from],
        encoding=settings.encoding,
    )


def objection(photo: Photo, face: DetectedFace, settings: FaceSettings) -> Reject | None:
    """Why a face is no use, or None."""
    length = float((face.box[2:] - face.box[:2]).max())
    confidence = float(face.confidence.mean())
    if length < settings.min_face:
        return Reject(
            photo.name, "small", f"face of {length:.1f} px, less than {settings.min_face:g}"
        )
    if confidence < settings.min_confidence:
        reason = f"landmark confidence {confidence:.2f}, less than {settings.min_confidence:g}"
        return Reject(photo.name, "low confidence", reason)
    return None
