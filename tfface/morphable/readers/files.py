"""Opening the files of published models, with errors that name file, expected and found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tfface.morphable.model import FaceModelError

PathLike = str | os.PathLike[str]


def require_file(path: PathLike, what: str) -> Path:
    """Returns the path of a file that exists and is not empty.

    Args:
        path: The user's file.
        what: What it should be, for the message ("an HDF5 file of the Basel Face Model 2017").

    Raises:
        FileNotFoundError: if nothing is there.
        FaceModelError: if it is a folder or empty.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected {what}, found no such file")
    if path.is_dir():
        raise FaceModelError(f"{path}: expected {what}, found a folder")
    if path.stat().st_size == 0:
        raise FaceModelError(f"{path}: expected {what}, found an empty file")
    return path


def wrong(path: PathLike, expected: str, found: object) -> FaceModelError:
    """Returns the error every reader raises: the file, what was expected, what was found."""
    return FaceModelError(f"{path}: expected {expected}, found {found}")


def require_shape(
    path: PathLike, name: str, array: np.ndarray, shape: tuple[int | None, ...]
) -> np.ndarray:
    """Returns `array` if it is a finite numeric array of `shape` (None: any size).

    Raises:
        FaceModelError: naming the file, the array, and the expected and found shapes.
    """
    wanted = "(" + ", ".join("*" if size is None else str(size) for size in shape) + ")"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        found = getattr(array, "dtype", type(array).__name__)
        raise wrong(path, f"'{name}' to hold numbers of shape {wanted}", found)
    matches = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not matches:
        raise wrong(path, f"'{name}' of shape {wanted}", f"shape {array.shape}")
    if not np.isfinite(array).all():
        raise wrong(path, f"'{name}' to be finite", "NaN or infinite values")
    return array


def require_triangles(
    path: PathLike, name: str, triangles: np.ndarray, vertex_count: int
) -> np.ndarray:
    """Returns `(T, 3)` int32 triangles whose indices all are vertices (counted from 0).

    Raises:
        FaceModelError: if an index is outside [0, vertex_count).
    """
    triangles = require_shape(path, name, triangles, (None, 3))
    if not len(triangles):
        raise wrong(path, f"'{name}' to list triangles", "none")
    lowest, highest = int(triangles.min()), int(triangles.max())
    if lowest < 0 or highest >= vertex_count:
        raise wrong(
            path,
            f"'{name}' to name vertices 0 to {vertex_count - 1}",
            f"vertices {lowest} to {highest}",
        )
    return triangles.astype(np.int32)
