"""The face model that ships with the package, at two levels of detail."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sparse

from tfface.morphable.model import ControlMesh, FaceModelError, MorphableModel
from tfface.morphable.subdivision import catmull_clark

ASSET = Path(__file__).parent / "assets" / "default_face_model.npz"
FORMAT = "tfface-default-face-model-1"
DETAILS = ("coarse", "fine")


@lru_cache(maxsize=4)
def load_default_face_model(detail: str = "fine", path: str | None = None) -> MorphableModel:
    """Returns the default face model, built from CC0 MakeHuman data.

    Both levels are the same surface: the coarse mesh's vertices are the first ones of the fine
    mesh, so that landmarks and other vertex numbers below `coarse.vertex_count` hold for both.
    Treat the arrays as read-only: the result is cached.

    Args:
        detail: "fine" (about 20,000 vertices) or "coarse" (about 5,000).
        path: another asset of the same format; the shipped one if None.

    Raises:
        ValueError: `detail` is another word.
        FaceModelError: the asset is missing or is not one.
    """
    if detail not in DETAILS:
        raise ValueError(f"detail: expected one of {DETAILS}, got {detail!r}")
    data = _read(Path(path) if path else ASSET)
    metadata = json.loads(str(data["metadata"]))
    cage = {part: data[f"control_{part}"].astype(np.float32) for part in ("identity", "expression")}
    coarse_count = int(data["coarse_count"])
    rows = coarse_count if detail == "coarse" else None
    matrix = _subdivision(data)[:rows]
    control = ControlMesh(matrix=matrix, mean=data["control_mean"], **cage)
    albedo = data["albedo"][:rows].astype(np.float32) * data["albedo_scale"]
    return MorphableModel(
        name=metadata["name"],
        source=metadata["source"],
        licence=metadata["licence"],
        mean=_subdivide(matrix, control.mean),
        identity=_subdivide(matrix, control.identity),
        expression=_subdivide(matrix, control.expression),
        albedo_mean=data["albedo_mean"][:rows],
        albedo=albedo,
        triangles=data[f"{detail}_triangles"].astype(np.int32),
        uv=data["uv"][:rows],
        landmarks=data["landmarks"].astype(np.int32),
        contour=data["contour"].astype(np.int32),
        symmetry=data["symmetry"][:rows].astype(np.int32),
        regions={
            k.removeprefix("regions/"): v[:rows].astype(np.float32)
            for k, v in data.items()
            if k.startswith("regions/")
        },
        identity_samples=data["identity_samples"].astype(np.float32),
        expression_samples=data["expression_samples"].astype(np.float32),
        albedo_samples=data["albedo_samples"].astype(np.float32),
        control=control if detail == "fine" else None,
    )


def default_face_model_metadata() -> dict[str, object]:
    """Returns what the asset says of itself: source, licence, checksums, measurements in mm."""
    return dict(json.loads(str(_read(ASSET)["metadata"])))


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise FaceModelError(
            f"{path}: no such file; expected the default face model, which "
            "tools/build_default_face_model.py makes"
        ) from None
    except (ValueError, EOFError, OSError, BadZipFile, zlib.error) as error:
        raise FaceModelError(f"{path}: expected a default face model, got {error}") from error
    if str(data.get("format", "")) != FORMAT:
        raise FaceModelError(
            f"{path}: expected format {FORMAT!r}, got {str(data.get('format', 'none'))!r}"
        )
    return data


def _subdivision(data: dict[str, np.ndarray]) -> sparse.csr_matrix:
    """Returns the matrix (V, Vc) from the cage to the fine mesh with the landmarks in it."""
    matrix, _ = catmull_clark(data["quads"].astype(np.int32), len(data["control_mean"]))
    insertion = sparse.csr_matrix(
        (data["insertion_weights"], data["insertion_columns"], data["insertion_starts"]),
        shape=(len(data["insertion_starts"]) - 1, matrix.shape[0]),
    )
    return (insertion @ matrix).astype(np.float32).tocsr()


def _subdivide(matrix: sparse.csr_matrix, cage: np.ndarray) -> np.ndarray:
    """Returns (V, ...) from (Vc, ...)."""
    fine = matrix @ np.ascontiguousarray(cage.reshape(len(cage), -1))
    return fine.reshape(-1, *cage.shape[1:])
