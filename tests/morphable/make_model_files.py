"""Writes small face model files that are laid out as the published ones are.

The faces are the middle of an annotated model, so that landmarks are known; keys, types, shapes,
orders and units are those of the real files.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import h5py
import numpy as np
import scipy.io
import scipy.sparse

from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.registration import largest_piece

MEAN_EXPRESSION = 0.25  # mm: it is not zero in the Basel models
SHIFT = np.array([3.0, -11.0, 25.0])  # mm: published models have their origins anywhere


@dataclass(frozen=True)
class SmallFace:
    """mean `(V, 3)` mm, identity and expression `(V, 3, K)` in sigmas with orthogonal modes,
    colours in [0, 1], triangles counter-clockwise, 68 landmarks."""

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    colour_mean: np.ndarray
    colour: np.ndarray
    triangles: np.ndarray
    landmarks: np.ndarray


def small_face(model: MorphableModel, identity: int = 5, expression: int = 3) -> SmallFace:
    """Cuts the skin within 30 mm of the landmarks out of a model, off its origin."""
    skin = largest_piece(model.vertex_count, model.triangles)
    near = np.linalg.norm(model.mean[:, None] - model.mean[model.landmarks][None], axis=-1).min(1)
    inside = np.zeros(model.vertex_count, bool)
    inside[skin] = near[skin] < 30
    triangles = model.triangles[inside[model.triangles].all(1)]
    keep = np.unique(triangles)
    number = np.full(model.vertex_count, -1)
    number[keep] = np.arange(len(keep))
    colour = np.random.default_rng(1).normal(size=(len(keep), 3, 4)) * 0.02
    return SmallFace(
        (model.mean[keep] + SHIFT).astype(np.float32),
        _orthogonal(model.identity[keep, :, :identity]),
        _orthogonal(model.expression[keep, :, :expression]),
        np.clip(model.albedo_mean[keep], 0.05, 0.95).astype(np.float32),
        _orthogonal(colour),
        number[triangles].astype(np.int32),
        number[model.landmarks],
    )


def _orthogonal(basis: np.ndarray) -> np.ndarray:
    flat = basis.reshape(-1, basis.shape[-1]).astype(np.float64)
    left, scale, _ = np.linalg.svd(flat, full_matrices=False)
    return (left * scale).reshape(basis.shape).astype(np.float32)


def _pca(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the orthonormal basis `(N, K)` and the standard deviations `(K,)`."""
    flat = basis.reshape(-1, basis.shape[-1])
    sigma = np.linalg.norm(flat, axis=0)
    return (flat / sigma).astype(np.float32), sigma.astype(np.float32)


def write_basel_2009(path: Path, face: SmallFace, **changes: Any) -> Path:
    """Micrometres, colours to 255, columns, 1-based clockwise triangles."""
    shape, shape_sigma = _pca(face.identity)
    colour, colour_sigma = _pca(face.colour)
    content: dict[str, Any] = {
        "shapeMU": 1000.0 * face.mean.reshape(-1, 1),
        "shapePC": shape,
        "shapeEV": 1000.0 * shape_sigma[:, None],
        "texMU": 255.0 * face.colour_mean.reshape(-1, 1),
        "texPC": colour,
        "texEV": 255.0 * colour_sigma[:, None],
        "tl": face.triangles[:, [0, 2, 1]].astype(np.float64) + 1,
        "segbin": np.ones((len(face.mean), 4), np.uint8),
    } | changes
    scipy.io.savemat(path, {name: value for name, value in content.items() if value is not None})
    return path


def write_basel_2017(path: Path, face: SmallFace, **changes: Any) -> Path:
    """Statismo's HDF5: orthonormal bases, variances, cells (3, T); landmarks named as JSON."""
    names = {8: "center.chin.tip", 30: "center.nose.tip", 36: "right.eye.corner_outer"}
    landmarks = [
        {"id": name, "coordinates": (face.mean[face.landmarks[k]] - MEAN_EXPRESSION).tolist()}
        for k, name in names.items()
    ] + [{"id": "left.ear.tragus.tip", "coordinates": [70.0, 0.0, 0.0]}]
    offset = np.full(face.mean.size, MEAN_EXPRESSION, np.float32)
    content: dict[str, Any] = {"metadata/landmarks/json": json.dumps(landmarks)}
    for part, mean, basis in (
        ("shape", face.mean.ravel() - offset, face.identity),
        ("expression", offset, face.expression),
        ("color", face.colour_mean.ravel(), face.colour),
    ):
        modes, sigma = _pca(basis)
        content |= {
            f"{part}/model/mean": mean.astype(np.float32),
            f"{part}/model/pcaBasis": modes,
            f"{part}/model/pcaVariance": sigma**2,
            f"{part}/model/noiseVariance": np.zeros(1, np.float32),
            f"{part}/representer/points": face.mean.T,
            f"{part}/representer/cells": face.triangles.T.astype(np.uint32),
            f"{part}/version/majorVersion": np.int32(0),
        }
    with h5py.File(path, "w") as file:
        for name, value in (content | changes).items():
            if value is not None:
                file[name] = value
    return path


def flame_arrays(face: SmallFace) -> dict[str, np.ndarray]:
    """Metres, 300 + 100 shape directions of which the last ones are zero here."""
    shapedirs = np.zeros((len(face.mean), 3, 400))
    shapedirs[..., : face.identity.shape[-1]] = face.identity / 1000.0
    shapedirs[..., 300 : 300 + face.expression.shape[-1]] = face.expression / 1000.0
    return {
        "v_template": face.mean.astype(np.float64) / 1000.0,
        "shapedirs": shapedirs,
        "f": face.triangles.astype(np.uint32),
    }


def write_flame_npz(path: Path, face: SmallFace, **changes: Any) -> Path:
    content = flame_arrays(face) | changes
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def write_flame_pickle(path: Path, face: SmallFace, **changes: Any) -> Path:
    """As Python 2 wrote it: chumpy objects, old NumPy names, bytes as strings."""
    plain = flame_arrays(face)
    count = len(face.mean)
    with fake_chumpy() as chumpy:
        content: dict[str, Any] = {
            "v_template": chumpy.constant(plain["v_template"]),
            "shapedirs": chumpy.constant(plain["shapedirs"]),
            "f": plain["f"],
            "weights": chumpy.constant(np.full((count, 5), 0.2)),
            "J_regressor": scipy.sparse.csc_matrix((5, count)),
            "kintree_table": np.zeros((2, 5), np.uint32),
            "bs_style": "lbs",
            "bs_type": "lrotmin",
        } | changes
        kept = {name: value for name, value in content.items() if value is not None}
        path.write_bytes(_python_2_pickle(kept))
    return path


class fake_chumpy:
    """Modules `chumpy.ch` and `chumpy.reordering` whose objects pickle as chumpy's do."""

    def __enter__(self) -> fake_chumpy:
        for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
            sys.modules[name] = ModuleType(name)
        self.constant_class = type("Ch", (), {"__module__": "chumpy.ch"})
        self.select_class = type("Select", (), {"__module__": "chumpy.reordering"})
        sys.modules["chumpy.ch"].Ch = self.constant_class  # type: ignore[attr-defined]
        sys.modules["chumpy.reordering"].Select = self.select_class  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
            del sys.modules[name]

    def constant(self, value: np.ndarray) -> Any:
        result = self.constant_class()
        result.__dict__.update({"_dirty_vars": {"x"}, "_itr": None, "x": value})
        return result

    def select(self, value: np.ndarray, shape: tuple[int, ...]) -> Any:
        result = self.select_class()
        chosen = {"a": self.constant(value), "idxs": np.arange(value.size), "_itr": None}
        result.__dict__.update(chosen | {"preferred_shape": shape})
        return result


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Protocol 2 with text and bytes as Python 2's 8-bit strings."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else bytes(value)
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def _python_2_pickle(content: Any) -> bytes:
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(content)
    renamed = stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return renamed.replace(b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n")


def write_surrey(path: Path, face: SmallFace, version: int = 1, kind: int = 0) -> Path:
    """eos' archive with colours; from version 2 with expressions (0: PCA, 1: blendshapes)."""
    data = struct.pack("<I", version) + _eos_pca(face.mean, face.identity, face.triangles)
    data += _eos_pca(face.colour_mean, face.colour, face.triangles)
    if version >= 2:
        zero = np.zeros_like(face.mean)
        data += struct.pack("<?i", False, kind)
        pca = _eos_pca(zero, face.expression, face.triangles)
        data += pca if kind == 0 else _eos_blendshapes(face)
    if version >= 3:
        data += struct.pack("<?QQ", False, 1, 4) + b"nose" + struct.pack("<i", 7)
    uv = np.tile([[0.25, 0.9]], (len(face.mean), 1)).astype("<f8")
    data += struct.pack("<Q", len(uv)) + uv.tobytes()
    if version >= 4:
        data += struct.pack("<Q", 0)
    path.write_bytes(data)
    return path


def write_blendshapes(path: Path, face: SmallFace) -> Path:
    path.write_bytes(_eos_blendshapes(face))
    return path


def _eos_matrix(matrix: np.ndarray) -> bytes:
    return struct.pack("<ii", *matrix.shape) + matrix.T.astype("<f4").tobytes()


def _eos_pca(mean: np.ndarray, basis: np.ndarray, triangles: np.ndarray) -> bytes:
    modes, sigma = _pca(basis)
    data = _eos_matrix(mean.reshape(-1, 1)) + _eos_matrix(modes) + _eos_matrix(sigma[:, None] ** 2)
    return data + struct.pack("<Q", len(triangles)) + triangles.astype("<i4").tobytes()


def _eos_blendshapes(face: SmallFace) -> bytes:
    data = struct.pack("<Q", face.expression.shape[-1])
    for k in range(face.expression.shape[-1]):
        name = f"shape{k}".encode()
        data += struct.pack("<Q", len(name)) + name
        data += _eos_matrix(face.expression[..., k].reshape(-1, 1))
    return data


def write_ict_facekit(folder: Path, face: SmallFace) -> Path:
    """Centimetres, one OBJ a mode, a transparent strip of lashes after the skin."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"expression{k}" for k in range(face.expression.shape[-1])]
    indices = {"idx_to_landmark_verts": face.landmarks.tolist(), "expressions": [*names, "absent"]}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    write_obj(folder / "generic_neutral_mesh.obj", face.mean, face.triangles)
    for k in range(face.identity.shape[-1]):
        shape = face.mean + face.identity[..., k]
        write_obj(folder / f"identity{k:03d}.obj", shape, face.triangles)
    for k, name in enumerate(names):
        write_obj(folder / f"{name}.obj", face.mean + face.expression[..., k], face.triangles)
    return folder


def write_obj(path: Path, vertices: np.ndarray, triangles: np.ndarray) -> Path:
    strip = vertices[:4] + np.array([0, 0, 20])
    lines = ["# a comment", "mtllib materials.mtl"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in np.concatenate([vertices, strip]) / 10]
    lines += [f"vt {k / 20000:.6f} 0.5" for k in range(len(vertices) + 4)]
    lines += ["usemtl M_Face"]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in triangles + 1]
    first = len(vertices) + 1
    lines += ["usemtl M_EyeLashes", "f " + " ".join(f"{first + k}/{first + k}" for k in range(4))]
    path.write_text("\n".join(lines) + "\n")
    return path


WRITERS = {
    "basel2009.mat": write_basel_2009,
    "basel2017.h5": write_basel_2017,
    "flame2023.pkl": write_flame_pickle,
    "flame2020.npz": write_flame_npz,
    "surrey.bin": write_surrey,
    "FaceXModel": write_ict_facekit,
}
