"""What a face is: a linear model of shape, expression and reflectance on one triangle mesh."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from tfface.files import write_by_rename

FORMAT = "tfface-morphable-model-1"
_SHAPES = ("identity", "expression")


class FaceModelError(ValueError):
    """A face model file, or a set of arrays, that is not what it should be."""


@dataclass(frozen=True, eq=False)
class ControlMesh:
    """A coarse cage whose subdivision is a face model's mesh: the same shapes, in less memory.

    Attributes:
        matrix: sparse `(V, Vc)`; positions are `matrix @ cage`.
        mean: `(Vc, 3)`.
        identity: `(Vc, 3, K)`.
        expression: `(Vc, 3, K)`.
    """

    matrix: sp.csr_matrix
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray


@dataclass(frozen=True, eq=False)
class MorphableModel:
    """A 3D morphable model of faces (Blanz and Vetter 1999), as NumPy arrays.

    Letters: V vertices, T triangles, K modes, C candidates, N samples. Positions are in
    millimetres in model space, colours are sRGB-encoded in [0, 1] (conventions: `tfface`).
    Every basis is scaled to one standard deviation, so that coefficients are in sigmas.

    Attributes:
        name: Short name, written beside every reconstruction.
        source: Where the data come from.
        licence: The licence of the data.
        mean: `(V, 3)` neutral mean shape.
        identity: `(V, 3, K)` displacement of each identity mode.
        expression: `(V, 3, K)` displacement of each expression mode.
        albedo_mean: `(V, 3)` mean reflectance.
        albedo: `(V, 3, K)` reflectance modes.
        triangles: `(T, 3)` int32, counter-clockwise seen from outside.
        uv: `(V, 2)` texture coordinates in [0, 1], v up.
        landmarks: `(68,)` int32 vertices of the iBUG landmarks on a frontal face.
        contour: `(17, C)` int32 candidate vertices of each jaw landmark, along a line across the
            cheek; the visible one depends on the pose (the sliding correspondences of FML).
        symmetry: `(V,)` int32, the mirrored vertex of every vertex.
        regions: name -> `(V,)` float32 weight in [0, 1].
        identity_samples: `(N, K)` natural identities, in sigmas; may be empty.
        expression_samples: `(N, K)` natural expressions, in sigmas; may be empty.
        albedo_samples: `(N, K)` natural reflectances, in sigmas; may be empty.
        control: The cage that the mesh is subdivided from, if it is; not saved.

    Raises:
        FaceModelError: if shapes disagree; the message names the field.
    """

    name: str
    source: str
    licence: str
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    landmarks: np.ndarray
    contour: np.ndarray
    symmetry: np.ndarray
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    identity_samples: np.ndarray | None = None
    expression_samples: np.ndarray | None = None
    albedo_samples: np.ndarray | None = None
    control: ControlMesh | None = None

    def __post_init__(self) -> None:
        for part in ("identity", "expression", "albedo"):
            if getattr(self, f"{part}_samples") is None:
                empty = np.zeros((0, getattr(self, part).shape[-1]), np.float32)
                object.__setattr__(self, f"{part}_samples", empty)
        count = len(self.mean)
        expected: dict[str, tuple[int | None, ...]] = {
            "mean": (count, 3),
            "identity": (count, 3, None),
            "expression": (count, 3, None),
            "albedo_mean": (count, 3),
            "albedo": (count, 3, None),
            "triangles": (None, 3),
            "uv": (count, 2),
            "landmarks": (68,),
            "contour": (17, None),
            "symmetry": (count,),
            "identity_samples": (None, self.identity.shape[-1]),
            "expression_samples": (None, self.expression.shape[-1]),
            "albedo_samples": (None, self.albedo.shape[-1]),
        }
        for name, shape in expected.items():
            _check_shape(name, getattr(self, name), shape)
        for name in ("triangles", "landmarks", "contour", "symmetry"):
            index = getattr(self, name)
            if index.size and (index.min() < 0 or index.max() >= count):
                raise FaceModelError(
                    f"{name}: expected vertex numbers in [0, {count}), "
                    f"got {index.min()} to {index.max()}"
                )
        for name, weight in self.regions.items():
            _check_shape(f"regions[{name!r}]", weight, (count,))

    @property
    def vertex_count(self) -> int:
        return len(self.mean)

    def vertices(
        self, identity: np.ndarray | None = None, expression: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the `(V, 3)` mesh of coefficients in sigmas (missing ones are zero)."""
        shape = self.mean
        for basis, coefficients in ((self.identity, identity), (self.expression, expression)):
            if coefficients is not None:
                shape = shape + basis[..., : len(coefficients)] @ np.asarray(coefficients)
        return shape

    def albedo_colours(self, coefficients: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(V, 3)` reflectance of coefficients in sigmas, not clipped."""
        if coefficients is None:
            return self.albedo_mean
        return self.albedo_mean + self.albedo[..., : len(coefficients)] @ np.asarray(coefficients)

    def truncated(
        self,
        identity: int | None = None,
        expression: int | None = None,
        albedo: int | None = None,
    ) -> MorphableModel:
        """Returns the model with at most the given numbers of modes (None keeps all)."""
        kept = {"identity": identity, "expression": expression, "albedo": albedo}
        changes: dict[str, Any] = {}
        for part, count in kept.items():
            changes[part] = getattr(self, part)[..., :count]
            changes[f"{part}_samples"] = getattr(self, f"{part}_samples")[..., :count]
        if self.control is not None:
            cage: dict[str, Any] = {
                part: getattr(self.control, part)[..., : kept[part]] for part in _SHAPES
            }
            return replace(self, **changes, control=replace(self.control, **cage))
        return replace(self, **changes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one `.npz` file; it appears whole or not at all."""
        arrays = {"format": np.array(FORMAT)}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "regions":
                arrays.update({f"regions/{name}": weight for name, weight in value.items()})
            elif entry.name != "control":
                arrays[entry.name] = np.asarray(value)

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:  # a name without .npz would get one
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

        write_by_rename(path, write)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MorphableModel:
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            FaceModelError: if the file is something else or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, EOFError, zipfile.BadZipFile, OSError, AttributeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise FaceModelError(f"{path}: expected a tfface .npz model, got {error}") from error
        found = str(arrays.pop("format", "no format entry"))
        if found != FORMAT:
            raise FaceModelError(f"{path}: expected format {FORMAT!r}, got {found!r}")
        prefix = "regions/"
        regions = {k[len(prefix) :]: arrays.pop(k) for k in list(arrays) if k.startswith(prefix)}
        texts = {k: str(arrays.pop(k)) for k in ("name", "source", "licence") if k in arrays}
        try:
            return cls(regions=regions, **texts, **arrays)  # type: ignore[arg-type]
        except (TypeError, FaceModelError) as error:
            raise FaceModelError(f"{path}: {error}") from error


def _check_shape(name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    matches = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not matches:
        wanted = "(" + ", ".join("*" if n is None else str(n) for n in shape) + ")"
        raise FaceModelError(f"{name}: expected shape {wanted}, got {array.shape}")
