"""The errors of one reconstruction, as far as the truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfface.data.crop import crop_box
from tfface.evaluation.samples import Sample, Scan
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
from tfface.metrics.geometric import RIGID_LANDMARKS
from tfface.reconstruction import FaceReconstruction
from tfface.visualization.drawing import draw
from tfface.visualization.posed_face import PosedFace

TITLES = {
    "scan_to_mesh_mm": "scan to mesh, mm",
    "scan_to_mesh_median_mm": "scan to mesh, median, mm",
    "point_to_plane_mm": "point to plane, mm",
    "hausdorff_mm": "Hausdorff, mm",
    "per_vertex_mm": "vertex to vertex, mm",
    "depth_mm": "depth, mm",
    "depth_90_mm": "depth, 90 %, mm",
    "landmark_nme": "landmarks / outer eye corners",
    "landmark_box_nme": "landmarks / box",
    "landmark_px_of_240": "68 landmarks, px of 240",
    "landmark_46_px_of_240": "46 landmarks, px of 240",
    "photometric": "photometric, RGB distance",
}
YAW = "yaw"  # degrees, of the picture: no error, but errors are grouped by it
PAPER_SIDE = 240.0  # px of a crop, the papers' unit

Errors = dict[str, float]


def nearest_face(
    faces: Sequence[FaceReconstruction], landmarks: np.ndarray | None
) -> FaceReconstruction | None:
    """The face that is meant: the one at the known landmarks, else the largest."""
    if landmarks is None or not faces:
        return faces[0] if faces else None
    return min(faces, key=lambda f: np.linalg.norm(f.landmarks_68 - landmarks, axis=-1).mean())


def sample_errors(face: FaceReconstruction, sample: Sample) -> Errors:
    """All errors that can be told; see `tfface.metrics` for their protocols."""
    errors: Errors = {}
    if sample.scan is not None:
        errors |= _scan_errors(face, sample.scan)
    if sample.truth is not None:
        errors |= _true_errors(face, sample.truth)
    if sample.landmarks is not None:
        errors |= _landmark_errors(face.landmarks_68, sample.landmarks)
    if sample.yaw is not None:
        errors[YAW] = sample.yaw
    return {**errors, "photometric": face.photometric_error}


def _scan_errors(face: FaceReconstruction, scan: Scan) -> Errors:
    """NoW's and Genova's measures."""
    initial = scan.alignment(face.landmarks_68_3d[list(RIGID_LANDMARKS)])
    mesh = face.mesh, face.triangles
    found = scan_to_mesh(
        scan.vertices, *mesh, nose_tip=scan.centre, initial=initial, radius=scan.radius
    )
    errors = {"scan_to_mesh_mm": found.mean, "scan_to_mesh_median_mm": found.median}
    if scan.triangles is not None:
        # Eyeballs, mouth and skull have no counterpart in a scan.
        shown = face.triangles[(face.fitted > 0.5)[face.triangles].all(axis=1)]
        errors["point_to_plane_mm"] = symmetric_point_to_plane(
            (scan.vertices, scan.triangles), (face.mesh, shown),
            nose_tip=scan.centre, initial=found.alignment, radius=scan.radius,
        ).mean  # fmt: skip
    return errors


def _true_errors(face: FaceReconstruction, truth: PosedFace) -> Errors:
    """MoFA's, InverseFaceNet's and Richardson's measures; the first two of one topology."""
    errors: Errors = {}
    if face.triangles.shape == truth.triangles.shape and len(face.mesh) == len(truth.vertices):
        inside = truth.fitted > 0.5
        pair = face.mesh @ face.rotation.T, truth.vertices @ truth.rotation.T
        errors["per_vertex_mm"] = float(per_vertex_error(*(p[inside] for p in pair)).mean())
        aligned = fit_similarity(face.mesh[inside], truth.vertices[inside]).apply(face.mesh)
        triangles = truth.triangles[inside[truth.triangles].all(axis=1)]
        surfaces = (aligned, triangles), (truth.vertices, triangles)
        errors["hausdorff_mm"] = hausdorff_distance(*surfaces)
    height, width = face.image.shape[:2]
    found, seen = _depth(face.posed(), width, height)
    known, there = _depth(truth, width, height)
    depth = depth_errors(found, known, seen & there)
    return {**errors, "depth_mm": depth.mean, "depth_90_mm": depth.percentile_90}


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
