"""Several pictures of one person, from a video or a folder of photos (FML, section 3.1).

A video is looked at every `STRIDE` frames; faces are followed from one look to the next by where
they are alone: where a cut puts another face in the same place, two persons are taken for one. Of
each face that stays, `PIECE` looks at a time give one set of pictures: those whose heads are turned
most differently. A folder's photos, of each the largest face, are sets likewise.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from tfface.data.blazeface import box_overlap
from tfface.data.detection import DetectedFace, FaceDetector
from tfface.data.face_records import FaceRecord, make_record
from tfface.data.photo_faces import FaceSettings, Photo, Reject, objection, photo_faces
from tfface.data.photos import PhotoError, is_video
from tfface.data.video import video_frames
from tfface.morphable.default import load_default_face_model

STRIDE = 5  # frames of a video from one look to the next
PIECE = 40  # looks at a face that give one set of pictures
GAP = 2  # looks without the face after which it is another
SAME_FACE = 0.3  # least intersection over union with where it was
FEWEST = 2  # pictures of a set, where it is to have more than one

Frames = tuple[FaceRecord, ...]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face that can be used, and how its head is turned (yaw, pitch, radians)."""

    record: FaceRecord
    turn: np.ndarray


@dataclass(eq=False)
class _Track:
    """One face of a video, as long as it stays."""

    box: np.ndarray
    last: int
    seen: list[_Seen] = field(default_factory=list)


def person_frames(
    source: Photo, detector: FaceDetector, settings: FaceSettings
) -> tuple[list[Frames], list[Reject]]:
    """The sets of `settings.frames` pictures (or fewer, where there are not so many) of persons.

    Args:
        source: A video, or a folder of photos of one person, its `members`.
        detector: Finds the faces.
        settings: Which faces, and how many of a set.

    Returns:
        The sets, each of one person, most different pictures first; and which photos of a folder
        were no use, and why there are no sets.
    """
    try:
        video = not source.members
        tracks, rejects = (_follow if video else _gather)(source, detector, settings)
    except PhotoError as error:
        reason = str(error).removeprefix(f"{source.path}: ")
        return [], [Reject(source.name, "unreadable", reason)]
    count = settings.frames or 1
    fewest = min(FEWEST, count)
    sets = [s for seen in tracks for s in _sets(seen, count, fewest, PIECE if video else None)]
    if sets:
        return sets, rejects
    most = max((len(seen) for seen in tracks), default=0)
    reason = f"{most} usable pictures of one person, less than {fewest}"
    return [], [*rejects, Reject(source.name, "too few pictures", reason)]


def most_different(turns: np.ndarray, count: int) -> list[int]:
    """Numbers of `count` of `(N, D)` points: the one nearest to zero, then always the farthest."""
    chosen = [int(np.argmin(np.linalg.norm(turns, axis=1)))]
    while len(chosen) < min(count, len(turns)):
        apart = np.linalg.norm(turns[:, None] - turns[chosen], axis=-1).min(axis=1)
        apart[chosen] = -1.0  # copies of one picture lie in one place
        chosen.append(int(np.argmax(apart)))
    return chosen


def head_turn(landmarks: np.ndarray) -> np.ndarray:
    """Yaw (to the subject's left) and pitch (up), radians, of a head with landmarks `(68, 2)`.

    As though the face were the default model's mean, and some way off.
    """
    size = float(np.ptp(landmarks, axis=0).max())
    camera = np.array([[6.0 * size, 0, 0], [0, 6.0 * size, 0], [0, 0, 1]])
    pixels = (landmarks - landmarks.mean(axis=0)).astype(np.float64)
    _, turn, _ = cv2.solvePnP(_mean_landmarks(), pixels, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    forward = cv2.Rodrigues(turn)[0][:, 2]  # where the nose points; OpenCV looks along z, y down
    return np.array([np.arctan2(forward[0], -forward[2]), np.arcsin(np.clip(-forward[1], -1, 1))])


@functools.cache
def _mean_landmarks() -> np.ndarray:
    model = load_default_face_model("coarse")
    return model.mean[model.landmarks].astype(np.float64)


def _follow(
    source: Photo, detector: FaceDetector, settings: FaceSettings
) -> tuple[list[list[_Seen]], list[Reject]]:
    """What is seen of each face of a video; what is no use is not told, as there is so much."""
    tracks: list[_Track] = []
    for number, frame in video_frames(source.path):
        if number % STRIDE:
            continue
        current = [t for t in tracks if number - t.last <= (1 + GAP) * STRIDE]
        for face in detector.detect(frame):
            track = _nearest(current, face.box)
            if track is None:
                track = _Track(face.box, number)
                tracks.append(track)
            else:
                current.remove(track)  # no other face of this frame is it
            track.box, track.last = face.box, number
            track.seen += _look(frame, face, source, settings, tracks.index(track))
    return [track.seen for track in tracks], []


def _gather(
    source: Photo, detector: FaceDetector, settings: FaceSettings
) -> tuple[list[list[_Seen]], list[Reject]]:
    """The largest face of each photo of a folder, all of one person."""
    seen: list[_Seen] = []
    rejects: list[Reject] = []
    for member in source.members:
        records, refused = photo_faces(member, detector, replace(settings, faces="largest"))
        seen += [_Seen(replace(r, person=source.name), head_turn(r.landmarks)) for r in records]
        rejects += refused
    return [seen], rejects


def _look(
    image: np.ndarray, face: DetectedFace, source: Photo, settings: FaceSettings, track: int
) -> Iterator[_Seen]:
    """The face, unless it is small or uncertain."""
    if objection(source, face, settings) is None:
        size, encoding = settings.image_size, settings.encoding
        person = f"{source.name}#{track}"
        record = make_record(image, face, size, source.name, person, encoding)
        yield _Seen(record, head_turn(face.landmarks))


def _nearest(tracks: list[_Track], box: np.ndarray) -> _Track | None:
    """The track whose face was nearly there."""
    if not tracks:
        return None
    overlaps = box_overlap(box, np.stack([track.box for track in tracks]))
    best = int(np.argmax(overlaps))
    return tracks[best] if overlaps[best] > SAME_FACE else None


def _sets(seen: list[_Seen], count: int, fewest: int, piece: int | None) -> Iterator[Frames]:
    """Sets of pictures of one person: one of each piece, or, without pieces, of what is left."""
    for first in range(0, len(seen), piece or max(len(seen), 1)):
        rest = seen[first : first + piece] if piece else list(seen)
        while len(rest) >= fewest:
            chosen = most_different(np.stack([one.turn for one in rest]), count)
            yield tuple(rest[number].record for number in chosen)
            rest = [] if piece else [s for n, s in enumerate(rest) if n not in chosen]


def find_sources(paths: list[Photo]) -> list[Photo]:
    """The videos, and the folders that photos lie in, of the photos and videos found."""
    sources: dict[Path, Photo] = {}
    for photo in paths:
        if is_video(photo.path):
            sources[photo.path] = photo
            continue
        folder = photo.path.absolute().parent
        before = sources.get(folder, Photo(folder, photo.name.rpartition("/")[0]))
        sources[folder] = replace(before, members=(*before.members, photo))
    return list(sources.values())
