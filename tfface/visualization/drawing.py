"""Drawing faces of any size into NumPy pictures, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfface.rendering.clay import clay_colours
from tfface.rendering.rasterize import interpolate, rasterize
from tfface.visualization.posed_face import PosedFace

TILE = 512  # pixels on a side: bounds the memory, and is the one size to compile for


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn region of a picture, H by W pixels.

    Attributes:
        attributes: `(H, W, K)` float32 of the surface seen, 0 outside.
        coverage: `(H, W)` float32, share of each pixel that the surface covers.
    """

    attributes: np.ndarray
    coverage: np.ndarray


def draw(
    face: PosedFace,
    attributes: np.ndarray,
    region: tuple[int, int, int, int],
    supersampling: int = 1,
) -> Drawing:
    """Draws vertex attributes with a z-buffer, tile by tile.

    Args:
        face: Mesh, pose and camera of the whole picture.
        attributes: `(V, K)`, interpolated over the surface.
        region: x0, y0, x1, y1: the part of the picture to draw, in whole pixels.
        supersampling: Samples along each side of a pixel; above 1 smooths the outline.

    Returns:
        The drawing of the region. Where a pixel is covered in part, its attributes are the mean
        over the covered part.
    """
    x0, y0, x1, y1 = region
    width, height = x1 - x0, y1 - y0
    result = np.zeros((height, width, attributes.shape[1]), np.float32)
    coverage = np.zeros((height, width), np.float32)
    step = max(1, TILE // supersampling)
    vertices = tf.constant(face.vertices_camera[None], tf.float32)
    values = tf.constant(attributes[None], tf.float32)
    for top in range(0, height, step):
        for left in range(0, width, step):
            rows, columns = min(step, height - top), min(step, width - left)
            view = face.camera.cropped(np.array([x0 + left, y0 + top]), supersampling)
            hit = rasterize(
                vertices,
                face.triangles,
                view.focal_length,
                view.principal_point,
                step * supersampling,
                step * supersampling,
            )
            tile = (slice(top, top + rows), slice(left, left + columns))
            seen = _pool(interpolate(values, hit, face.triangles)[0].numpy(), supersampling)
            share = _pool(hit.mask[0].numpy()[..., None].astype(np.float32), supersampling)
            result[tile] = (seen / np.maximum(share, 1e-6))[:rows, :columns]
            coverage[tile] = share[:rows, :columns, 0]
    return Drawing(result, coverage)


def surface_colours(face: PosedFace) -> dict[str, np.ndarray]:
    """Vertex colours in [0, 1] of the pictures that explain a face.

    Returns:
        "render" (albedo times shading), "geometry" (grey clay under fixed lamps), "albedo" and
        "shading" (the light on a mid-grey face), each `(V, 3)`.
    """
    return {
        "render": np.clip(face.colours, 0, 1),
        "geometry": clay_colours(face.normals_camera).numpy(),
        "albedo": np.clip(face.albedo, 0, 1),
        "shading": np.clip(0.6 * face.shading, 0, 1),
    }


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
