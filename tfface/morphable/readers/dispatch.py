"""One call that reads any face model file, by what is in it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.basel_2009 import read_basel_2009
from tfface.morphable.readers.basel_2017 import read_basel_2017
from tfface.morphable.readers.files import PathLike, require_file, wrong
from tfface.morphable.readers.flame import read_flame
from tfface.morphable.readers.ict_facekit import read_ict_facekit
from tfface.morphable.readers.surrey import read_surrey

WHAT = (
    "a face model (tfface .npz, FLAME .pkl or .npz, Basel 2009 .mat, Basel 2017/2019 .h5, "
    "Surrey/eos .bin, or an ICT-FaceKit folder)"
)


def read_face_model(path: PathLike, **options: Any) -> MorphableModel:
    """Reads a face model of any format that tfface knows.

    The format is told by the first bytes of the file, not by its name; a folder is ICT-FaceKit.

    Args:
        path: A model that `MorphableModel.save` wrote, or one that the user got from its makers;
            where from, and under which licence, each format's reader says.
        **options: Passed to that reader (`template`, `known_landmarks`, `expressions_bin`...).

    Raises:
        FileNotFoundError: if nothing is there.
        FaceModelError: if it is none of these formats, or damaged; the message names the file,
            what was expected and what was found.
        TypeError: if an option is not one of that reader's.
    """
    if Path(path).is_dir():
        return read_ict_facekit(path, **options)
    path = require_file(path, WHAT)
    with open(path, "rb") as file:
        head = file.read(520)
    if head.startswith(b"PK\x03\x04"):
        if _is_flame(path):
            return read_flame(path, **options)
        return _read_own(path, options)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return read_basel_2017(path, **options)
    if head.startswith(b"MATLAB"):
        return read_basel_2009(path, **options)
    if head[0:1] == b"\x80" or head.startswith((b"(dp", b"(d")):  # pickle, protocols 2+ and 0, 1
        return read_flame(path, **options)
    if head[:4] in (b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0", b"\4\0\0\0"):
        return read_surrey(path, **options)
    raise wrong(path, WHAT, f"a file that begins with {head[:8]!r}")


def _is_flame(path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return "v_template" in archive.files
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise wrong(path, WHAT, f"a damaged zip archive ({error})") from error


def _read_own(path: Path, options: dict[str, Any]) -> MorphableModel:
    if options:
        raise TypeError(f"{path}: a tfface model takes no options, got {sorted(options)}")
    return MorphableModel.load(path)
