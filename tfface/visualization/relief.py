"""Geometry finer than a mesh: a height for each pixel of a picture, as pictures and as a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from PIL import Image

from tfface.rendering.clay import clay_colours
from tfface.visualization.views import PANEL, blank_panel, side_by_side

_CLIFF = 6.0  # px of height between neighbours, where no surface joins them


@dataclass(frozen=True, eq=False)
class Relief:
    """The refined surface of a face (H by H pixels; conventions: `tfface`).

    Attributes:
        crop: `(H, H, 3)` uint8, the picture.
        heights: `(H, H, 1)` towards the camera from the origin of the head, px.
        coarse_normals: `(H, H, 3)` unit, camera space, before the refinement.
        normals: `(H, H, 3)` after it.
        mask: `(H, H, 1)`, 1 where the head is.
    """

    MAPS: ClassVar[tuple[str, ...]] = ("heights", "coarse_normals", "normals", "mask")

    crop: np.ndarray
    heights: np.ndarray
    coarse_normals: np.ndarray
    normals: np.ndarray
    mask: np.ndarray


def draw_relief(relief: Relief) -> np.ndarray:
    """Draws input, coarse and refined geometry side by side, `(PANEL + caption, 3 PANEL, 3)`."""
    clay = {
        "coarse": clay_colours(relief.coarse_normals).numpy(),
        "detail": clay_colours(relief.normals).numpy(),
    }
    blank = blank_panel(len(relief.crop)) / 255
    panels = {"input": relief.crop}
    for name, colours in clay.items():
        panels[name] = _to_bytes(relief.mask * colours + (1 - relief.mask) * blank)
    return side_by_side({name: _resized(panel) for name, panel in panels.items()})


def relief_mesh(
    relief: Relief,
    shown: np.ndarray,
    scale: float,
    rotation: np.ndarray,
    translation: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A relief as a mesh in model space, a vertex for each pixel (eq. (5) of Richardson, back).

    Args:
        relief: The surface.
        shown: `(H, H)` bool, the pixels to take.
        scale: px per mm.
        rotation: `(3, 3)` from model to camera space.
        translation: `(3,)` mm.

    Returns:
        Vertices `(V, 3)` mm, triangles `(T, 3)` int32, counter-clockwise seen from outside, and
        colours `(V, 3)` of the picture in [0, 1].
    """
    heights = relief.heights[..., 0]
    used = shown & (relief.mask[..., 0] > 0.5)
    rows, columns = np.nonzero(used)
    middle = len(heights) / 2
    x = (columns + 0.5 - middle) / scale - translation[0]
    y = (middle - rows - 0.5) / scale - translation[1]
    vertices = np.stack([x, y, heights[used] / scale], axis=-1) @ rotation
    numbers = np.full(used.shape, -1, np.int32)
    numbers[used] = np.arange(len(rows))
    corners = [(numbers[i:, j:], heights[i:, j:]) for i in (0, 1) for j in (0, 1)]
    count = len(heights) - 1
    numbers_at, heights_at = (np.stack([c[k][:count, :count] for c in corners]) for k in (0, 1))
    whole = (numbers_at >= 0).all(axis=0) & (np.ptp(heights_at, axis=0) < _CLIFF)
    a, b, c, d = numbers_at[:, whole]  # upper left, upper right, lower left, lower right
    triangles = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    return vertices, triangles, relief.crop[used] / 255


def relief_maps(
    relief: Relief, shown: np.ndarray, box: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """A relief at the size of its photo.

    Args:
        relief: The surface.
        shown: `(H, H)` bool, the pixels to take.
        box: `(4,)` of the crop, pixels of the photo.
        height: Of the photo.
        width: Of the photo.

    Returns:
        `(height, width)` float32 heights in pixels of the photo, NaN where none is shown, and
        `(height, width, 3)` unit normals in camera space, 0 there.
    """
    zoom = (box[2] - box[0]) / len(relief.crop)
    # OpenCV counts from pixel centres.
    shift = box[:2] + 0.5 * (zoom - 1.0)
    move = np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])
    used = (shown & (relief.mask[..., 0] > 0.5))[..., None].astype(np.float32)
    values = np.concatenate([used, used * relief.heights * zoom, used * relief.normals], axis=-1)
    layers = [
        cv2.warpAffine(values[..., k].astype(np.float32), move, (width, height)) for k in range(5)
    ]
    share, heights, normals = layers[0], layers[1], np.stack(layers[2:], axis=-1)
    seen = share > 0.5
    heights = np.where(seen, heights / np.maximum(share, 0.5), np.nan)
    length = np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    return heights.astype(np.float32), np.where(seen[..., None], normals / length, 0.0)


def _resized(panel: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(panel).resize((PANEL, PANEL), Image.Resampling.LANCZOS))


def _to_bytes(colours: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(colours, 0, 1)).astype(np.uint8)
