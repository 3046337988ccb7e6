"""From photos to faces with an exported system: detection, crop, regression, decoding."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import numpy as np

from tfface.data.crop import crop_box, crop_image, to_image
from tfface.data.detection import DetectedFace, FaceDetector
from tfface.exported_model import ExportedModel
from tfface.reconstruction import FaceReconstruction
from tfface.visualization.posed_face import PhotoCamera

_BATCH = 16  # faces at a time
_POSE = ("rotation", "translation")


class Reconstructor:
    """Finds and reconstructs the faces of photos. Belongs to one thread.

    Args:
        folder: An exported model.
        detector: Finds the faces; made here if None.

    Raises:
        ModelError: if the folder is not an exported model.
    """

    def __init__(
        self, folder: str | os.PathLike[str], detector: FaceDetector | None = None
    ) -> None:
        self.model = ExportedModel(folder)
        self.detector = detector or FaceDetector()

    def __call__(self, image: np.ndarray, path: str = "") -> list[FaceReconstruction]:
        """Reconstructs every face of a photo, the largest first.

        Args:
            image: `(H, W, 3)` uint8.
            path: Of the photo, to be named in the results.
        """
        started = time.perf_counter()
        detected = self.detector.detect(image)
        seconds = time.perf_counter() - started
        faces: list[FaceReconstruction] = []
        for first in range(0, len(detected), _BATCH):
            batch = detected[first : first + _BATCH]
            faces += self._reconstruct(image, path, batch, seconds)
        return faces

    def _reconstruct(
        self, image: np.ndarray, path: str, detected: list[DetectedFace], seconds: float
    ) -> list[FaceReconstruction]:
        model = self.model
        started = time.perf_counter()
        boxes = [crop_box(face.landmarks) for face in detected]
        crops = np.stack([crop_image(image, box, model.image_size) for box in boxes])
        parts = model.regress(crops)
        regressed = time.perf_counter()
        posed = model.pose(parts)
        errors = model.photometric_errors(posed, crops)
        shared = {
            "detection": seconds,
            "regression": (regressed - started) / len(detected),
            "decoding": (time.perf_counter() - regressed) / len(detected),
        }
        code = {name: values for name, values in parts.items() if name not in _POSE}
        results = []
        for i, (face, box) in enumerate(zip(detected, boxes, strict=True)):
            side = box[2] - box[0]
            camera = PhotoCamera(model.focal_length * side, (box[:2] + box[2:]) / 2)
            results.append(
                FaceReconstruction(
                    system=model.system,
                    face_model=model.face_model,
                    image=image,
                    image_path=path,
                    box=box,
                    score=float(face.score),
                    code={name: values[i] for name, values in code.items()},
                    rotation=posed.rotation[i],
                    translation=parts["translation"][i],
                    camera=camera,
                    landmarks_68=to_image(posed.landmarks[i], box, model.image_size),
                    landmarks_68_3d=posed.vertices[i][posed.landmark_vertices[i]],
                    vertices=posed.vertices[i],
                    normals=posed.normals[i],
                    albedo=posed.albedo[i],
                    triangles=model.triangles,
                    fitted=model.shown,
                    photometric_error=float(errors[i]),
                    seconds=dict(shared),
                )
            )
        return results


@functools.lru_cache(maxsize=2)
def load_reconstructor(folder: Path) -> Reconstructor:
    """The reconstructor of an exported model, loaded once."""
    return Reconstructor(folder)
