"""The errors of one reconstruction, as far as the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tfface.data.crop import crop_box
from tfface.evaluation.samples import Sample, Scan
from tfface.exported_model import ExportedModel
from tfface.fitting.shading_refinement import RefinedSurface
from tfface.metrics import (
    INNER_46,
    box_normalized_error,
    depth_errors,
    fit_similarity,
    hausdorff_distance,
    mean_landmark_distance,
    normalized_mean_error,
    per_vertex_error,
    scan_to_mesh,
    symmetric_point_to_plane,
)
from tfface.metrics.geometric import NOSE_TIP, RIGID_LANDMARKS
from tfface.morphable.default import load_default_face_model
from tfface.reconstruction import FaceReconstruction
from tfface.visualization.drawing import draw
from tfface.visualization.posed_face import PosedFace
from tfface.visualization.refined_surface import posed_surface

FOUND = "found_share"
TITLES = {
    FOUND: "faces found",
    "scan_to_mesh_mm": "scan to mesh, mm",
    "scan_to_mesh_median_mm": "scan to mesh, median of a face, mm",
    "point_to_plane_mm": "point to plane, mm",
    "hausdorff_mm": "Hausdorff, mm",
    "per_vertex_mm": "vertex to vertex, mm",
    "depth_mm": "depth, mm",
    "depth_90_mm": "depth, 90 %, mm",
    "landmark_nme": "landmarks / outer eye corners",
    "landmark_box_nme": "landmarks / box",
    "landmark_px_of_240": "68 landmarks, px of 240",
    "landmark_46_px_of_240": "46 landmarks, px of 240",
    "landmark_box_nme_yaw_0_30": "landmarks / box, yaw to 30",
    "landmark_box_nme_yaw_30_60": "30 to 60",
    "landmark_box_nme_yaw_60_90": "60 to 90",
    "landmark_box_nme_yaw_balanced": "balanced",
    "photometric": "photometric, RGB distance",
    "grid_photometric": "of the even grid",
    "refined_photometric": "with wrinkles",
}
YAW = "yaw"  # degrees, of the picture: no error, but errors are grouped by it
PAPER_SIDE = 240.0  # px of a crop, the papers' unit

Errors = dict[str, float]


def nearest_face(
    faces: Sequence[FaceReconstruction], landmarks: np.ndarray | None
) -> FaceReconstruction | None:
    """The face that is meant: the largest, or one within half a crop of the known landmarks."""
    if landmarks is None or not faces:
        return faces[0] if faces else None
    away = [np.linalg.norm(face.landmarks_68 - landmarks, axis=-1).mean() for face in faces]
    box = crop_box(landmarks)
    nearest = int(np.argmin(away))
    return faces[nearest] if away[nearest] < (box[2] - box[0]) / 2 else None


def sample_errors(face: FaceReconstruction, sample: Sample, model: ExportedModel) -> Errors:
    """All errors that can be told; see `tfface.metrics` for their protocols.

    The colours of the mesh are compared at the size of the crops that the system sees. With
    `--refine detail` it is the refined surface that is compared with scans, but for neutral ones,
    and with depth; its grid's colours have columns of their own, before and after. Relief of
    CoarseNet and FineNet is not measured here.

    Args:
        face: What was found.
        sample: What is known.
        model: That found it.
    """
    errors: Errors = {}
    if sample.scan is not None:
        errors |= _scan_errors(face, sample.scan, model)
    if sample.truth is not None:
        errors |= _true_errors(face, sample.truth, model)
    if sample.landmarks is not None:
        points = _fixed_landmarks(face, model) if sample.fixed_jaw else face.landmarks_68
        errors |= _landmark_errors(points, sample.landmarks)
    if sample.yaw is not None:
        errors[YAW] = sample.yaw
    errors["photometric"] = face.photometric_error
    if isinstance(face.detail, RefinedSurface):
        before, after = map(float, face.detail.photometric)
        errors |= {"grid_photometric": before, "refined_photometric": after}
    return errors


def _scan_errors(face: FaceReconstruction, scan: Scan, model: ExportedModel) -> Errors:
    """NoW's measure, of its disc, and Genova's, around the tip of the nose.

    NoW's published figures pool the distances of all pictures; a table here has means of pictures.
    """
    surface = _surface(face, model, scan.neutral)
    initial = scan.alignment(surface.vertices[model.landmarks[list(RIGID_LANDMARKS)]])
    mesh = surface.vertices, surface.triangles
    found = scan_to_mesh(
        scan.vertices, *mesh, nose_tip=scan.centre, initial=initial, radius=scan.radius
    )
    errors = {"scan_to_mesh_mm": found.mean, "scan_to_mesh_median_mm": found.median}
    if scan.triangles is not None:
        tip = found.alignment.apply(surface.vertices[model.landmarks[NOSE_TIP]])
        nearest = np.linalg.norm(scan.vertices - tip, axis=1).argmin()
        errors["point_to_plane_mm"] = symmetric_point_to_plane(
            (scan.vertices, scan.triangles), mesh, nose_tip=scan.vertices[nearest],
            initial=found.alignment, part=surface.skin,
        ).mean  # fmt: skip
    return errors


def _true_errors(face: FaceReconstruction, truth: PosedFace, model: ExportedModel) -> Errors:
    """MoFA's, InverseFaceNet's and Richardson's measures; the first two of the default face model,
    the vertices of whose coarse level are the first of the fine one. Depth counts where both faces
    are seen."""
    errors: Errors = {}
    count, inside = len(face.vertices), model.compared > 0.5
    levels = (load_default_face_model(detail).triangles for detail in ("coarse", "fine"))
    if any(np.array_equal(face.triangles, triangles) for triangles in levels):
        true = truth.vertices[:count]
        pair = face.vertices @ face.rotation.T, true @ truth.rotation.T
        errors["per_vertex_mm"] = float(per_vertex_error(*(p[inside] for p in pair)).mean())
        aligned = fit_similarity(face.vertices[inside], true[inside]).apply(face.vertices)
        part = _within(face.triangles, inside)
        errors["hausdorff_mm"] = hausdorff_distance((aligned, part), (true, part))
    height, width = face.image.shape[:2]
    posed = replace(face.posed(), fitted=model.compared)
    if isinstance(face.detail, RefinedSurface):
        posed = posed_surface(face.detail, posed)
    found, seen = _depth(posed, width, height)
    known, there = _depth(truth, width, height)
    depth = depth_errors(found, known, seen & there)
    return {**errors, "depth_mm": depth.mean, "depth_90_mm": depth.percentile_90}


class _Surface(NamedTuple):
    vertices: np.ndarray  # (V, 3) the model's first
    triangles: np.ndarray  # (T, 3)
    skin: np.ndarray  # (V,) bool; the inside of the mouth and the skull are not


def _surface(face: FaceReconstruction, model: ExportedModel, neutral: bool) -> _Surface:
    """What is compared with scans: with its wrinkles, or without expression."""
    triangles, skin = face.triangles, model.compared > 0.5
    if neutral:
        parts = {name: part[None] for name, part in face.code.items() if name != "expression"}
        return _Surface(model.decode(parts)["vertices"][0], triangles, skin)
    if not isinstance(face.detail, RefinedSurface):
        return _Surface(face.vertices, triangles, skin)
    # The refined skin takes the place of the model's.
    count, refined = len(face.vertices), face.detail
    return _Surface(
        np.concatenate([face.vertices, refined.vertices]),
        np.concatenate([triangles[~skin[triangles].all(axis=1)], count + refined.triangles]),
        np.repeat([False, True], [count, len(refined.vertices)]),
    )


def _fixed_landmarks(face: FaceReconstruction, model: ExportedModel) -> np.ndarray:
    """The 68 vertices in the picture, the jaw's too, wherever the outline is."""
    posed = face.posed()
    return posed.camera.project(posed.vertices_camera[model.landmarks])


def _within(triangles: np.ndarray, part: np.ndarray) -> np.ndarray:
    return triangles[part[triangles].all(axis=1)]


def _depth(face: PosedFace, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth in mm, and where the face is seen."""
    values = np.stack([-face.vertices_camera[:, 2], face.fitted], axis=-1)
    drawing = draw(face, values, (0, 0, width, height))
    depth, fitted = np.moveaxis(drawing.attributes, -1, 0)
    return depth, (drawing.coverage > 0) & (fitted > 0.5)


def _landmark_errors(found: np.ndarray, known: np.ndarray) -> Errors:
    box = crop_box(known)
    unit = (box[2] - box[0]) / PAPER_SIDE
    inner = list(INNER_46)
    apart = np.linalg.norm(found - known, axis=-1)
    return {
        "landmark_nme": float(normalized_mean_error(found, known)),
        "landmark_box_nme": float(box_normalized_error(found, known)),
        "landmark_px_of_240": float(mean_landmark_distance(found, known, unit)),
        "landmark_46_px_of_240": float(apart[inner].mean() / unit),
    }
