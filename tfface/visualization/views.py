"""One picture that explains a reconstruction: what went in, what was found, and from the side."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfface.visualization.drawing import (
    PerspectiveCamera,
    clay,
    draw,
    over,
    surface_colours,
)

PANEL = 320  # px
_CAPTION = 26  # px
_BACKGROUND = np.array([245, 245, 247], np.uint8)
_SUPERSAMPLING = 2
_TURNED = -35.0  # degrees of the three-quarter view
_FILL = 0.86  # of a panel, for the views that frame the whole head


def draw_views(
    crop: np.ndarray,
    vertices: np.ndarray,
    vertices_camera: np.ndarray,
    normals: np.ndarray,
    rotation: np.ndarray,
    triangles: np.ndarray,
    albedo: np.ndarray,
    shading: np.ndarray,
    camera: PerspectiveCamera,
) -> np.ndarray:
    """Draws input, overlay, geometry, albedo, shading, frontal and three-quarter views.

    Args:
        crop: `(S, S, 3)` uint8, the picture of the face.
        vertices: `(V, 3)` mm in model space.
        vertices_camera: `(V, 3)` mm in camera space.
        normals: `(V, 3)` unit normals in model space.
        rotation: `(3, 3)` from model to camera space.
        triangles: `(T, 3)`.
        albedo: `(V, 3)` in [0, 1].
        shading: `(V, 3)`.
        camera: Of the crop.

    Returns:
        `(PANEL + caption, 7 PANEL, 3)` uint8.
    """
    size = len(crop)
    picture = Image.fromarray(crop).resize((PANEL, PANEL), Image.Resampling.LANCZOS)
    panels = {"input": np.asarray(picture)}
    colours = surface_colours(albedo, shading, normals @ rotation.T)
    drawing = draw(
        vertices_camera,
        triangles,
        np.concatenate(list(colours.values()), axis=1),
        camera.cropped(np.zeros(2), PANEL / size),
        (0, 0, PANEL, PANEL),
        _SUPERSAMPLING,
    )
    for number, name in enumerate(colours):
        layer = drawing.attributes[..., 3 * number : 3 * number + 3]
        behind = panels["input"] if name == "render" else blank_panel()
        caption = "overlay" if name == "render" else name
        panels[caption] = over(behind, layer, drawing.coverage)
    panels["frontal"] = draw_turned(vertices, normals, triangles, 0.0)
    panels["three-quarter"] = draw_turned(vertices, normals, triangles, _TURNED)
    return side_by_side(panels)


def draw_turned(
    vertices: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    yaw: float,
    colours: np.ndarray | None = None,
    size: int = PANEL,
) -> np.ndarray:
    """Draws a mesh on its own, framed whole, from a metre away.

    Args:
        vertices: `(V, 3)` mm in model space.
        normals: `(V, 3)` unit normals in model space.
        triangles: `(T, 3)`.
        yaw: Degrees that the head turns; positive towards the picture's right.
        colours: `(V, 3)` in [0, 1]; None draws grey clay.
        size: Side of the picture, px.

    Returns:
        `(size, size, 3)` uint8.
    """
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    turned = vertices @ turn.T
    low, high = turned.min(0), turned.max(0)
    extent = (high - low)[:2].max()
    distance = 5.0 * extent
    placed = turned - (low + high) / 2 - [0, 0, distance]
    camera = PerspectiveCamera(_FILL * size * distance / extent, np.array([size / 2, size / 2]))
    painted = clay(normals @ turn.T) if colours is None else colours
    drawing = draw(placed, triangles, painted, camera, (0, 0, size, size), _SUPERSAMPLING)
    return over(blank_panel(size), drawing.attributes, drawing.coverage)


def blank_panel(size: int = PANEL) -> np.ndarray:
    """A `(size, size, 3)` uint8 panel of the background's colour."""
    return np.broadcast_to(_BACKGROUND, (size, size, 3))


def side_by_side(panels: dict[str, np.ndarray]) -> np.ndarray:
    """Joins square panels of one size in a row, each above its caption, as uint8."""
    size = len(next(iter(panels.values())))
    sheet = Image.new("RGB", (size * len(panels), size + _CAPTION), tuple(_BACKGROUND.tolist()))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for column, (caption, panel) in enumerate(panels.items()):
        sheet.paste(Image.fromarray(np.ascontiguousarray(panel)), (column * size, 0))
        middle = (column * size + size // 2, size + _CAPTION // 2)
        pen.text(middle, caption, fill=(60, 60, 66), font=font, anchor="mm")
    return np.asarray(sheet)
