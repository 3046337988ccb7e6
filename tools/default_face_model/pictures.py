"""Renders the mean face for the landmark detector, over `tfface.rendering.rasterize`."""

from __future__ import annotations

import numpy as np

from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rasterize import interpolate, rasterize

BACKGROUND = 0.35
LIGHT = np.array([0.25, 0.45, 0.85])
AMBIENT = 0.45


def render(
    vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray, focal: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a shaded picture (size, size, 3) uint8 and the triangle of every pixel, -1 outside.

    Args:
        vertices: (V, 3) mm in camera space.
        triangles: (T, 3).
        colours: (V, 3) sRGB-encoded in [0, 1].
        focal: focal length in pixels; the principal point is the picture's centre.
        size: of the square picture, in pixels.
    """
    points = vertices[None].astype(np.float32)
    normals = vertex_normals(points, MeshTopology(triangles, len(vertices))).numpy()[0]
    light = LIGHT / np.linalg.norm(LIGHT)
    shading = AMBIENT + (1.0 - AMBIENT) * (normals @ light).clip(0.0, 1.0)
    shaded = (colours * shading[:, None]).clip(0.0, 1.0).astype(np.float32)
    hit = rasterize(points, triangles, focal, (size / 2.0, size / 2.0), size, size)
    picture = interpolate(shaded[None], hit, triangles).numpy()[0]
    ids = hit.triangle_ids.numpy()[0]
    picture[ids < 0] = BACKGROUND
    return (picture * 255.0 + 0.5).astype(np.uint8), ids
