"""From photos to faces with an exported system: detection, crop, regression, decoding."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import numpy as np

from tfface.data.chips import crop_chip
from tfface.data.crop import crop_box, crop_image, to_crop, to_image
from tfface.data.detection import DetectedFace, FaceDetector
from tfface.encoders.multi_frame import IDENTITY_PARTS
from tfface.exported_model import ExportedModel
from tfface.fitting.neutral_face import light_faces, place_faces
from tfface.fitting.refinement import REFINEMENTS, Refinement
from tfface.reconstruction import FaceReconstruction
from tfface.rendering.chip_alignment import CHIP_RULE
from tfface.visualization.posed_face import PhotoCamera
from tfface.visualization.relief import Relief

_BATCH = 16  # faces at a time
_PERSON = 256  # pictures of a person at a time
_POSE = ("rotation", "translation")


class Reconstructor:
    """Finds and reconstructs the faces of photos. Belongs to one thread.

    Args:
        model: An exported one, or its folder.
        detector: Finds the faces; made here if None.

    Raises:
        ModelError: if the folder is not an exported model.
    """

    def __init__(
        self,
        model: ExportedModel | str | os.PathLike[str],
        detector: FaceDetector | None = None,
    ) -> None:
        self.model = model if isinstance(model, ExportedModel) else ExportedModel(model)
        self.detector = detector or FaceDetector()

    @functools.cached_property
    def refinement(self) -> Refinement:
        """Fits regressed codes to their photos; raises ModelError if that cannot be."""
        return Refinement(self.model)

    def __call__(
        self, image: np.ndarray, path: str = "", refine: str | None = None
    ) -> list[FaceReconstruction]:
        """Reconstructs every face of a photo, the largest first.

        Args:
            image: `(H, W, 3)` uint8.
            path: Of the photo, to be named in the results.
            refine: `opt` fits what is regressed to the photo; `detail` adds wrinkles to that.

        Raises:
            ModelError: what is regressed cannot be refined.
            ValueError: no such refinement.
        """
        if refine not in (None, *REFINEMENTS):
            raise ValueError(f"refine: expected one of {', '.join(REFINEMENTS)}, got {refine!r}")
        started = time.perf_counter()
        detected = self.detector.detect(image)
        seconds = time.perf_counter() - started
        faces: list[FaceReconstruction] = []
        for first in range(0, len(detected), _BATCH):
            batch = detected[first : first + _BATCH]
            started = time.perf_counter()
            parts = self.model.regress(self._pictures(image, batch))
            regressed = time.perf_counter()
            times = {"detection": seconds, "regression": (regressed - started) / len(batch)}
            if refine:
                parts = self.refinement.fit(parts, image, batch)
                times["opt"] = (time.perf_counter() - regressed) / len(batch)
            placed = self._place(image, path, batch, parts, times)
            faces += self._add_detail(placed, batch, parts) if refine == "detail" else placed
        return faces

    def _add_detail(
        self,
        faces: list[FaceReconstruction],
        detected: list[DetectedFace],
        parts: dict[str, np.ndarray],
    ) -> list[FaceReconstruction]:
        started = time.perf_counter()
        surfaces = self.refinement.add_detail(parts, faces[0].image, detected)
        seconds = (time.perf_counter() - started) / len(faces)
        return [
            replace(face, detail=found, seconds={**face.seconds, "detail": seconds})
            for face, found in zip(faces, surfaces, strict=True)
        ]

    def together(
        self, images: Iterable[np.ndarray], paths: Iterable[str] = ()
    ) -> Iterator[FaceReconstruction | None]:
        """Reconstructs the one person whose face is the largest in each photo.

        All have the same shape and reflectance; None stands for a photo without a face.

        Args:
            images: `(H, W, 3)` uint8 each; gone through twice, so that a video need not be kept.
            paths: Of the photos, to be named in the results.

        Raises:
            ModelError: the system sees one photo at a time.
        """
        started, crops = time.perf_counter(), []
        largest: list[list[DetectedFace]] = []
        for image in images:
            largest.append(self.detector.detect(image)[:1])
            if largest[-1]:
                crops.append(self._pictures(image, largest[-1]))
        seconds = (time.perf_counter() - started) / max(len(largest), 1)
        if not crops:
            yield from [None] * len(largest)
            return
        started = time.perf_counter()
        parts = self._regress_person(np.concatenate(crops))
        shared = (time.perf_counter() - started) / len(crops)
        times = {"detection": seconds, "regression": shared}
        number = 0
        for image, name, faces in zip(images, chain(paths, repeat("")), largest, strict=False):
            if not faces:
                yield None
                continue
            own = {key: part[number % len(part), None] for key, part in parts.items()}
            yield from self._place(image, name, faces, own, times)
            number += 1

    def _regress_person(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """The parts of all crops, or one for all.

        Of more than `_PERSON` crops, identity and reflectance are the means of those of pieces.
        """
        pieces = np.array_split(crops, -(-len(crops) // _PERSON))
        found = [self.model.regress_together(piece) for piece in pieces]
        parts = {key: np.concatenate([part[key] for part in found]) for key in found[0]}
        for key in IDENTITY_PARTS:
            parts[key] = np.broadcast_to(parts[key].mean(axis=0), parts[key].shape)
        return parts

    def _pictures(self, image: np.ndarray, detected: list[DetectedFace]) -> np.ndarray:
        """What the encoder sees of faces, `(B, S, S, 3)` uint8."""
        size = self.model.image_size
        if self.model.crop_rule == CHIP_RULE:
            return np.stack([crop_chip(image, face.landmarks, size) for face in detected])
        return np.stack([crop_image(image, crop_box(face.landmarks), size) for face in detected])

    def _place(
        self,
        image: np.ndarray,
        path: str,
        detected: list[DetectedFace],
        regressed: dict[str, np.ndarray],
        times: dict[str, float],
    ) -> list[FaceReconstruction]:
        """The faces that a regressed code stands for, in the photo."""
        model, size = self.model, self.model.image_size
        started = time.perf_counter()
        boxes = [crop_box(face.landmarks) for face in detected]
        crops = np.stack([crop_image(image, box, size) for box in boxes])
        parts = regressed
        if "rotation" not in regressed:
            landmarks = [
                to_crop(f.landmarks, b, size) for f, b in zip(detected, boxes, strict=True)
            ]
            parts = place_faces(model, regressed, crops, np.stack(landmarks))
        elif "illumination" not in regressed:
            parts = light_faces(model, regressed, crops)
        posed = model.pose(parts)
        errors = model.photometric_errors(posed, crops)
        expressive = "expression" in regressed
        mesh = posed.vertices if expressive else model.decode(regressed)["vertices"]
        reliefs = self._see_details(image, boxes, regressed)
        times = {**times, "decoding": (time.perf_counter() - started) / len(detected)}
        code = {name: values for name, values in parts.items() if name not in _POSE}
        results = []
        for i, (face, box) in enumerate(zip(detected, boxes, strict=True)):
            side = box[2] - box[0]
            middle = (box[:2] + box[2:]) / 2
            camera = PhotoCamera(model.focal_length * side, middle, model.camera)
            results.append(
                FaceReconstruction(
                    system=model.system,
                    face_model=model.face_model,
                    image=image,
                    image_path=path,
                    box=box,
                    score=float(face.score),
                    code={name: v[i] for name, v in code.items() if name in regressed},
                    fitted_code={name: v[i] for name, v in code.items() if name not in regressed},
                    rotation=posed.rotation[i],
                    translation=parts["translation"][i],
                    camera=camera,
                    landmarks_68=to_image(posed.landmarks[i], box, model.image_size),
                    landmarks_68_3d=mesh[i][posed.landmark_vertices[i]],
                    vertices=posed.vertices[i],
                    mesh=mesh[i],
                    normals=posed.normals[i],
                    albedo=posed.albedo[i],
                    triangles=model.triangles,
                    fitted=model.shown,
                    photometric_error=float(errors[i]),
                    detail=reliefs[i] if reliefs else None,
                    seconds=dict(times),
                )
            )
        return results

    def _see_details(
        self, image: np.ndarray, boxes: list[np.ndarray], parts: dict[str, np.ndarray]
    ) -> list[Relief]:
        """The finer geometry of faces, at the resolution of the photo; none if it is not seen."""
        model, reliefs = self.model, []
        if not model.detail_sizes:
            return []
        for i, box in enumerate(boxes):
            side = box[2] - box[0]
            size = min(model.detail_sizes, key=lambda size: abs(np.log(side / size)))
            crop = crop_image(image, box, size)
            maps = model.detail(crop[None], {name: part[i : i + 1] for name, part in parts.items()})
            found = {name: maps[name][0] for name in Relief.MAPS}
            reliefs.append(Relief(crop, **found))
        return reliefs


@functools.lru_cache(maxsize=2)
def load_reconstructor(folder: Path) -> Reconstructor:
    """The reconstructor of an exported model, loaded once."""
    return Reconstructor(folder)
