"""The face drawn over the photo, and its depth and normals, at the photo's size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tfface.visualization.drawing import TILE, draw, over
from tfface.visualization.posed_face import PosedFace

NO_DEPTH = 0.0
_SMOOTH_UNTIL = 1_000_000  # pixels of the head's region: a larger outline does not look jagged


def draw_overlay(image: np.ndarray, face: PosedFace) -> np.ndarray:
    """Draws the fitted part of the shaded face over a copy of the photo, `(H, W, 3)` uint8."""
    result = image.copy()
    attributes = np.concatenate([face.colours, face.fitted[:, None]], axis=1)
    for x0, y0, x1, y1 in _strips(face.region(image.shape[1], image.shape[0])):
        smoothing = 2 if (x1 - x0) * (y1 - y0) <= _SMOOTH_UNTIL else 1
        drawing = draw(face, attributes, (x0, y0, x1, y1), smoothing)
        colours, fitted = drawing.attributes[..., :3], drawing.attributes[..., 3]
        place = result[y0:y1, x0:x1]
        place[...] = over(place, colours, drawing.coverage * fitted)
    return result


def write_depth_and_normals(
    depth_path: str | Path, normals_path: str | Path, face: PosedFace, width: int, height: int
) -> None:
    """Writes what the camera sees at every pixel centre, at the size of the photo.

    Args:
        depth_path: `.npy`, `(height, width)` float32: distance along the viewing axis in mm,
            `NO_DEPTH` = 0 where there is no face.
        normals_path: `.png`, 8-bit RGB = 255 (n + 1) / 2 of the unit normal in camera space,
            black where there is no face.
        face: Mesh, pose and camera.
        width: Of the photo, px.
        height: Of the photo, px.

    Raises:
        OSError: a file cannot be written.
    """
    depth = np.full((height, width), NO_DEPTH, np.float32)
    picture = np.zeros((height, width, 3), np.uint8)
    attributes = np.concatenate([face.normals_camera, -face.vertices_camera[:, 2:]], axis=1)
    for x0, y0, x1, y1 in _strips(face.region(width, height)):
        drawing = draw(face, attributes, (x0, y0, x1, y1))
        seen = drawing.coverage > 0
        normals = drawing.attributes[..., :3]
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
        depth[y0:y1, x0:x1] = np.where(seen, drawing.attributes[..., 3], NO_DEPTH)
        picture[y0:y1, x0:x1] = encode_normals(normals * seen[..., None])
    write_npy(depth_path, depth)
    write_png(normals_path, picture)


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Writes an `(H, W, 3)` uint8 RGB picture.

    Raises:
        OSError: the file cannot be written.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    Path(path).write_bytes(data.data)


def encode_normals(normals: np.ndarray) -> np.ndarray:
    """Unit normals `(..., 3)` as uint8 colours, 255 (n + 1) / 2; black where they are zero."""
    there = np.any(normals != 0, axis=-1, keepdims=True)
    return np.where(there, np.round(127.5 * (normals + 1)), 0).astype(np.uint8)


def write_npy(path: str | Path, array: np.ndarray) -> None:
    """`np.save`, except that a full disk is told as such and not by byte counts."""
    with open(path, "wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(array).data)


def _strips(region: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Cuts a region into strips of whole rows, as high as the tiles they are drawn by, to bound
    memory."""
    x0, y0, x1, y1 = region
    for top in range(y0, y1 if x1 > x0 else y0, TILE):
        yield x0, top, x1, min(top + TILE, y1)
