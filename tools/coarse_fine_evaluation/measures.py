"""CoarseNet pass by pass, and depth maps beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from coarse_fine_evaluation.classical import minimise
from coarse_fine_evaluation.wrinkles import WrinkledFaces, draw_wrinkled_faces
from mofa_evaluation.photos import photo_crops
from tfface.code import CodeLayout
from tfface.config import CoarseFineLossesConfig, SyntheticConfig
from tfface.data.detection import FaceDetector
from tfface.data.synthetic import synthetic_faces
from tfface.exported_model import ExportedModel, ModelError
from tfface.losses.shape_from_shading import ShadingProblem, shading_problem, shading_terms
from tfface.metrics import depth_errors, mean_landmark_distance, normalized_mean_error
from tfface.morphable.model import MorphableModel
from tfface.rendering.srgb import grey
from tfface.systems.coarse_fine import CoarseFine

SEED = 9_000_003  # apart from training's seeds, which are small; the run's seed is added
PAPER_SIDE = 200.0  # px, the paper's pictures
_BATCH = 8
_WRINKLE = 0.15  # mm of displacement from which on a pixel belongs to a wrinkle
_AROUND = 6.0  # mm, standard deviation of the window that tells a wrinkle from its surroundings

Numbers = dict[str, float]
Values = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Subject:
    """An exported model and what measures it.

    Attributes:
        model: The exported model.
        geometry: An untrained system on the fine mesh, for the camera and the maps of faces.
    """

    model: ExportedModel
    geometry: CoarseFine

    @classmethod
    def of(cls, model: ExportedModel, face_model: MorphableModel) -> Subject:
        if model.system != "coarse_fine":
            raise ModelError(f"expected a model of coarse_fine, got one of {model.system}")
        geometry = CoarseFine.of_model(face_model, model.image_size, model.focal_length)
        return cls(model, geometry)

    def true_parts(self, codes: np.ndarray) -> Values:
        """What CoarseNet regresses, of the codes of drawn faces, which say more."""
        parts = CodeLayout(self.geometry.decoder.code_sizes).split(tf.constant(codes))
        return {name: parts[name].numpy() for name in self.geometry.layout.parts}

    def problem(self, images: np.ndarray, parts: Mapping[str, np.ndarray]) -> ShadingProblem:
        """What eq. (14) compares surfaces of regressed faces with, on skin."""
        geometry = self.geometry
        tensors = {name: tf.constant(part, tf.float32) for name, part in parts.items()}
        faces = geometry.maps.see(tensors, geometry.image_size)
        skin, *albedo = geometry.paint_skin(faces)
        return shading_problem(grey(tf.constant(images, tf.float32)), faces.height, skin, *albedo)


def drawn_faces(subject: Subject, count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of pictures `(B, S, S, 3)` uint8 and codes `(B, N)` of the decoder."""
    geometry = subject.geometry
    faces = synthetic_faces(
        geometry.morphable_model, geometry.decoder, SyntheticConfig(), SEED + seed
    )
    for images, targets in faces.take(count).batch(_BATCH).as_numpy_iterator():
        yield np.round(255 * np.clip(images, 0, 1)).astype(np.uint8), targets["code"]


def passes(subject: Subject, count: int, seed: int) -> dict[str, Numbers]:
    """Mean errors on drawn faces before the first and after every pass.

    Returns:
        pass -> `posed_mm` (distance of the turned and scaled faces around their middle),
        `shape_mm` (without the pose), `rotation_degrees`, `landmarks_px_of_200`.
    """
    found: list[list[Values]] = []
    batches = tqdm(drawn_faces(subject, count, seed), "passes", -(-count // _BATCH), unit="batch")
    for crops, codes in batches:
        trajectory = subject.model.trajectory(crops)
        steps = trajectory["identity"].shape[1]
        truth = subject.true_parts(codes)
        found.append(
            [
                _pass_errors(subject.model, {k: v[:, n] for k, v in trajectory.items()}, truth)
                for n in range(steps)
            ]
        )
    return {
        str(number): {
            name: float(np.concatenate([e[name] for e in errors]).mean()) for name in errors[0]
        }
        for number, errors in enumerate(zip(*found, strict=True))
    }


def _pass_errors(
    model: ExportedModel, parts: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
) -> Values:
    face = model.compared > 0.5
    found, true = model.pose(parts), model.pose(truth)
    nearer = truth["translation"][:, 2] / parts["translation"][:, 2]
    posed = [f.vertices[:, face] @ f.rotation.transpose(0, 2, 1) for f in (found, true)]
    posed[0] *= nearer[:, None, None]
    centred = [points - points.mean(axis=1, keepdims=True) for points in posed]
    cosine = (np.einsum("bij,bij->b", found.rotation, true.rotation) - 1) / 2
    unit = model.image_size / PAPER_SIDE
    shape = np.linalg.norm((found.vertices - true.vertices)[:, face], axis=-1)
    return {
        "posed_mm": np.linalg.norm(centred[0] - centred[1], axis=-1).mean(axis=1),
        "shape_mm": shape.mean(axis=1),
        "rotation_degrees": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        "landmarks_px_of_200": mean_landmark_distance(found.landmarks, true.landmarks, unit),
    }


def wrinkle_depths(
    subject: Subject,
    losses: CoarseFineLossesConfig,
    count: int,
    seed: int,
    show: Callable[[WrinkledFaces, dict[str, np.ndarray]], None],
) -> dict[str, Numbers]:
    """Depth errors of wrinkled faces, mm, of the `coarse`, `fine` and `classical` surface.

    The coarse surface is that of the code that CoarseNet regresses (`regressed.`), or that of the
    true code, without wrinkles (`true.`). The depth of the whole face is not known in weak
    perspective: the median difference is taken off. `show` is given the first faces and their
    surfaces from the regressed code.
    """
    geometry = subject.geometry
    collected: dict[str, list[Values]] = {}
    weights = {name: getattr(losses, name) for name in ("shading", "fidelity", "smoothness")}
    for number in tqdm(range(-(-count // _BATCH)), "wrinkles", unit="batch"):
        faces = draw_wrinkled_faces(
            geometry.morphable_model, geometry.decoder, geometry.compared,
            min(_BATCH, count - number * _BATCH),
            SEED + 1000 * seed + number,
        )  # fmt: skip
        crops = np.round(255 * faces.images).astype(np.uint8)
        true, regressed = subject.true_parts(faces.codes), subject.model.regress(crops)
        for source, parts in (("regressed", regressed), ("true", true)):
            problem = subject.problem(crops / 255, parts)
            surfaces = {
                "coarse": problem.heights.numpy(),
                "fine": subject.model.detail(crops, parts)["heights"],
                "classical": minimise(problem, weights).numpy(),
            }
            if source == "regressed" and not number:
                show(faces, surfaces)
            valid = (problem.mask.numpy() > 0) & (faces.mask > 0)
            for name, heights in surfaces.items():
                errors = collected.setdefault(f"{source}.{name}", [])
                errors.append(_depth_errors(heights, faces, valid))
    return {
        name: {
            measure: float(np.nanmean([v for e in errors for v in e[measure]]))
            for measure in errors[0]
        }
        for name, errors in collected.items()
    }


def _depth_errors(heights: np.ndarray, faces: WrinkledFaces, valid: np.ndarray) -> Values:
    """`mean`, `percentile90` and `in_wrinkles`, mm, of each face.

    The last is that of wrinkles beside their surroundings, whose mean takes a part of them off too.
    """
    errors: dict[str, list[float]] = {"mean": [], "percentile90": [], "in_wrinkles": []}
    for i, here in enumerate(valid[..., 0]):
        scale = faces.scale[i]
        difference = (heights[i] - faces.heights[i])[..., 0] / scale
        depth = depth_errors(difference, np.zeros_like(difference), here)
        local = np.abs(difference - _around(difference, here, _AROUND * scale))
        relief = np.abs(faces.heights[i] - faces.smooth[i])[..., 0] / scale
        deep = here & (relief > _WRINKLE)
        errors["mean"].append(depth.mean)
        errors["percentile90"].append(depth.percentile_90)
        errors["in_wrinkles"].append(local[deep].mean() if deep.any() else np.nan)
    return {name: np.array(values) for name, values in errors.items()}


def _around(values: np.ndarray, valid: np.ndarray, deviation: float) -> np.ndarray:
    """Means `(S, S)` of the valid values around each pixel, in a Gaussian window."""
    weights = valid.astype(np.float32)
    total, weight = (
        cv2.GaussianBlur(image, (0, 0), deviation)
        for image in (np.where(valid, values, 0.0).astype(np.float32), weights)
    )
    return total / np.maximum(weight, 1e-6)


def photo_errors(
    subjects: Mapping[str, Subject], losses: CoarseFineLossesConfig, paths: Sequence[Path]
) -> dict[str, Numbers]:
    """The criterion, eq. (14), and the landmark error on photos, of each model.

    Light and albedo, eq. (11) and (12), are those that explain its own coarse surface.
    """
    found: dict[str, list[Values]] = {name: [] for name in subjects}
    detector = FaceDetector()
    size = next(iter(subjects.values())).model.image_size
    for crops, landmarks in photo_crops(detector, paths, size):
        for name, subject in subjects.items():
            parts = subject.model.regress(crops)
            problem = subject.problem(crops / 255, parts)
            refined = tf.constant(subject.model.detail(crops, parts)["heights"])
            surfaces = {"fine": refined, "coarse": problem.heights}
            errors = {}
            for kind, surface in surfaces.items():
                terms = shading_terms(problem, surface).items()
                weighted = {term: getattr(losses, term) * value.numpy() for term, value in terms}
                errors[f"criterion_{kind}"] = sum(weighted.values())
                errors[f"shading_{kind}"] = weighted["shading"]
            posed = subject.model.pose(parts)
            errors["nme"] = normalized_mean_error(posed.landmarks, landmarks)
            found[name].append(errors)
    return {
        name: {k: float(np.concatenate([e[k] for e in errors]).mean()) for k in errors[0]}
        for name, errors in found.items()
        if errors
    }
