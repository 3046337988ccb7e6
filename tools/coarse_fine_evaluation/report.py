"""Results as numbers, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from coarse_fine_evaluation.measures import Subject
from coarse_fine_evaluation.wrinkles import WrinkledFaces
from tfface.data.crop import crop_box, crop_image
from tfface.data.detection import FaceDetector
from tfface.losses.shape_from_shading import height_normals
from tfface.rendering.clay import clay_colours
from tfface.visualization.overlay import write_png
from tfface.visualization.relief import Relief, draw_relief

TITLES = {
    "posed_mm": "face as posed, mm",
    "shape_mm": "face without pose, mm",
    "rotation_degrees": "rotation, degrees",
    "landmarks_px_of_200": "landmarks, px of 200",
    "mean": "mean, mm",
    "percentile90": "90 %, mm",
    "in_wrinkles": "wrinkles, less their surroundings, mm",
    "criterion_coarse": "criterion, coarse surface",
    "criterion_fine": "criterion, refined surface",
    "shading_coarse": "its shading term",
    "shading_fine": "its shading term",
    "nme": "landmark error / outer eye corner distance",
    "regressed.coarse": "CoarseNet's face",
    "regressed.fine": "refined by FineNet",
    "regressed.classical": "refined by classical shape from shading",
    "true.coarse": "true face without wrinkles",
    "true.fine": "refined by FineNet",
    "true.classical": "refined by classical shape from shading",
    "before": "before both nets were trained together",
    "after": "trained end to end",
}


def draw_passes(subject: Subject, crops: np.ndarray, file: Path) -> None:
    """Figure 4: for each face, the masked picture, PNCC and normals, first of the mean face, then
    after every pass; on the fine mesh."""
    geometry, trajectory = subject.geometry, subject.model.trajectory(crops)
    steps = trajectory["identity"].shape[1]
    rows = []
    for number in range(steps):
        parts = {name: tf.constant(part[:, number]) for name, part in trajectory.items()}
        faces = geometry.maps.see(parts, geometry.image_size)
        places, normals = tf.split(geometry.maps.feedback(faces), 2, axis=-1)
        masked = faces.mask * (crops / 255)
        rows.append(np.concatenate([masked, places, normals], axis=1))  # one under the other
    columns = np.concatenate(rows, axis=2)
    write_png(file, _to_bytes(np.concatenate(list(columns), axis=0)))


def draw_surfaces(file: Path, faces: WrinkledFaces, surfaces: Mapping[str, np.ndarray]) -> None:
    """A row for each face: its picture, its true surface and others, as clay."""
    clay = [
        clay_colours(height_normals(tf.constant(heights, tf.float32))).numpy() * faces.mask
        for heights in (faces.heights, *surfaces.values())
    ]
    rows = np.concatenate([faces.images, *clay], axis=2)
    write_png(file, _to_bytes(np.concatenate(list(rows), axis=0)))


def draw_photos(
    subject: Subject, photos: Iterable[np.ndarray], sizes: Sequence[int], file: Path
) -> None:
    """A row for each photo and size: the photo, its coarse and its refined face."""
    detector, rows = FaceDetector(), []
    for image in photos:
        for face in detector.detect(image)[:1]:
            box = crop_box(face.landmarks)
            parts = subject.model.regress(crop_image(image, box, subject.model.image_size)[None])
            for size in sizes:
                crop = crop_image(image, box, size)
                maps = subject.model.detail(crop[None], parts)
                relief = Relief(crop, **{name: maps[name][0] for name in Relief.MAPS})
                rows.append(draw_relief(relief))
    if rows:
        Image.fromarray(np.concatenate(rows)).save(file)


def _to_bytes(colours: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(colours, 0, 1)).astype(np.uint8)
