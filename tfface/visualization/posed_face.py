"""A face in front of a camera, as NumPy arrays: what the pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class PhotoCamera:
    """A camera at the origin that looks along -z (see `tfface`).

    Attributes:
        focal_length: px.
        principal_point: `(2,)` px.
        model: `perspective`, or `weak_perspective` if it is so far away that nothing is left of it.
    """

    focal_length: float
    principal_point: np.ndarray
    model: str = "perspective"

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels `(..., 2)` of camera-space points `(..., 3)` that lie in front of the camera."""
        scale = self.focal_length / np.maximum(-points[..., 2:], 1.0)
        return self.principal_point + scale * points[..., :2] * (1, -1)

    def cropped(self, origin: np.ndarray, scale: float) -> PhotoCamera:
        """The same view after cutting away what is left of and above `origin`, then resizing."""
        centre = scale * (np.asarray(self.principal_point) - origin)
        return replace(self, focal_length=scale * self.focal_length, principal_point=centre)


@dataclass(frozen=True, eq=False)
class PosedFace:
    """A mesh with colours, light and pose (V vertices, T triangles).

    Attributes:
        vertices: `(V, 3)` mm in model space.
        normals: `(V, 3)` unit, in model space.
        triangles: `(T, 3)` int.
        albedo: `(V, 3)` in [0, 1].
        shading: `(V, 3)` light at each vertex.
        fitted: `(V,)` in [0, 1], how far each vertex is part of the face that was compared with
            the photo; the rest of the head is the model's guess, and overlays leave it out.
        rotation: `(3, 3)` from model to camera space.
        translation: `(3,)` mm.
        camera: The camera.
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    albedo: np.ndarray
    shading: np.ndarray
    fitted: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    camera: PhotoCamera

    @cached_property
    def vertices_camera(self) -> np.ndarray:
        """`(V, 3)` mm in camera space."""
        return self.vertices @ self.rotation.T + self.translation

    @cached_property
    def normals_camera(self) -> np.ndarray:
        """`(V, 3)` unit, in camera space."""
        return self.normals @ self.rotation.T

    @property
    def colours(self) -> np.ndarray:
        """`(V, 3)` albedo times shading, not clipped."""
        return self.albedo * self.shading

    def cropped(self, origin: np.ndarray, scale: float) -> PosedFace:
        """The same face in the camera of a part of the picture, resized."""
        return replace(self, camera=self.camera.cropped(origin, scale))

    def region(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The part of a picture that it may touch: x0, y0, x1, y1 in whole pixels, maybe empty."""
        pixels = self.camera.project(self.vertices_camera)
        low = np.clip(np.floor(pixels.min(0)) - 1, 0, (width, height)).astype(int)
        high = np.clip(np.ceil(pixels.max(0)) + 1, low, (width, height)).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])
