"""The linear face model of an exported system, as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tfface.code import CodeLayout
from tfface.exported_model import ExportedModel, ModelError


@dataclass(frozen=True, eq=False)
class LinearFace:
    """Mean and modes of a face, and what of it is compared with pictures (V vertices).

    Attributes:
        mean: `(V, 3)` mm.
        geometry: `(V, 3, K)` mm per sigma, of identity and expression.
        albedo_mean: `(V, 3)`.
        albedo: `(V, 3, A)` per sigma.
        layout: Of codes; identity and expression are K numbers together.
        triangles: `(T, 3)`.
        compared: `(V,)` weights of the photometric term.
        landmarks: `(68,)` vertices.
        contour: `(17, C)` candidates of the jaw landmarks.
        focal_length: In sides of the crop.
    """

    mean: np.ndarray
    geometry: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    layout: CodeLayout
    triangles: np.ndarray
    compared: np.ndarray
    landmarks: np.ndarray
    contour: np.ndarray
    focal_length: float

    @classmethod
    def of_export(cls, model: ExportedModel) -> Self:
        """Reads the modes off an exported decoder, which is linear: a face for each.

        Raises:
            ModelError: its codes are not those of faces with light before a perspective camera.
        """
        sizes = {name: size for name, (_, size) in model.layout.items()}
        shape = [sizes.get(name, 0) for name in ("identity", "expression", "albedo")]
        layout = CodeLayout.of_face(*shape)
        if layout.sizes() != sizes or model.camera != "perspective":
            raise ModelError(
                f"{model.system}: expected codes of identity, expression, albedo, rotation, "
                f"translation and illumination, and a perspective camera; got {', '.join(sizes)}, "
                f"{model.camera}"
            )
        count = sum(shape)
        codes = np.concatenate([np.zeros((1, count)), np.eye(count)]).astype(np.float32)
        parts = np.split(codes, np.cumsum(shape)[:-1], axis=1)
        faces = model.decode(dict(zip(("identity", "expression", "albedo"), parts, strict=True)))
        moved = shape[0] + shape[1]
        modes = {
            name: np.moveaxis(faces[name][1:] - faces[name][0], 0, -1)
            for name in ("vertices", "albedo")
        }
        return cls(
            mean=faces["vertices"][0],
            geometry=np.ascontiguousarray(modes["vertices"][..., :moved]),
            albedo_mean=faces["albedo"][0],
            albedo=np.ascontiguousarray(modes["albedo"][..., moved:]),
            layout=layout,
            triangles=model.triangles,
            compared=model.compared,
            landmarks=model.landmarks,
            contour=model.contour,
            focal_length=model.focal_length,
        )
