"""An exported system as it lies on disk: a SavedModel and what a mesh needs beside it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface.metrics.photometric import photometric_error
from tfface.rendering.contour import contour_landmarks
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import inside_image, sample_bilinear
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.rendering.visibility import front_facing, unoccluded
from tfface.visualization.posed_face import PhotoCamera

_DEPTH_MAP = 256  # px, side of the z-buffer that decides which vertices of a crop are visible

# What reading a damaged file, or a first face of one that does not fit, may raise.
_DAMAGE = (
    LookupError, TypeError, ValueError, OSError, AttributeError, zipfile.BadZipFile,
    tf.errors.OpError,
)  # fmt: skip

Parts = Mapping[str, np.ndarray]


class ModelError(ValueError):
    """A folder that is not an exported system; the message is one line."""


@dataclass(frozen=True, eq=False)
class PosedFaces:
    """The faces of B codes, seen by the camera of their crops.

    Attributes:
        vertices: `(B, V, 3)` mm in model space, identity and expression.
        normals: `(B, V, 3)` unit, in model space.
        albedo: `(B, V, 3)`, clipped to [0, 1].
        rotation: `(B, 3, 3)` from model to camera space.
        points: `(B, V, 3)` the vertices in camera space.
        shading: `(B, V, 3)` light at each vertex; one if the code has no light.
        landmark_vertices: `(B, 68)`; the jaw follows the visible outline.
        landmarks: `(B, 68, 2)` pixels of the crop.
        visible: `(B, V)` bool: faces the camera, in the crop, and hidden by nothing.
    """

    vertices: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    rotation: np.ndarray
    points: np.ndarray
    shading: np.ndarray
    landmark_vertices: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray


class ExportedModel:
    """A SavedModel that `tfface.systems.export` wrote, with what lies beside it.

    Args:
        folder: With saved_model.pb, metadata.json and topology.npz.

    Attributes:
        system, face_model: Names.
        image_size: Side S of the crops, px.
        focal_length: In sides of the crop.
        camera: Its model, `perspective` or `weak_perspective`.
        crop_rule: How photos are cropped for it.
        detail_sizes: Sides of the crops that `detail` takes, px; none where it finds no detail.
        triangles: `(T, 3)` int32.
        landmarks: `(68,)`.
        contour: `(17, C)`.
        compared: `(V,)` weight of each vertex in the photometric error.
        shown: `(V,)` in [0, 1], what an overlay draws: that, and the mouth within it.

    Raises:
        ModelError: if something is missing or damaged.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        folder = Path(folder)
        for name in ("saved_model.pb", "metadata.json", "topology.npz"):
            if not (folder / name).is_file():
                raise ModelError(f"{folder}: expected an exported model, found no {name}")
        try:
            metadata = json.loads((folder / "metadata.json").read_text())
            self.system = str(metadata["system"])
            self.face_model = str(metadata["face_model"])
            self.image_size = int(metadata["image_size"])
            self.focal_length = float(metadata["focal_length"])
            self.crop_rule = str(metadata["crop_rule"])
            self.camera = str(metadata.get("camera", "perspective"))
            self.detail_sizes = [int(size) for size in metadata.get("detail_sizes", [])]
            self.layout = {k: (int(a), int(n)) for k, (a, n) in metadata["code_layout"].items()}
            with np.load(folder / "topology.npz", allow_pickle=False) as topology:
                self.triangles = topology["triangles"].astype(np.int32)
                self.landmarks = topology["landmarks"].astype(np.int32)
                self.contour = topology["contour"].astype(np.int32)
                everywhere = np.ones(len(topology["uv"]), np.float32)
                self.compared = topology.get("compared", everywhere)
                self.shown = topology.get("shown", self.compared)
            self._functions = tf.saved_model.load(str(folder))
            self._mesh = MeshTopology(self.triangles, len(self.compared))
            parts = self.regress(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
            front = {"rotation": np.zeros((1, 3)), "translation": np.array([[0.0, 0.0, -1000.0]])}
            self.pose({**front, **parts})
        except _DAMAGE as error:
            reason = error.message if isinstance(error, tf.errors.OpError) else str(error)
            reason = " ".join(reason.split())[:200] or type(error).__name__
            raise ModelError(f"{folder}: damaged exported model ({reason})") from error

    def regress(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Crops `(B, S, S, 3)` uint8 -> the parts of the code, `(B, ...)` float32."""
        return {k: v.numpy() for k, v in self._functions.serve(tf.constant(crops)).items()}

    def regress_together(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Crops `(B, S, S, 3)` uint8 of one person -> the parts of one code, `(1, ...)`, or of one
        for each crop, `(B, ...)`, that share identity and reflectance.

        Raises:
            ModelError: the system sees one picture at a time.
        """
        self.require_together()
        found = self._functions.serve_together(tf.constant(crops))
        return {k: v.numpy() for k, v in found.items()}

    def require_together(self) -> None:
        """Raises ModelError if the system sees one picture at a time."""
        if not hasattr(self._functions, "serve_together"):
            raise ModelError(f"{self.system}: sees one photo at a time, not several of a person")

    def pose(self, parts: Parts) -> PosedFaces:
        """The faces that codes stand for.

        Args:
            parts: Every part of the code, `(B, ...)`.
        """
        face = self.decode(parts)
        rotation = rotation_matrix(tf.constant(parts["rotation"], tf.float32)).numpy()
        turn = rotation.transpose(0, 2, 1)
        points = (face["vertices"] @ turn + parts["translation"][:, None]).astype(np.float32)
        normals = self.normals(face["vertices"])
        turned = normals @ turn
        shading = np.ones_like(normals)
        if "illumination" in parts:
            light = tf.constant(parts["illumination"], tf.float32)
            shading = sh_shading(tf.constant(turned), light).numpy()
        chosen = contour_landmarks(points, turned, self.landmarks, self.contour).numpy()
        pixels = self._camera(self.image_size).project(points)
        focal = self.focal_length * _DEPTH_MAP
        seen = unoccluded(tf.constant(points, tf.float32), self.triangles, focal, _DEPTH_MAP)
        visible = front_facing(turned, points).numpy() & seen.numpy()
        return PosedFaces(
            vertices=face["vertices"],
            normals=normals,
            albedo=np.clip(face["albedo"], 0, 1),
            rotation=rotation,
            points=points,
            shading=shading,
            landmark_vertices=chosen,
            landmarks=np.take_along_axis(pixels, chosen[..., None], axis=1),
            visible=visible & inside_image(pixels, self.image_size, self.image_size).numpy(),
        )

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals of meshes `(B, V, 3)`."""
        return vertex_normals(tf.constant(vertices), self._mesh).numpy()

    def photometric_errors(self, faces: PosedFaces, crops: np.ndarray) -> np.ndarray:
        """Mean RGB distance to `(B, S, S, 3)` uint8 crops over the visible vertices, `(B,)`."""
        observed = self.observe(faces, crops)
        rendered = np.clip(faces.albedo * faces.shading, 0, 1)
        return photometric_error(rendered, observed, faces.visible * self.compared)

    def observe(self, faces: PosedFaces, crops: np.ndarray) -> np.ndarray:
        """Colours of `(B, S, S, 3)` uint8 crops at the projected vertices, `(B, V, 3)`."""
        pixels = self._camera(crops.shape[1]).project(faces.points).astype(np.float32)
        return sample_bilinear(crops.astype(np.float32) / 255, pixels).numpy()

    def trajectory(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """The parts of the codes after 0, 1, ... passes of a system that iterates, `(B, P, ...)`.

        Args:
            crops: `(B, S, S, 3)` uint8.

        Raises:
            ModelError: the system does not iterate.
        """
        if not hasattr(self._functions, "serve_trajectory"):
            raise ModelError(f"{self.system}: finds a face in one pass, not by iteration")
        found = self._functions.serve_trajectory(tf.constant(crops))
        return {k: v.numpy() for k, v in found.items()}

    def detail(self, crops: np.ndarray, parts: Parts) -> dict[str, np.ndarray]:
        """Maps of finer geometry, see `tfface.systems.coarse_fine`.

        Args:
            crops: `(B, H, H, 3)` uint8, H of `detail_sizes`.
            parts: Of their code.

        Raises:
            ModelError: the system finds no detail, or none in crops of that size.
        """
        if crops.shape[1] not in self.detail_sizes:
            sizes = " or ".join(map(str, self.detail_sizes)) or "none"
            raise ModelError(
                f"{self.system}: detail: expected crops of {sizes} px, got {crops.shape[1]}"
            )
        code = tf.constant(self._join(parts))
        return {k: v.numpy() for k, v in self._functions.detail(tf.constant(crops), code).items()}

    def decode(self, parts: Parts) -> dict[str, np.ndarray]:
        """`vertices`, `albedo` `(B, V, 3)` and `landmarks` `(B, 68, 3)` of codes, without pose.

        Args:
            parts: Of the code, `(B, ...)`; those that are missing are zero.
        """
        code = tf.constant(self._join(parts))
        return {k: v.numpy() for k, v in self._functions.decode(code).items()}

    def _join(self, parts: Parts) -> np.ndarray:
        """Flat codes `(B, N)`."""
        count = len(parts["identity"])
        code = np.zeros((count, sum(size for _, size in self.layout.values())), np.float32)
        for name, (start, size) in self.layout.items():
            if name in parts:
                code[:, start : start + size] = np.reshape(parts[name], (count, size))
        return code

    def _camera(self, size: int) -> PhotoCamera:
        """The camera of a crop at another resolution."""
        return PhotoCamera(self.focal_length * size, np.full(2, size / 2))
