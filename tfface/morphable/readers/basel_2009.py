"""The Basel Face Model 2009, a MATLAB file (Paysan et al., AVSS 2009)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.io

from tfface.morphable.model import FaceModelError, MorphableModel
from tfface.morphable.readers.assemble import PublishedModel, assemble, unit_colours
from tfface.morphable.readers.files import (
    PathLike,
    require_file,
    require_shape,
    require_triangles,
    wrong,
)

WHAT = "a MATLAB file of the Basel Face Model 2009"
KEYS = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")
MM_PER_UNIT = 1e-3  # the file is in micrometres


def read_basel_2009(
    mat: PathLike,
    template: MorphableModel | None = None,
    known_landmarks: Mapping[int, int] | None = None,
) -> MorphableModel:
    """Reads `01_MorphableModel.mat` of the Basel Face Model 2009 (Paysan et al., AVSS 2009).

    Get it from faces.dmi.unibas.ch/bfm after accepting the licence (non-commercial research).
    53,490 vertices in micrometres, 199 shape and 199 colour modes whose `shapeEV` and `texEV` are
    standard deviations; colours of 0 to 255. The model has no expressions, no texture
    coordinates and no landmarks; its four face segments are not read.

    Args:
        mat: The file.
        template: The annotated model laid over the mean to find landmarks, jaw lines and regions
            (default: tfface's).
        known_landmarks: iBUG number (from 0) -> vertex, where the user has a published list.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it is truncated or something else.
    """
    path = require_file(mat, WHAT)
    content = _load_mat(path)
    for key in KEYS:
        if key not in content:
            found = sorted(name for name in content if not name.startswith("__"))
            raise wrong(path, f"the variable {key!r}", found)
    mean = require_shape(path, "shapeMU", content["shapeMU"], (None, 1))
    if len(mean) % 3:
        raise wrong(path, "'shapeMU' of 3 numbers a vertex", f"{len(mean)} numbers")
    count = len(mean) // 3
    identity = _scaled(path, content, "shapePC", "shapeEV", len(mean)) * MM_PER_UNIT
    colour_mean = require_shape(path, "texMU", content["texMU"], (len(mean), 1))
    colour = _scaled(path, content, "texPC", "texEV", len(mean))
    colour_mean, colour = unit_colours(colour_mean.astype(np.float32), colour)
    one_based = require_shape(path, "tl", content["tl"], (None, 3)).astype(np.int64)
    published = PublishedModel(
        path=path,
        name="Basel Face Model 2009",
        source="Paysan et al., A 3D Face Model for Pose and Illumination Invariant Face "
        "Recognition, AVSS 2009",
        licence="non-commercial research only, faces.dmi.unibas.ch",
        mean=mean.reshape(count, 3) * MM_PER_UNIT,
        identity=identity.reshape(count, 3, -1),
        expression=np.zeros((count, 3, 0), np.float32),
        triangles=require_triangles(path, "tl - 1", one_based - 1, count),
        albedo_mean=colour_mean.reshape(count, 3),
        albedo=colour.reshape(count, 3, -1),
        known=known_landmarks or {},
    )
    return assemble(published, template)


def _load_mat(path: Path) -> dict[str, np.ndarray]:
    try:
        _require_whole(path)
        return scipy.io.loadmat(path, variable_names=KEYS)
    except FaceModelError:
        raise
    except NotImplementedError as error:
        expected = "a MATLAB 5 file, as published (saved again without '-v7.3')"
        raise wrong(path, expected, "a MATLAB 7.3 file") from error
    except Exception as error:  # scipy raises whatever its parser stumbles over
        raise wrong(path, WHAT, error) from error


def _require_whole(path: Path) -> None:
    """Walks the variables of a MATLAB 5 file: SciPy skips unneeded ones even if cut short."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(128)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:])
        if order is None or not head.startswith(b"MATLAB 5"):
            return  # another format, which SciPy names
        while (start := file.tell()) < size:
            tag = file.read(8)
            length = struct.unpack(order + "2I", tag)[1] if len(tag) == 8 else 8
            if start + 8 + length > size:
                expected = f"{start + 8 + length} bytes or more, by its table"
                raise wrong(path, expected, f"{size} (truncated)")
            file.seek(length, 1)


def _scaled(
    path: Path, content: dict[str, np.ndarray], basis: str, deviations: str, size: int
) -> np.ndarray:
    modes = require_shape(path, basis, content[basis], (size, None)).astype(np.float32)
    sigma = require_shape(path, deviations, content[deviations], (modes.shape[1], 1))
    return modes * sigma[:, 0].astype(np.float32)
