"""What `reconstruct --refine` does to a code that a network has regressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfface.data.crop import crop_box, crop_image, to_crop
from tfface.data.detection import DetectedFace
from tfface.exported_model import ExportedModel
from tfface.fitting.face_energy import FaceEnergy, Pictures
from tfface.fitting.gauss_newton import GaussNewton
from tfface.fitting.linear_face import LinearFace

SIDE = 240  # px of the crops that codes are fitted to, those of the paper


class CodeRefinement:
    """Analysis by synthesis from regressed codes (high-fidelity MoFA, section 9.1).

    Args:
        model: That regresses.

    Raises:
        ModelError: its codes are not those of faces with light before a perspective camera.
    """

    def __init__(self, model: ExportedModel) -> None:
        energy = FaceEnergy(LinearFace.of_export(model))
        self.layout, self.fit = energy.layout, GaussNewton(energy)

    def __call__(
        self,
        parts: Mapping[str, np.ndarray],
        image: np.ndarray,
        detected: Sequence[DetectedFace],
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
            self.fit(codes[i : i + 1], _pictures(image, face)).code
            for i, face in enumerate(detected)
        ]
        found = self.layout.split(tf.concat(refined, axis=0))
        return {name: part.numpy() for name, part in found.items()}


def _pictures(image: np.ndarray, face: DetectedFace) -> Pictures:
    """One face of a photo and its landmarks."""
    box = crop_box(face.landmarks)
    crop = crop_image(image, box, SIDE).astype(np.float32) / 255
    landmarks = to_crop(face.landmarks, box, SIDE).astype(np.float32)
    confidence = face.confidence.astype(np.float32)
    return Pictures(*(tf.constant(part[None]) for part in (crop, landmarks, confidence)))
