"""The face drawn over the photo, and its depth and normals, at the photo's size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tfface.visualization.drawing import PerspectiveCamera, draw, head_region, over

_SMOOTH_UNTIL = 1_000_000  # pixels of the head's region: larger ones show no jagged outline
NO_DEPTH = 0.0


def draw_overlay(
    image: np.ndarray,
    vertices_camera: np.ndarray,
    triangles: np.ndarray,
    colours: np.ndarray,
    camera: PerspectiveCamera,
) -> np.ndarray:
    """Draws a face over a copy of the photo.

    Args:
        image: `(H, W, 3)` uint8.
        vertices_camera: `(V, 3)` mm.
        triangles: `(T, 3)`.
        colours: `(V, 3)` shaded, in [0, 1].
        camera: Of the photo.

    Returns:
        `(H, W, 3)` uint8.
    """
    result = image.copy()
    for part in _strips(head_region(vertices_camera, camera, image.shape[1], image.shape[0])):
        x0, y0, x1, y1 = part
        smoothing = 2 if (x1 - x0) * (y1 - y0) <= _SMOOTH_UNTIL else 1
        drawing = draw(vertices_camera, triangles, colours, camera, part, smoothing)
        place = result[y0:y1, x0:x1]
        place[...] = over(place, drawing.attributes, drawing.coverage)
    return result


def write_depth_and_normals(
    depth_path: str | Path,
    normals_path: str | Path,
    vertices_camera: np.ndarray,
    normals_camera: np.ndarray,
    triangles: np.ndarray,
    camera: PerspectiveCamera,
    width: int,
    height: int,
) -> None:
    """Writes what the camera sees at every pixel centre, at the size of the photo.

    Args:
        depth_path: `.npy`, `(height, width)` float32: distance along the viewing axis in mm,
            `NO_DEPTH` = 0 where there is no face. Written as a sparse file, pixel by pixel.
        normals_path: `.png`, 8-bit RGB = 255 (n + 1) / 2 of the unit normal in camera space,
            black where there is no face.
        vertices_camera: `(V, 3)` mm.
        normals_camera: `(V, 3)` unit normals in camera space.
        triangles: `(T, 3)`.
        camera: Of the photo.
        width: Of the photo, px.
        height: Of the photo, px.
    """
    depth = np.lib.format.open_memmap(depth_path, "w+", np.float32, (height, width))
    coloured = np.zeros((height, width, 3), np.uint8)
    attributes = np.concatenate([normals_camera, -vertices_camera[:, 2:]], axis=1)
    for part in _strips(head_region(vertices_camera, camera, width, height)):
        x0, y0, x1, y1 = part
        drawing = draw(vertices_camera, triangles, attributes, camera, part)
        seen = drawing.coverage > 0
        normal, distance = drawing.attributes[..., :3], drawing.attributes[..., 3]
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        depth[y0:y1, x0:x1] = np.where(seen, distance, NO_DEPTH)
        rgb = np.round(127.5 * (normal + 1)).astype(np.uint8)
        coloured[y0:y1, x0:x1] = np.where(seen[..., None], rgb, 0)
    depth.flush()
    write_png(normals_path, coloured)


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Writes an `(H, W, 3)` uint8 RGB picture.

    Raises:
        OSError: the file cannot be written.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    Path(path).write_bytes(data.tobytes())


def _strips(region: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """Cuts a region into strips of whole rows of a few megapixels, to bound memory."""
    x0, y0, x1, y1 = region
    if x1 <= x0 or y1 <= y0:
        return []
    rows = max(1, 3_000_000 // (x1 - x0))
    return [(x0, y, x1, min(y + rows, y1)) for y in range(y0, y1, rows)]
