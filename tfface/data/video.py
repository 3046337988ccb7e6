"""The frames of a video, read and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from tfface.data.photos import PhotoError

DEFAULT_RATE, HIGHEST_RATE = 25.0, 240.0  # frames per second


def video_frames(path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index, frame) of every frame of a video, upright, in order.

    Frames are (H, W, 3) uint8 RGB; the index counts from 0. A video that breaks off
    gives the frames up to there.

    Raises:
        PhotoError: missing, empty, or no video that OpenCV can decode.
    """
    path = Path(path)
    if not path.exists():
        raise PhotoError(f"{path}: no such file")
    if path.is_dir():
        raise PhotoError(f"{path}: a folder, not a video")
    if path.stat().st_size == 0:
        raise PhotoError(f"{path}: the file is empty")
    capture = cv2.VideoCapture(str(path))
    index = 0
    try:
        while capture.grab():
            read, frame = capture.retrieve()
            if not read:
                break
            yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            index += 1
    finally:
        capture.release()
    if index == 0:
        raise PhotoError(f"{path}: not a video, or of an unknown format")


def frame_rate(path: str | Path) -> float:
    """Frames per second that a video says it has; `DEFAULT_RATE` where that cannot be."""
    capture = cv2.VideoCapture(str(path))
    try:
        rate = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return rate if 1.0 <= rate <= HIGHEST_RATE else DEFAULT_RATE


class VideoWriter:
    """Writes frames to an MP4 file, which appears when the `with` block ends without an error.

    Args:
        path: Of the file; its folder is made.
        rate: Frames per second.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path, self.rate = Path(path), rate
        self.temporary = self.path.with_name(f".{self.path.name}.writing.mp4")
        self.writer: cv2.VideoWriter | None = None
        self.size = (0, 0)

    def write(self, frame: np.ndarray) -> None:
        """Adds a frame `(H, W, 3)` uint8 RGB; it gets the size of the first."""
        if self.writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.size = (frame.shape[1], frame.shape[0])
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self.writer = cv2.VideoWriter(str(self.temporary), codec, self.rate, self.size)
            if not self.writer.isOpened():
                raise OSError(f"cannot write a video to {self.path}")
        if frame.shape[1::-1] != self.size:
            frame = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
        self.writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self.writer is None:
            return
        self.writer.release()
        try:
            if kind is None:
                self.temporary.replace(self.path)
        finally:
            self.temporary.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.parent.rmdir()  # where nothing else is in it
