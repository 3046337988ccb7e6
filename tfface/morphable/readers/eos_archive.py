"""What eos puts into its archives: `morphablemodel/{MorphableModel,PcaModel,Blendshape}.hpp`.

Coordinates and colours are interleaved, x, y, z or r, g, b of each vertex: N = 3 V numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfface.morphable.readers.cereal import CerealReader
from tfface.morphable.readers.files import PathLike, require_triangles, wrong

WHAT = "a face model of eos (cereal binary archive)"


@dataclass(frozen=True, eq=False)
class PcaModel:
    """Attributes: mean `(N,)`, basis `(N, K)` in standard deviations, triangles `(T, 3)`."""

    mean: np.ndarray
    basis: np.ndarray
    triangles: np.ndarray

    def __bool__(self) -> bool:
        return len(self.mean) > 0


def _read_pca_model(reader: CerealReader, what: str) -> PcaModel:
    """Reads an eos PcaModel: mean, orthonormal basis, eigenvalues (variances), triangles."""
    mean = reader.matrix(f"the mean of {what}")
    basis = reader.matrix(f"the basis of {what}")
    variance = reader.matrix(f"the eigenvalues of {what}")
    triangles = reader.array("<i4", 3 * reader.count(f"the triangles of {what}"), "triangles")
    triangles = triangles.reshape(-1, 3)
    sizes = (mean.shape, basis.shape, variance.shape)
    if mean.size == 0:
        return PcaModel(np.zeros(0, np.float32), np.zeros((0, 0), np.float32), triangles)
    if sizes != ((len(mean), 1), (len(mean), basis.shape[1]), (basis.shape[1], 1)):
        raise wrong(reader.path, f"mean (N, 1), basis (N, K), eigenvalues (K, 1) of {what}", sizes)
    if len(mean) % 3 or variance.min() < 0:
        raise wrong(
            reader.path,
            f"3 numbers a vertex and eigenvalues of at least 0 in {what}",
            f"{len(mean)} numbers, least eigenvalue {variance.min()}",
        )
    require_triangles(reader.path, f"triangles of {what}", triangles, len(mean) // 3)
    return PcaModel(mean[:, 0], basis * np.sqrt(variance[:, 0]), triangles)


def _read_blendshapes(reader: CerealReader, size: int) -> np.ndarray:
    """Reads eos' vector of Blendshape (name, displacement) as `(size, K)`."""
    shapes = []
    for _ in range(reader.count("blendshapes")):
        name = reader.text("the name of a blendshape")
        shapes.append(reader.matrix(f"blendshape {name!r}").reshape(-1))
        if len(shapes[-1]) != size:
            raise wrong(reader.path, f"{size} numbers in blendshape {name!r}", len(shapes[-1]))
    if not shapes:
        raise wrong(reader.path, "blendshapes", "none")
    return np.stack(shapes, axis=1)


@dataclass(frozen=True, eq=False)
class EosModel:
    """Attributes: shape, colour (empty if it has none); expression_mean `(N,)`; expression
    `(N, K)`, and whether it is blendshapes; uv `(V, 2)` with v up, or None."""

    shape: PcaModel
    colour: PcaModel
    expression_mean: np.ndarray
    expression: np.ndarray
    blendshapes: bool
    uv: np.ndarray | None


def read_eos_model(path: PathLike) -> EosModel:
    """Reads a MorphableModel of eos, versions 1 to 4."""
    reader = CerealReader(path, WHAT)
    version = reader.integer("the version", "<u4")
    if not 1 <= version <= 4:
        raise wrong(path, f"version 1 to 4 of {WHAT}", version)
    shape = _read_pca_model(reader, "the shape model")
    if not shape:
        raise wrong(path, "a shape model", "an empty one")
    colour = _read_pca_model(reader, "the colour model")
    if colour and colour.mean.shape != shape.mean.shape:
        raise wrong(path, f"{len(shape.mean)} colour values", len(colour.mean))
    size, kind = len(shape.mean), -1
    mean, expression = np.zeros(size, np.float32), np.zeros((size, 0), np.float32)
    if version >= 2 and not reader.integer("whether expressions are absent", "u1"):
        kind = reader.integer("the kind of expression model")
        if kind == 0:
            pca = _read_pca_model(reader, "the expression model")
            mean, expression = pca.mean, pca.basis
        elif kind == 1:
            expression = _read_blendshapes(reader, size)
        else:
            raise wrong(path, "an expression model of kind 0 or 1", kind)
        if mean.shape != shape.mean.shape:
            raise wrong(path, f"{size} numbers in the expression mean", len(mean))
    uv = _read_remainder(reader, version)
    per_vertex = 3 * len(uv) == size
    return EosModel(shape, colour, mean, expression, kind == 1, uv if per_vertex else None)


def _read_remainder(reader: CerealReader, version: int) -> np.ndarray:
    """Skips landmark definitions and texture triangles; returns `(*, 2)` uv with v up."""
    if version >= 3 and not reader.integer("whether landmarks are absent", "u1"):
        for _ in range(reader.count("landmark definitions")):  # names of no fixed scheme
            reader.text("the name of a landmark")
            reader.integer("the vertex of a landmark")
    uv = reader.array("<f8", 2 * reader.count("texture coordinates"), "texture coordinates")
    if version >= 4:
        reader.array("<i4", 3 * reader.count("texture triangles"), "texture triangles")
    reader.end()
    return uv.reshape(-1, 2) * [1, -1] + [0, 1]  # eos' v points down


def read_blendshape_file(path: PathLike, size: int) -> np.ndarray:
    """Reads a file of blendshapes as `(size, K)` displacements at full strength."""
    reader = CerealReader(path, "expression blendshapes of eos (cereal binary archive)")
    shapes = _read_blendshapes(reader, size)
    reader.end()
    return shapes
