"""FLAME 2020 and 2023: a pickle with chumpy arrays, or an .npz (Li et al., SIGGRAPH Asia 2017)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfface.morphable.model import FaceModelError, MorphableModel
from tfface.morphable.readers.assemble import PublishedModel, assemble
from tfface.morphable.readers.files import (
    PathLike,
    require_file,
    require_shape,
    require_triangles,
    wrong,
)
from tfface.morphable.readers.restricted_pickle import as_array, load_pickle

WHAT = "a FLAME model (.pkl or .npz)"
KEYS = ("v_template", "shapedirs", "f")
MM_PER_UNIT = 1000.0  # the files are in metres
IDENTITY_MODES = 300  # the first of `shapedirs`; the other 100 are expressions


def read_flame(
    path: PathLike,
    template: MorphableModel | None = None,
    known_landmarks: Mapping[int, int] | None = None,
) -> MorphableModel:
    """Reads `generic_model.pkl` of FLAME 2020, `flame2023.pkl`, or the same arrays as `.npz`.

    Get it from flame.is.tue.mpg.de (FLAME 2020 and older: non-commercial research; FLAME 2023
    Open: CC-BY-4.0; the file does not say which, so the licence field names both). Metres,
    5,023 vertices; the first 300 of the 400 columns of `shapedirs` are identity, the last 100
    expression, all already scaled to one standard deviation.

    Only the linear shape space is read: joints (`J_regressor`, `kintree_table`), blend skinning
    (`weights`) and pose correctives (`posedirs`) are ignored, so jaw, neck and eyeballs do not
    turn. There are no colours; texture coordinates are those of a cylinder.

    Pickles are read by `restricted_pickle`: nothing in them is run, chumpy is not needed.

    Args:
        path: The file.
        template: The annotated model laid over the mean to find landmarks, jaw lines and regions
            (default: tfface's).
        known_landmarks: iBUG number (from 0) -> vertex, where the user has a published list.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it is truncated, something else, or a pickle that asks to run code.
    """
    path = require_file(path, WHAT)
    arrays = _load_npz(path) if zipfile.is_zipfile(path) else _load_pickle(path)
    template_vertices = require_shape(path, "v_template", arrays["v_template"], (None, 3))
    count = len(template_vertices)
    modes = require_shape(path, "shapedirs", arrays["shapedirs"], (count, 3, None))
    if modes.shape[2] <= IDENTITY_MODES:
        expected = f"'shapedirs' of {IDENTITY_MODES} identity modes and then expressions"
        raise wrong(path, expected, f"{modes.shape[2]} modes")
    triangles = require_shape(path, "f", arrays["f"], (None, 3)).astype(np.int64)
    published = PublishedModel(
        path=path,
        name=f"FLAME, {path.stem}",
        source="Li et al., Learning a Model of Facial Shape and Expression from 4D Scans, "
        "SIGGRAPH Asia 2017",
        licence="flame.is.tue.mpg.de: non-commercial research, or CC-BY-4.0 for FLAME 2023 Open",
        mean=template_vertices * MM_PER_UNIT,
        identity=modes[..., :IDENTITY_MODES] * MM_PER_UNIT,
        expression=modes[..., IDENTITY_MODES:] * MM_PER_UNIT,
        triangles=require_triangles(path, "f", triangles, count),
        known=known_landmarks or {},
    )
    return assemble(published, template)


def _load_pickle(path: Path) -> dict[str, np.ndarray]:
    return _chosen(path, load_pickle(path, WHAT))


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _chosen(
                path, {key: archive[key] for key in KEYS if key in archive.files}, archive.files
            )
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, FaceModelError):
            raise
        raise wrong(path, WHAT, error) from error


def _chosen(path: Path, content: Any, names: list[str] | None = None) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        raise wrong(path, f"{WHAT}: a dictionary", type(content).__name__)
    for key in KEYS:
        if key not in content:
            found = sorted(str(name) for name in (content if names is None else names))
            raise wrong(path, f"the array {key!r} of {WHAT}", found)
    try:
        return {key: as_array(content[key]) for key in KEYS}
    except (FaceModelError, ValueError, IndexError, TypeError) as error:
        raise wrong(path, f"{', '.join(KEYS)} as arrays", error) from error
