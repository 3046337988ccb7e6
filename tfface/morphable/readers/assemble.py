"""From the arrays of a published model to a `MorphableModel` in tfface's conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tfface.morphable.default import load_default_face_model
from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.annotations import (
    contour_of,
    landmarks_of,
    mirrored_vertices,
    regions_of,
)
from tfface.morphable.readers.files import PathLike, wrong
from tfface.morphable.readers.registration import register

SKIN = (0.72, 0.56, 0.50)  # sRGB: what a model without colours wears
FACE_DISTANCE = 3.0  # mm: what cannot be brought nearer to the template is no face
HUMAN_SIZE = (60.0, 800.0)  # mm: the largest side of a face mask to that of a head with shoulders


@dataclass(frozen=True, eq=False)
class PublishedModel:
    """What a file holds, scaled to millimetres, [0, 1] and one standard deviation.

    `known` maps iBUG numbers (from 0) to vertices; `albedo_mean`, `albedo` and `uv` may be None.
    """

    path: PathLike
    name: str
    source: str
    licence: str
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    triangles: np.ndarray
    albedo_mean: np.ndarray | None = None
    albedo: np.ndarray | None = None
    uv: np.ndarray | None = None
    known: Mapping[int, int] = field(default_factory=dict)
    expression_samples: np.ndarray | None = None


def assemble(published: PublishedModel, template: MorphableModel | None = None) -> MorphableModel:
    """Completes a published model with what its file lacks, by laying `template` over it.

    Triangles are turned counter-clockwise seen from outside. The origin moves to where the
    template has its own (near the head's centre), so that poses of different models compare.
    Landmarks that are not known, jaw lines and regions come from the template; the mirrored
    vertices from the mesh itself; missing texture coordinates are those of a cylinder.

    Args:
        published: The contents of the file.
        template: An annotated model; the default face model if None.

    Raises:
        FaceModelError: if the mesh cannot be a face in millimetres, looking along z.
    """
    template = load_default_face_model("coarse") if template is None else template
    mean = np.asarray(published.mean, np.float32)
    size = float(np.ptp(mean, axis=0).max())
    if not HUMAN_SIZE[0] <= size <= HUMAN_SIZE[1]:
        expected = f"a mean face of {HUMAN_SIZE[0]:.0f} to {HUMAN_SIZE[1]:.0f} mm"
        raise wrong(published.path, expected, f"{size:.4g} mm")
    for number, vertex in published.known.items():
        if not (0 <= number < 68 and 0 <= vertex < len(mean)):
            expected = f"landmarks 0 to 67 on vertices 0 to {len(mean) - 1}"
            raise wrong(published.path, expected, f"landmark {number} on vertex {vertex}")
    triangles = outward(mean, published.triangles)
    registration = register(template, mean, triangles, published.known)
    if registration.distance > FACE_DISTANCE:
        expected = f"a face looking along z, within {FACE_DISTANCE} mm of {template.name}"
        raise wrong(published.path, expected, f"{registration.distance:.1f} mm, bent and all")
    return MorphableModel(
        name=published.name,
        source=published.source,
        licence=published.licence,
        mean=(mean - registration.origin).astype(np.float32),
        identity=published.identity.astype(np.float32, copy=False),
        expression=published.expression.astype(np.float32, copy=False),
        albedo_mean=_albedo_mean(published),
        albedo=_albedo(published),
        triangles=triangles,
        uv=cylinder_uv(mean) if published.uv is None else published.uv.astype(np.float32),
        landmarks=landmarks_of(registration, template, mean, published.known),
        contour=contour_of(registration, template, mean),
        symmetry=mirrored_vertices(mean),
        regions=regions_of(registration, template, mean),
        expression_samples=published.expression_samples,
    )


def outward(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Returns the triangles counter-clockwise seen from outside, as `(T, 3)` int32.

    A face, closed or a mask, encloses a positive volume seen from a point behind its middle.
    """
    behind = vertices.mean(0) - [0, 0, 0.25 * float(np.ptp(vertices[:, 0]))]
    a, b, c = (vertices[triangles[:, k]] - behind for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum()
    triangles = np.asarray(triangles, np.int32)
    return triangles if volume > 0 else np.ascontiguousarray(triangles[:, [0, 2, 1]])


def cylinder_uv(vertices: np.ndarray) -> np.ndarray:
    """Returns `(V, 2)` texture coordinates on an upright cylinder, cut at the back of the head."""
    x, y, z = (vertices - (vertices.min(0) + vertices.max(0)) / 2).T
    u = 0.5 + np.arctan2(x, z - z.min() / 2) / (2 * np.pi)
    return np.stack([u, (y - y.min()) / max(float(np.ptp(y)), 1e-6)], axis=1).astype(np.float32)


def blendshape_samples(modes: int) -> np.ndarray:
    """Returns natural coefficients of blendshapes: none, and each at half and at full strength.

    Blendshapes are switched on from 0 to 1; Gaussian draws would open lids beyond the eye.
    """
    one_by_one = np.eye(modes, dtype=np.float32)
    return np.concatenate([0 * one_by_one[:1], 0.5 * one_by_one, one_by_one])


def unit_colours(mean: np.ndarray, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns colours in [0, 1], whether the file counts to 1 or to 255."""
    top = 255.0 if mean.max() > 1.5 else 1.0
    return mean / np.float32(top), modes / np.float32(top)


def _albedo_mean(published: PublishedModel) -> np.ndarray:
    if published.albedo_mean is None:
        return np.tile(np.array(SKIN, np.float32), (len(published.mean), 1))
    return published.albedo_mean.astype(np.float32, copy=False)


def _albedo(published: PublishedModel) -> np.ndarray:
    if published.albedo is None:
        return np.zeros((len(published.mean), 3, 0), np.float32)
    return published.albedo.astype(np.float32, copy=False)
