"""The frames of a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tfface.data.photos import PhotoError


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
