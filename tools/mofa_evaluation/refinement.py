"""High-fidelity MoFA, section 9: codes that are fitted to pictures, and wrinkles."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mofa_evaluation.baselines import untrained
from mofa_evaluation.drawn_faces import SEED
from mofa_evaluation.measures import geometric_errors, picture_errors
from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.crop import crop_box, crop_image, to_crop
from tfface.data.photos import read_photo
from tfface.data.synthetic import synthetic_faces
from tfface.encoders import build_encoder
from tfface.exported_model import ExportedModel, PosedFaces
from tfface.fitting.face_energy import EnergyWeights, FaceEnergy, Pictures
from tfface.fitting.gauss_newton import STEPS, GaussNewton
from tfface.fitting.refinement import SIDE, fitted_crop
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.reconstructor import Reconstructor

# Section 9.1's, where the photometric term is not halved; that of landmarks is not told there, and
# is kept in proportion.
PAPER_WEIGHTS = EnergyWeights(0.88, 1.1, 0.01, 0.11, 0.01)
SAMPLES = (500, 2000, 5000, None)  # compared vertices; None: all
# Rates of descents; the best one counts.
RATES = {"gradient_descent": (1e-4, 1e-3, 1e-2), "adam": (0.01, 0.03, 0.1)}
LONGEST = 400  # steps of it
DESCENDED = 8  # faces, at most: each takes all rates
REPEATS = 15  # of what is timed

Rows = dict[str, dict[str, float]]
Parts = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class DrawnFaces:
    """N faces of known codes.

    Attributes:
        crops: `(N, SIDE, SIDE, 3)` uint8.
        landmarks: `(N, 68, 2)` pixels of them.
        truth: The faces.
    """

    crops: np.ndarray
    landmarks: np.ndarray
    truth: PosedFaces

    @classmethod
    def draw(cls, model: ExportedModel, face_model: MorphableModel, count: int, seed: int) -> Self:
        decoder = FaceDecoder.of_model(face_model, SIDE, model.focal_length)
        stream = synthetic_faces(face_model, decoder, SyntheticConfig(), SEED + seed)
        images, targets = next(stream.batch(count).as_numpy_iterator())
        crops = np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
        parts = CodeLayout(decoder.code_sizes).split(tf.constant(targets["code"]))
        return cls(
            crops, targets["landmarks"], model.pose({k: v.numpy() for k, v in parts.items()})
        )


class Fitting:
    """Fits codes to drawn faces, one at a time.

    Args:
        energy: Of the codes.
        faces: To fit to.
    """

    def __init__(self, energy: FaceEnergy, faces: DrawnFaces) -> None:
        self.energy, self.faces, self.descent = energy, faces, GaussNewton(energy)

    def pictures(self, number: int, landmarks: bool = True) -> Pictures:
        crop = tf.constant(self.faces.crops[number : number + 1] / 255, tf.float32)
        points = tf.constant(self.faces.landmarks[number : number + 1], tf.float32)
        return Pictures(crop, points, tf.fill([1, 68], float(landmarks)))

    def join(self, parts: Parts) -> tf.Tensor:
        return self.energy.layout.join({k: tf.constant(v, tf.float32) for k, v in parts.items()})

    def __call__(self, parts: Parts, landmarks: bool = True) -> dict[str, np.ndarray]:
        codes = self.join(parts)
        fits = [
            self.descent(codes[i : i + 1], self.pictures(i, landmarks)).code
            for i in tqdm(range(len(codes)), "fits", unit="face", leave=False)
        ]
        found = self.energy.layout.split(tf.concat(fits, axis=0))
        return {name: part.numpy() for name, part in found.items()}


def regressed(model: ExportedModel, crops: np.ndarray) -> dict[str, np.ndarray]:
    """What a system makes of crops of another size."""
    return model.regress(np.stack([_sized(crop, model.image_size) for crop in crops]))


def errors(model: ExportedModel, faces: DrawnFaces, parts: Parts) -> dict[str, float]:
    """Means over drawn faces."""
    posed, scale = model.pose(parts), model.image_size / SIDE
    crops = np.stack([_sized(crop, model.image_size) for crop in faces.crops])
    found = picture_errors(model, posed, crops, scale * faces.landmarks)
    found["geometric_mm"] = geometric_errors(model, posed, faces.truth)
    return {name: float(values.mean()) for name, values in found.items()}


def compare_fits(model: ExportedModel, face_model: MorphableModel, fit: Fitting) -> Rows:
    """From the network's code and from the mean face (figure 18), with and without landmarks."""
    faces, count = fit.faces, len(fit.faces.crops)
    seen, mean = regressed(model, faces.crops), untrained(model, face_model, count)
    rows = {"mofa": errors(model, faces, seen), "mean": errors(model, faces, mean)}
    for landmarks in (True, False):
        ending = "" if landmarks else "_no_landmarks"
        for name, start in (("mofa", seen), ("mean", mean)):
            rows[f"{name}_opt{ending}"] = errors(model, faces, fit(start, landmarks))
    paper = Fitting(FaceEnergy(fit.energy.face, PAPER_WEIGHTS), faces)
    rows["mofa_opt_paper_weights"] = errors(model, faces, paper(seen))
    return rows


def compare_samples(model: ExportedModel, whole: Fitting, seed: int) -> Rows:
    """How many vertices are compared: time and error (the trade of figure 2)."""
    rows: Rows = {}
    faces, face = whole.faces, whole.energy.face
    seen = regressed(model, faces.crops)
    every = np.flatnonzero(model.compared > 0.5)
    for count in SAMPLES:
        fit = whole
        if count:
            chosen = np.random.default_rng(seed).permutation(every)[:count]
            fit = Fitting(FaceEnergy(face, vertices=np.sort(chosen)), faces)
        found = fit(seen)
        code = whole.join(found)
        energies = [
            float(whole.energy.value(code[i : i + 1], whole.pictures(i))[0])
            for i in range(len(code))
        ]
        first = functools.partial(fit.descent, fit.join(seen)[:1], fit.pictures(0))
        rows[str(count or len(every))] = {
            "seconds": _seconds(first),
            "energy": float(np.mean(energies)),
            **errors(model, faces, found),
        }
    return rows


def compare_descents(model: ExportedModel, fit: Fitting) -> Rows:
    """Gauss-Newton, and the time that descents along the gradient take to the same energy."""
    codes = fit.join(regressed(model, fit.faces.crops[:DESCENDED]))
    fit.descent(codes[:1], fit.pictures(0))  # compiles
    newton: list[float] = []
    optimizers = {
        "gradient_descent": keras.optimizers.SGD(1.0), "adam": keras.optimizers.Adam(1.0)
    }  # fmt: skip
    descents = {name: _Descent(fit, optimizer) for name, optimizer in optimizers.items()}
    best: dict[str, list[tuple[int, float]]] = {name: [] for name in descents}
    for i in tqdm(range(len(codes)), "descents", unit="face", leave=False):
        started = time.perf_counter()
        found = fit.descent(codes[i : i + 1], fit.pictures(i))
        newton.append(time.perf_counter() - started)
        goal = float(found.energies[-1, 0])
        for name, descent in descents.items():
            tried = [descent(codes[i : i + 1], fit.pictures(i), goal, rate) for rate in RATES[name]]
            best[name].append(min(tried))
    rows = {"gauss_newton": {"steps": float(STEPS), "seconds": float(np.median(newton))}}
    for name, least in best.items():
        steps, seconds = np.array(least).T
        rows[name] = {
            "steps": float(np.median(steps)),
            "seconds": float(np.median(seconds)),
            "share_not_reached": float(np.mean(steps >= LONGEST)),
        }
    return rows


class _Descent:
    """Along the gradient of the same energy, until it is as low; at most `LONGEST` steps."""

    def __init__(self, fit: Fitting, optimizer: keras.optimizers.Optimizer) -> None:
        self.energy = fit.energy
        self.units = np.ones(fit.energy.layout.size, np.float32)
        self.units[fit.energy.layout.parts["translation"].slice] = 30.0  # mm
        self.code = tf.Variable(tf.zeros([1, fit.energy.layout.size]))
        self.optimizer = optimizer
        self.optimizer.build([self.code])
        self._step = tf.function(self._descend)

    def __call__(
        self, code: tf.Tensor, pictures: Pictures, goal: float, rate: float
    ) -> tuple[int, float]:
        """Steps and seconds."""
        seen = pictures.images, pictures.landmarks, pictures.confidence
        self._step(*seen)  # compiles
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        self.optimizer.learning_rate.assign(rate)
        self.code.assign(code / self.units)
        started = time.perf_counter()
        for number in range(LONGEST):
            if float(self._step(*seen)) <= goal:
                return number, time.perf_counter() - started
        return LONGEST, time.perf_counter() - started

    def _descend(self, *seen: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = self.energy.value(self.code * self.units, Pictures(*seen))[0]
        self.optimizer.apply_gradients([(tape.gradient(value, self.code), self.code)])
        return value


def measure_times(model: ExportedModel, fit: Fitting) -> Rows:
    """Five steps on one face and their parts, beside passes of an encoder, in milliseconds.

    The vertices that are compared, the skin of the face, are less than half of the head's; with all
    it is the Jacobian that takes longer, as the others have no weight.
    """
    face = fit.energy.face
    every = GaussNewton(FaceEnergy(face, vertices=np.arange(len(face.mean))))
    code, pictures = fit.join(regressed(model, fit.faces.crops[:1])), fit.pictures(0)
    seen = pictures.images, pictures.landmarks, pictures.confidence
    energy, gradient, hessian, shares = fit.descent.linearize(code, *seen)
    damping = tf.fill(tf.shape(energy), 1e-3)
    network = build_encoder("alexnet", SIDE)
    encoder = tf.function(lambda images: network(images, training=False))
    timed = {
        "five_steps": lambda: fit.descent(code, pictures),
        "five_steps_every_vertex": lambda: every(code, pictures),
        "linearisation": lambda: fit.descent.linearize(code, *seen),
        "solution": lambda: fit.descent.solve(gradient, hessian, damping),
        "value": lambda: fit.descent.values(code, shares, *seen),
        "alexnet_pass": lambda: encoder(pictures.images),
    }
    rows = {name: {"ms": 1000 * _seconds(call)} for name, call in timed.items()}
    for name in ("five_steps", "five_steps_every_vertex"):
        rows[name]["alexnet_passes"] = rows[name]["ms"] / rows["alexnet_pass"]["ms"]
    return rows


def compare_refinements(reconstructor: Reconstructor, paths: Sequence[Path]) -> Rows:
    """MoFA, Opt and Refine on photos: colours on the even grid, and landmarks."""
    model, refinement = reconstructor.model, reconstructor.refinement
    found: dict[str, list[dict[str, float]]] = {"mofa": [], "opt": [], "detail": []}
    for path in tqdm(paths, "refined photos", unit="photo"):
        image = read_photo(path)
        for face in reconstructor.detector.detect(image)[:1]:
            box = crop_box(face.landmarks)
            crop = crop_image(image, box, model.image_size)[None]
            points = to_crop(face.landmarks, box, model.image_size)[None]
            seen = model.regress(crop)
            fitted = refinement.fit(seen, image, [face])
            for name, parts in (("mofa", seen), ("opt", fitted)):
                told = picture_errors(model, model.pose(parts), crop, points)
                own = {key: float(values[0]) for key, values in told.items()}
                grid = refinement.shading.error(parts, fitted_crop(image, face))
                found[name].append({"grid_photometric": grid, **own})
            surface = refinement.add_detail(fitted, image, [face])[0]
            found["detail"].append({"grid_photometric": float(surface.photometric[1])})
    return {
        name: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for name, rows in found.items()
        if rows
    }


def _sized(crop: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def _seconds(call: Callable[[], object]) -> float:
    """The median of some calls after one that compiles."""
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        call()  # which on a CPU returns when all is computed
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))
