"""Drawing meshes of any size into NumPy pictures, in bounded memory.

TensorBoard grids and `views.png` share `surface_colours`: what to paint on the vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfface.rendering.rasterize import interpolate, rasterize

_TILE = 768  # pixels; a tile's candidates and attributes stay under about 200 MB
_CLAY = np.array([0.74, 0.74, 0.76])
_LAMP, _FILL = np.array([-0.45, 0.55, 0.70]), np.array([0.65, 0.05, 0.55])


@dataclass(frozen=True, eq=False)
class PerspectiveCamera:
    """A camera at the origin that looks along -z (see `tfface`).

    Attributes:
        focal_length: px.
        principal_point: `(2,)` px.
    """

    focal_length: float
    principal_point: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels `(..., 2)` of camera-space points `(..., 3)` that lie in front of the camera."""
        scale = self.focal_length / np.maximum(-points[..., 2:], 1.0)
        return self.principal_point + scale * points[..., :2] * (1, -1)

    def cropped(self, origin: np.ndarray, scale: float) -> PerspectiveCamera:
        """The same view after cutting away what is left of and above `origin`, then resizing."""
        centre = scale * (np.asarray(self.principal_point) - origin)
        return PerspectiveCamera(scale * self.focal_length, centre)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn region of a picture, H by W pixels.

    Attributes:
        attributes: `(H, W, K)` float32 of the surface seen, 0 outside.
        coverage: `(H, W)` float32, share of each pixel that the surface covers.
    """

    attributes: np.ndarray
    coverage: np.ndarray


def head_region(
    vertices_camera: np.ndarray, camera: PerspectiveCamera, width: int, height: int
) -> tuple[int, int, int, int]:
    """The part of a picture that a mesh may touch: x0, y0, x1, y1 in whole pixels, maybe empty."""
    pixels = camera.project(vertices_camera)
    low = np.clip(np.floor(pixels.min(0)) - 1, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + 1, low, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def draw(
    vertices_camera: np.ndarray,
    triangles: np.ndarray,
    attributes: np.ndarray,
    camera: PerspectiveCamera,
    region: tuple[int, int, int, int],
    supersampling: int = 1,
) -> Drawing:
    """Draws vertex attributes with a z-buffer, tile by tile.

    Args:
        vertices_camera: `(V, 3)` mm.
        triangles: `(T, 3)`.
        attributes: `(V, K)`, interpolated over the surface.
        camera: Of the whole picture.
        region: x0, y0, x1, y1: the part of the picture to draw, in whole pixels.
        supersampling: Samples along each side of a pixel; above 1 smooths the outline.

    Returns:
        The drawing of the region. Where a pixel is covered in part, its attributes are the mean
        over the covered part.
    """
    x0, y0, x1, y1 = region
    width, height, depth = x1 - x0, y1 - y0, attributes.shape[1]
    result = np.zeros((height, width, depth), np.float32)
    coverage = np.zeros((height, width), np.float32)
    step = max(1, _TILE // supersampling)
    vertices = tf.constant(vertices_camera[None], tf.float32)
    values = tf.constant(attributes[None], tf.float32)
    for top in range(0, height, step):
        for left in range(0, width, step):
            rows, columns = min(step, height - top), min(step, width - left)
            view = camera.cropped(np.array([x0 + left, y0 + top]), supersampling)
            hit = rasterize(
                vertices,
                triangles,
                view.focal_length,
                view.principal_point,
                rows * supersampling,
                columns * supersampling,
            )
            tile = (slice(top, top + rows), slice(left, left + columns))
            seen = _pool(interpolate(values, hit, triangles)[0].numpy(), supersampling)
            share = _pool(hit.mask[0].numpy()[..., None].astype(np.float32), supersampling)
            result[tile] = seen / np.maximum(share, 1e-6)
            coverage[tile] = share[..., 0]
    return Drawing(result, coverage)


def surface_colours(
    albedo: np.ndarray, shading: np.ndarray, normals_camera: np.ndarray
) -> dict[str, np.ndarray]:
    """Vertex colours in [0, 1] of the pictures that explain a face.

    Args:
        albedo: `(V, 3)`.
        shading: `(V, 3)` light at each vertex.
        normals_camera: `(V, 3)` unit normals in camera space.

    Returns:
        "render" (albedo times shading), "geometry" (grey clay under fixed lamps), "albedo" and
        "shading" (the light on a mid-grey face), each `(V, 3)`.
    """
    return {
        "render": np.clip(albedo * shading, 0, 1),
        "geometry": clay(normals_camera),
        "albedo": np.clip(albedo, 0, 1),
        "shading": np.clip(0.6 * shading, 0, 1),
    }


def clay(normals_camera: np.ndarray) -> np.ndarray:
    """Grey clay under a lamp at the upper left and a weaker one at the right, `(V, 3)`."""
    lamp, fill = (light / np.linalg.norm(light) for light in (_LAMP, _FILL))
    shade = 0.18 + 0.72 * np.clip(normals_camera @ lamp, 0, 1)
    shade = shade + 0.22 * np.clip(normals_camera @ fill, 0, 1)
    return np.clip(shade[:, None] * _CLAY, 0, 1)


def over(picture: np.ndarray, drawing: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Lays a drawing `(H, W, 3)` in [0, 1] with `(H, W)` coverage over a uint8 picture."""
    alpha = coverage[..., None]
    mixed = picture * (1 - alpha) + 255 * np.clip(drawing, 0, 1) * alpha
    return np.round(mixed).astype(np.uint8)


def _pool(values: np.ndarray, factor: int) -> np.ndarray:
    """Means over `factor` by `factor` blocks of `(H, W, K)`."""
    if factor == 1:
        return values
    rows, columns, depth = values.shape
    blocks = values.reshape(rows // factor, factor, columns // factor, factor, depth)
    return blocks.mean(axis=(1, 3))
