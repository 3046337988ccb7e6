"""The Basel Face Models 2017 and 2019, HDF5 files of statismo (Gerig et al., FG 2018)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from scipy.spatial import cKDTree

from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.assemble import PublishedModel, assemble, unit_colours
from tfface.morphable.readers.files import (
    PathLike,
    require_file,
    require_shape,
    require_triangles,
    wrong,
)

WHAT = "an HDF5 file of the Basel Face Model 2017 or 2019"
LANDMARK_NAMES = Path(__file__).parent / "data" / "basel_landmarks.json"


def read_basel_2017(
    h5: PathLike,
    template: MorphableModel | None = None,
    known_landmarks: Mapping[int, int] | None = None,
) -> MorphableModel:
    """Reads an HDF5 file of the Basel Face Model 2017 (Gerig et al., FG 2018) or 2019.

    Get `model2017-1_bfm_nomouth.h5`, `model2019_fullHead.h5` and others from
    faces.dmi.unibas.ch/bfm after accepting the licence (non-commercial research). Millimetres,
    colours of 0 to 1; bases are orthonormal and scaled here by the root of their variances. The
    mean is the mean shape plus the mean expression, as the model is defined. Landmarks that the
    file names (17 of the 68) guide those that it does not.

    Args:
        h5: The file.
        template: The annotated model laid over the mean to find the other landmarks, jaw lines
            and regions (default: tfface's).
        known_landmarks: iBUG number (from 0) -> vertex, instead of those that the file names.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it is truncated or something else.
    """
    path = require_file(h5, WHAT)
    try:
        with h5py.File(path, "r") as file:
            shape, identity = _statistics(path, file, "shape")
            colour_mean, colour = unit_colours(*_statistics(path, file, "color", len(shape)))
            offset, expression = _statistics(path, file, "expression", len(shape))
            cells = _dataset(path, file, "shape/representer/cells")
            landmarks = _text(file, "metadata/landmarks/json")
    except OSError as error:
        raise wrong(path, WHAT, error) from error
    count = len(shape) // 3
    cells = require_shape(path, "shape/representer/cells", cells, (3, None)).T
    mean = (shape + offset).reshape(count, 3)
    if known_landmarks is None:
        places = shape.reshape(count, 3)
        known_landmarks = _named_landmarks(path, landmarks, places) if landmarks else {}
    published = PublishedModel(
        path=path,
        name=f"Basel Face Model, {path.stem}",
        source="Gerig et al., Morphable Face Models - An Open Framework, FG 2018",
        licence="non-commercial research only, faces.dmi.unibas.ch",
        mean=mean,
        identity=identity.reshape(count, 3, -1),
        expression=expression.reshape(count, 3, -1),
        triangles=require_triangles(path, "shape/representer/cells", cells, count),
        albedo_mean=colour_mean.reshape(count, 3),
        albedo=colour.reshape(count, 3, -1),
        known=known_landmarks,
    )
    return assemble(published, template)


def _dataset(path: Path, file: h5py.File, name: str) -> np.ndarray:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise wrong(path, f"the dataset {name!r}", f"groups {sorted(file)}")
    return np.asarray(found[()])


def _statistics(
    path: Path, file: h5py.File, part: str, size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean `(N,)` and basis `(N, K)` scaled to one standard deviation."""
    names = [f"{part}/model/{name}" for name in ("mean", "pcaBasis", "pcaVariance")]
    mean, basis, variance = (_dataset(path, file, name) for name in names)
    require_shape(path, names[0], mean, (size,))
    if len(mean) % 3:
        raise wrong(path, f"'{names[0]}' of 3 numbers a vertex", f"{len(mean)} numbers")
    require_shape(path, names[1], basis, (len(mean), None))
    require_shape(path, names[2], variance, (basis.shape[1],))
    return mean.astype(np.float32), basis.astype(np.float32) * np.sqrt(variance, dtype=np.float32)


def _text(file: h5py.File, name: str) -> bytes:
    """Returns a string dataset, however it is stored; empty if there is none."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or not found.size:
        return b""
    value = np.asarray(found[()])
    text = value.flat[0] if value.dtype.kind == "O" else value.tobytes()
    return text.encode() if isinstance(text, str) else text


def _named_landmarks(path: Path, text: bytes, vertices: np.ndarray) -> dict[int, int]:
    """Returns iBUG number -> the vertex nearest to the landmark that the file names."""
    try:
        places = {entry["id"]: entry["coordinates"] for entry in json.loads(text.rstrip(b"\0"))}
        names: dict[str, str] = json.loads(LANDMARK_NAMES.read_text(encoding="utf-8"))["ibug"]
        wanted = {int(k): places[name] for k, name in names.items() if name in places}
        points = np.array(list(wanted.values()), np.float64).reshape(-1, 3)
    except (ValueError, KeyError, TypeError) as error:
        expected = "'metadata/landmarks/json' to be a list of {id, coordinates}"
        raise wrong(path, expected, f"{type(error).__name__}: {error}") from error
    return dict(zip(wanted, cKDTree(vertices).query(points)[1].tolist(), strict=True))
