"""The geometry of the default face model: mean, identity, expression, at two levels of detail."""

from __future__ import annotations

from typing import Any

import numpy as np

from default_face_model.expression import ExpressionSampler, expression_units
from default_face_model.geometry import LEFT_EYE, RIGHT_EYE, SKIN, Head, build_head, fit_sphere
from default_face_model.identity import HeadGenerator, reference_displacement
from default_face_model.modes import (
    align,
    expression_modes,
    face_weights,
    principal_modes,
    residual_rms,
)
from default_face_model.offsets import SLIDER_OFFSETS
from default_face_model.sources import Sources
from tfface.morphable.subdivision import catmull_clark, triangulate

# Mean distance between adults' pupils, both sexes (Dodgson, "Variation and extrema of human
# interpupillary distance", 2004: mean 63.4 mm, median 63).
PUPIL_DISTANCE_MM = 63.0
IDENTITY_MODES, EXPRESSION_MODES = 80, 64
IDENTITY_DRAWS, EXPRESSION_DRAWS = 1600, 3000
IDENTITY_SAMPLES, EXPRESSION_SAMPLES = 1200, 512
HELD_OUT_DRAWS = 100
MIRROR_X = np.array([-1.0, 1.0, 1.0])


def build_shape(sources: Sources, seed: int) -> dict[str, Any]:
    """Returns the geometry of the model, as the other stages read it.

    Keys, with Vc vertices of the cage and V of the fine mesh:
        control_mean (Vc, 3), control_identity (Vc, 3, Ki), control_expression (Vc, 3, Ke): the
            cage, mm, modes one standard deviation long.
        subdivision: sparse (V, Vc) from the cage to the fine mesh, whose first Vc rows give the
            coarse mesh.
        coarse_mean, fine_mean; quads, fine_quads; coarse_triangles, fine_triangles; uv, fine_uv;
            part, fine_part; eye_direction, fine_eye_direction; symmetry, fine_symmetry: the mesh
            at both levels.
        base_index, upper_teeth: (Vc,).
        identity_samples (N, Ki), expression_samples (N, Ke): natural people, in sigmas.
        held_out_residual_mm: the rms distance on the face by which the modes miss heads that they
            were not made from.

    Args:
        sources: the packages.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    mesh = sources.base_mesh()
    head = build_head(mesh, sources.mirror(len(mesh.vertices)))
    generator = HeadGenerator(sources, head, mesh.vertices, SLIDER_OFFSETS)
    heads = generator.heads(generator.draw(IDENTITY_DRAWS, rng))
    mean = _symmetric(heads.mean(0), head)
    weights = face_weights(mean, head.part)
    heads = align(heads, mean, weights)
    mean = _symmetric(heads.mean(0), head)
    scale = PUPIL_DISTANCE_MM / _pupil_distance(mean, head)
    modes, samples = principal_modes((heads - mean) * scale, weights, IDENTITY_MODES)
    held_out = align(
        generator.heads(generator.draw(HELD_OUT_DRAWS, np.random.default_rng(seed + 1))),
        mean,
        weights,
    )
    residual = residual_rms((held_out - mean) * scale, modes, weights)
    mean = (mean - _origin(mean, head)) * scale

    reference = mesh.vertices + reference_displacement(sources, len(mesh.vertices))
    units = expression_units(sources, head, reference)
    metric = PUPIL_DISTANCE_MM / _pupil_distance(head.place(reference), head)
    strengths = ExpressionSampler(list(units), rng).draw(EXPRESSION_DRAWS)
    displacements = np.stack(list(units.values())) * metric
    expression, drawn = expression_modes(displacements, strengths, weights, EXPRESSION_MODES)
    return {
        "control_mean": mean,
        "control_identity": modes,
        "control_expression": expression,
        "identity_samples": samples[:IDENTITY_SAMPLES],
        "expression_samples": drawn[:EXPRESSION_SAMPLES],
        "held_out_residual_mm": residual,
        **_levels(head, mean),
    }


def _levels(head: Head, mean: np.ndarray) -> dict[str, Any]:
    """Returns the mesh at both levels of detail."""
    count = len(mean)
    matrix, fine_quads = catmull_clark(head.quads, count)
    fine = matrix @ mean
    directions = matrix @ head.eye_direction
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = np.where(length > 0.3, directions / np.maximum(length, 1e-9), 0.0)
    # A fine vertex belongs to the part that most of its cage vertices belong to.
    fine_part = (matrix @ np.eye(5)[head.part]).argmax(1).astype(np.int32)
    fine_symmetry = _fine_symmetry(head.quads, fine_quads, head.symmetry, count, len(fine))
    return {
        "subdivision": matrix,
        "quads": head.quads,
        "fine_quads": fine_quads,
        "coarse_triangles": triangulate(head.quads, head.symmetry),
        "fine_triangles": triangulate(fine_quads, fine_symmetry),
        "uv": head.uv,
        "fine_uv": _fine_uv(head, fine_quads, len(fine)),
        "part": head.part,
        "fine_part": fine_part,
        "upper_teeth": head.upper_teeth,
        "base_index": head.base_index,
        "eye_direction": directions[:count],
        "fine_eye_direction": directions,
        "symmetry": head.symmetry,
        "fine_symmetry": fine_symmetry,
        "coarse_mean": fine[:count],
        "fine_mean": fine,
    }


def _symmetric(vertices: np.ndarray, head: Head) -> np.ndarray:
    return (vertices + vertices[head.symmetry] * MIRROR_X) / 2.0


def _pupil_distance(vertices: np.ndarray, head: Head) -> float:
    poles = [int(np.flatnonzero(head.part == part)[0]) for part in (LEFT_EYE, RIGHT_EYE)]
    return float(vertices[poles[0], 0] - vertices[poles[1], 0])


def _origin(vertices: np.ndarray, head: Head) -> np.ndarray:
    """Returns the head's centre: midway between eyes and mouth, midway from nose to occiput."""
    eye, _ = fit_sphere(vertices[head.part == LEFT_EYE])
    teeth = vertices[head.upper_teeth]
    depth = vertices[head.part == SKIN, 2]
    return np.array([0.0, (eye[1] + teeth[:, 1].min()) / 2.0, (depth.min() + depth.max()) / 2.0])


def _fine_symmetry(
    quads: np.ndarray, fine_quads: np.ndarray, symmetry: np.ndarray, count: int, fine_count: int
) -> np.ndarray:
    """Returns the mirror vertex of each fine vertex: edges and quads mirror with their corners."""
    by_corner = fine_quads.reshape(len(quads), 4, 4)
    mirror = np.empty(fine_count, np.int32)
    mirror[:count] = symmetry
    edge_point: dict[tuple[int, int], int] = {}
    for corners, fine in zip(quads.tolist(), by_corner.tolist(), strict=True):
        for i in range(4):
            a, b = corners[i], corners[(i + 1) % 4]
            edge_point[min(a, b), max(a, b)] = fine[i][1]
    for (a, b), point in edge_point.items():
        x, y = int(symmetry[a]), int(symmetry[b])
        mirror[point] = edge_point[min(x, y), max(x, y)]
    face_point = {
        tuple(sorted(c)): f[0][2] for c, f in zip(quads.tolist(), by_corner.tolist(), strict=True)
    }
    for corners, point in face_point.items():
        mirror[point] = face_point[tuple(sorted(int(symmetry[c]) for c in corners))]
    return mirror


def _fine_uv(head: Head, fine_quads: np.ndarray, fine_count: int) -> np.ndarray:
    """Returns uv (V, 2): bilinear within each quad, never averaged across a seam."""
    uv = np.zeros((fine_count, 2))
    uv[: len(head.uv)] = head.uv
    by_corner = fine_quads.reshape(len(head.quads), 4, 4)
    middles = (head.face_uv + np.roll(head.face_uv, -1, axis=1)) / 2.0
    uv[by_corner[:, :, 1].ravel()] = middles.reshape(-1, 2)
    uv[by_corner[:, 0, 2]] = head.face_uv.mean(1)
    return uv
