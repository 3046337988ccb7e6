"""What `reconstruct --refine` does to a code that a network has regressed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfface.data.crop import crop_box, crop_image, to_crop
from tfface.data.detection import DetectedFace
from tfface.exported_model import ExportedModel
from tfface.fitting.face_energy import FaceEnergy, Pictures
from tfface.fitting.gauss_newton import GaussNewton
from tfface.fitting.linear_face import LinearFace
from tfface.fitting.shading_refinement import RefinedSurface, ShadingRefinement

REFINEMENTS = ("opt", "detail")
SIDE = 240  # px of the crops that codes are fitted to, those of the paper
JAW = 0.1  # weight of the jaw's landmarks, which the detector misses by three times as far

Parts = Mapping[str, np.ndarray]


class Refinement:
    """Analysis by synthesis from regressed codes, then wrinkles (high-fidelity MoFA, section 9).

    Args:
        model: That regresses.

    Raises:
        ModelError: its codes are not those of faces with light before a perspective camera.
    """

    def __init__(self, model: ExportedModel) -> None:
        self.face = LinearFace.of_export(model)
        energy = FaceEnergy(self.face)
        self.layout, self.descent = energy.layout, GaussNewton(energy)

    @functools.cached_property
    def shading(self) -> ShadingRefinement:
        """Finds the wrinkles."""
        return ShadingRefinement(self.face)

    def fit(
        self, parts: Parts, image: np.ndarray, detected: Sequence[DetectedFace]
    ) -> dict[str, np.ndarray]:
        """The parts `(B, ...)` of codes that explain faces of a photo best, near the given ones.

        Args:
            parts: Of the regressed codes, `(B, ...)`.
            image: `(H, W, 3)` uint8, the whole photo.
            detected: B faces, whose landmarks count.
        """
        codes = self.layout.join({name: tf.constant(part) for name, part in parts.items()})
        # One after another: a face's Jacobian takes some 25 MB.
        refined = [
            self.descent(codes[i : i + 1], _pictures(image, face)).code
            for i, face in enumerate(detected)
        ]
        found = self.layout.split(tf.concat(refined, axis=0))
        return {name: part.numpy() for name, part in found.items()}

    def add_detail(
        self, parts: Parts, image: np.ndarray, detected: Sequence[DetectedFace]
    ) -> list[RefinedSurface]:
        """Faces of a photo with wrinkles.

        Args:
            parts: Of codes that `fit` has found, `(B, ...)`.
            image: `(H, W, 3)` uint8, the whole photo.
            detected: B faces.
        """
        return [
            self.shading(
                {name: part[i : i + 1] for name, part in parts.items()},
                fitted_crop(image, face),
            )
            for i, face in enumerate(detected)
        ]


def fitted_crop(image: np.ndarray, face: DetectedFace) -> np.ndarray:
    """What codes are fitted to, `(SIDE, SIDE, 3)` in [0, 1]."""
    return crop_image(image, crop_box(face.landmarks), SIDE).astype(np.float32) / 255


def _pictures(image: np.ndarray, face: DetectedFace) -> Pictures:
    """One face of a photo and its landmarks."""
    box = crop_box(face.landmarks)
    landmarks = to_crop(face.landmarks, box, SIDE).astype(np.float32)
    confidence = face.confidence.astype(np.float32)
    confidence[:17] *= JAW
    parts = fitted_crop(image, face), landmarks, confidence
    return Pictures(*(tf.constant(part[None]) for part in parts))
