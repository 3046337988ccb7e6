"""A reconstructed face and the files it is written to."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfface.data.crop import crop_image
from tfface.fitting.shading_refinement import RefinedSurface
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.visualization.drawing import draw
from tfface.visualization.meshes import write_glb, write_obj
from tfface.visualization.overlay import (
    NO_DEPTH,
    draw_overlay,
    encode_normals,
    write_depth_and_normals,
    write_npy,
    write_png,
)
from tfface.visualization.posed_face import PhotoCamera, PosedFace
from tfface.visualization.refined_surface import draw_surface, posed_surface
from tfface.visualization.relief import Relief, draw_relief, relief_maps, relief_mesh
from tfface.visualization.views import PANEL, draw_views

JSON_NAME = "reconstruction.json"


@dataclass(frozen=True, eq=False)
class FaceReconstruction:
    """One face of a photo (V vertices, T triangles; conventions: `tfface`).

    Attributes:
        system: The system that found it, such as "mofa".
        face_model: Name of its face model.
        image: `(H, W, 3)` uint8, the whole photo.
        image_path: Where the photo came from; empty for an array.
        box: `(4,)` x0, y0, x1, y1 of the square crop, pixels of the photo.
        score: Of the face detector, in [0, 1].
        code: name -> coefficients: `identity`, `expression`, `albedo` `(K,)` in sigmas,
            `illumination` `(9, 3)`. What a system does not estimate is absent.
        fitted_code: What was fitted to the landmarks and colours of the photo instead, so that the
            face can be drawn over it.
        rotation: `(3, 3)` from model to camera space.
        translation: `(3,)` mm.
        camera: Focal length and principal point in pixels of the photo.
        landmarks_68: `(68, 2)` pixels of the photo; the jaw follows the visible outline.
        landmarks_68_3d: `(68, 3)` mm, the same points on `mesh`, in model space.
        vertices: `(V, 3)` mm, identity and expression, no pose, in model space.
        mesh: The same for the mesh files; of a system that estimates no expression it is neutral.
        normals: `(V, 3)` unit normals of the mesh in model space.
        albedo: `(V, 3)` sRGB-encoded reflectance in [0, 1].
        triangles: `(T, 3)` int32.
        fitted: `(V,)` in [0, 1], how far each vertex belongs to the face that systems compare
            with photos (and its mouth); the rest of the head is the model's guess.
        photometric_error: Mean RGB distance over the visible vertices of the face.
        detail: Finer geometry than the mesh's; None where there is none.
        seconds: What took how long: `detection` (of the whole photo), `regression`, `decoding`,
            with a refinement `opt` and `detail`, which for the first face holds their compilation.
    """

    system: str
    face_model: str
    image: np.ndarray
    image_path: str
    box: np.ndarray
    score: float
    code: dict[str, np.ndarray]
    fitted_code: dict[str, np.ndarray]
    rotation: np.ndarray
    translation: np.ndarray
    camera: PhotoCamera
    landmarks_68: np.ndarray
    landmarks_68_3d: np.ndarray
    vertices: np.ndarray
    mesh: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    triangles: np.ndarray
    fitted: np.ndarray
    photometric_error: float
    detail: Relief | RefinedSurface | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def posed(self) -> PosedFace:
        """The mesh with its light, in front of the photo's camera; a system that estimates no
        light shows the bare albedo."""
        shading = np.ones_like(self.albedo)
        code = {**self.fitted_code, **self.code}
        if "illumination" in code:
            normals = tf.constant((self.normals @ self.rotation.T)[None], tf.float32)
            light = tf.constant(code["illumination"][None], tf.float32)
            shading = sh_shading(normals, light)[0].numpy()
        return PosedFace(
            self.vertices,
            self.normals,
            self.triangles,
            self.albedo,
            shading,
            self.fitted,
            self.rotation,
            self.translation,
            self.camera,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes reconstruction.json, mesh.obj, mesh.glb, overlay.png, views.png, depth.npy and
        normals.png, with details also detail.png and mesh_detail (see `tfface.reconstruct`).

        Args:
            folder: Appears by rename when everything in it is written, and replaces an earlier
                reconstruction whole.

        Returns:
            The folder.

        Raises:
            FileExistsError: the folder holds something that is no reconstruction.
            OSError: it cannot be written; nothing of it is left.
        """
        folder = Path(folder)
        if folder.exists() and not is_reconstruction(folder):
            raise FileExistsError(f"{folder}: expected a reconstruction to replace, got other data")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as place:
            partial = Path(place) / folder.name
            partial.mkdir()
            self._write(partial)
            if folder.exists():
                os.replace(folder, Path(place) / "replaced")
            os.replace(partial, folder)
        return folder

    def to_json(self) -> dict[str, Any]:
        """What reconstruction.json holds."""
        height, width = self.image.shape[:2]
        codes = {"code": self.code, "fitted_code": self.fitted_code}
        return {
            "system": self.system,
            "face_model": self.face_model,
            "image": {"path": self.image_path, "width": width, "height": height},
            "box": _numbers(self.box),
            "score": self.score,
            **{
                name: {part: _numbers(values) for part, values in code.items()}
                for name, code in codes.items()
                if code
            },
            "rotation": _numbers(self.rotation),
            "translation": _numbers(self.translation),
            "camera": self._camera(),
            "landmarks_68": _numbers(self.landmarks_68),
            "landmarks_68_3d": _numbers(self.landmarks_68_3d),
            "photometric_error": _finite(self.photometric_error),
            "seconds": dict(self.seconds),
        }

    def _camera(self) -> dict[str, Any]:
        """With the scale of the face, px per mm, where that says all."""
        camera = {
            "model": self.camera.model,
            "focal_length": float(self.camera.focal_length),
            "principal_point": _numbers(self.camera.principal_point),
        }
        if self.camera.model == "weak_perspective":
            camera["scale"] = self._pixels_per_mm()
        return camera

    def _pixels_per_mm(self) -> float:
        return float(self.camera.focal_length / -self.translation[2])

    def _write(self, folder: Path) -> None:
        started = time.perf_counter()
        height, width = self.image.shape[:2]
        face = self.posed()
        side = self.box[2] - self.box[0]
        crop = crop_image(self.image, self.box, PANEL)
        views = draw_views(crop, face.cropped(self.box[:2], PANEL / side))
        overlay = draw_overlay(self.image, face)
        rendered = time.perf_counter()
        write_png(folder / "views.png", views)
        write_png(folder / "overlay.png", overlay)
        del overlay  # as large as the photo
        write_depth_and_normals(folder / "depth.npy", folder / "normals.png", face, width, height)
        _write_meshes(folder / "mesh", self.mesh, self.triangles, self.albedo)
        if isinstance(self.detail, Relief):
            self._write_relief(folder, self.detail, face)
        elif self.detail is not None:
            self._write_surface(folder, self.detail, face)
        record = self.to_json()
        record["seconds"]["rendering"] = rendered - started
        record["seconds"]["writing"] = time.perf_counter() - rendered
        (folder / JSON_NAME).write_text(json.dumps(record, allow_nan=False) + "\n")

    def _write_relief(self, folder: Path, relief: Relief, face: PosedFace) -> None:
        """detail.png, and mesh, depth and normals of what is shown over the photo."""
        write_png(folder / "detail.png", draw_relief(relief))
        size = len(relief.crop)
        zoom = size / (self.box[2] - self.box[0])
        cropped = face.cropped(self.box[:2], zoom)
        shown = draw(cropped, face.fitted[:, None], (0, 0, size, size)).attributes[..., 0] > 0.5
        scale = zoom * self._pixels_per_mm()
        mesh = relief_mesh(relief, shown, scale, self.rotation, self.translation)
        _write_meshes(folder / "mesh_detail", *mesh)
        heights, normals = relief_maps(relief, shown, self.box, *self.image.shape[:2])
        depth = -self.translation[2] - heights / self._pixels_per_mm()
        depth = np.where(np.isnan(depth), NO_DEPTH, depth).astype(np.float32)
        write_npy(folder / "depth_detail.npy", depth)
        write_png(folder / "normals_detail.png", encode_normals(normals))

    def _write_surface(self, folder: Path, surface: RefinedSurface, face: PosedFace) -> None:
        """As `_write_relief`."""
        side = self.box[2] - self.box[0]
        crop = crop_image(self.image, self.box, PANEL)
        cropped = face.cropped(self.box[:2], PANEL / side)
        write_png(folder / "detail.png", draw_surface(surface, crop, cropped))
        colours = surface.colours
        _write_meshes(folder / "mesh_detail", surface.vertices, surface.triangles, colours)
        height, width = self.image.shape[:2]
        paths = folder / "depth_detail.npy", folder / "normals_detail.png"
        write_depth_and_normals(*paths, posed_surface(surface, face), width, height)


def _write_meshes(
    path: Path, vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray
) -> None:
    for write, ending in ((write_obj, ".obj"), (write_glb, ".glb")):
        write(path.with_suffix(ending), vertices, triangles, colours)


def is_reconstruction(folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that `save` wrote, or an empty one."""
    folder = Path(folder)
    if not folder.is_dir():
        return False
    return (folder / JSON_NAME).is_file() or not any(folder.iterdir())


def _numbers(values: np.ndarray) -> list[Any]:
    """Nested lists of numbers with seven digits, which is what a float32 holds."""
    rounded = [float(f"{value:.7g}") for value in np.asarray(values, np.float64).ravel()]
    return np.reshape(rounded, np.shape(values)).tolist()


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
