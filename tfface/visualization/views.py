"""One picture that explains a reconstruction: what went in, what was found, and from the side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfface.rendering.clay import clay_colours
from tfface.visualization.drawing import draw, over, surface_colours
from tfface.visualization.posed_face import PhotoCamera, PosedFace

PANEL = 320  # px
_CAPTION = 26  # px
_BACKGROUND = np.array([245, 245, 247], np.uint8)
_SUPERSAMPLING = 2
_THREE_QUARTER = -35.0  # degrees
_FRAME = 0.86  # of a panel, in the views that show the whole head
_DISTANCE = 5.0  # times the head's size


def draw_views(crop: np.ndarray, face: PosedFace) -> np.ndarray:
    """Draws input, overlay, geometry, albedo, shading, frontal and three-quarter views.

    Args:
        crop: `(S, S, 3)` uint8, the picture of the face.
        face: Mesh, light, pose, and the camera of the crop.

    Returns:
        `(PANEL + caption, 7 PANEL, 3)` uint8.
    """
    picture = Image.fromarray(crop).resize((PANEL, PANEL), Image.Resampling.LANCZOS)
    panels = {"input": np.asarray(picture)}
    colours = surface_colours(face)
    resized = face.cropped(np.zeros(2), PANEL / len(crop))
    stacked = np.concatenate([*colours.values(), face.fitted[:, None]], axis=1)
    drawing = draw(resized, stacked, (0, 0, PANEL, PANEL), _SUPERSAMPLING)
    layers = np.split(drawing.attributes[..., :-1], len(colours), axis=-1)
    for name, layer in zip(colours, layers, strict=True):
        if name == "render":
            fitted = drawing.coverage * drawing.attributes[..., -1]
            panels["overlay"] = over(panels["input"], layer, fitted)
        else:
            panels[name] = over(blank_panel(), layer, drawing.coverage)
    panels["frontal"] = draw_turned(face, 0.0)
    panels["three-quarter"] = draw_turned(face, _THREE_QUARTER)
    return side_by_side(panels)


def draw_turned(
    face: PosedFace, yaw: float, colours: np.ndarray | None = None, size: int = PANEL
) -> np.ndarray:
    """Draws the mesh on its own, framed whole, whatever its pose.

    Args:
        face: The mesh.
        yaw: Degrees that the head turns; positive towards the picture's right.
        colours: `(V, 3)` in [0, 1]; None draws grey clay.
        size: Side of the picture, px.

    Returns:
        `(size, size, 3)` uint8.
    """
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    turned = face.vertices @ rotation.T
    low, high = turned.min(0), turned.max(0)
    extent = (high - low)[:2].max()
    posed = replace(
        face,
        rotation=rotation,
        translation=-(low + high) / 2 - [0, 0, _DISTANCE * extent],
        camera=PhotoCamera(_FRAME * size * _DISTANCE, np.array([size / 2, size / 2])),
    )
    painted = clay_colours(posed.normals_camera).numpy() if colours is None else colours
    drawing = draw(posed, painted, (0, 0, size, size), _SUPERSAMPLING)
    return over(blank_panel(size), drawing.attributes, drawing.coverage)


def blank_panel(size: int = PANEL) -> np.ndarray:
    """A `(size, size, 3)` uint8 panel of the background's colour."""
    return np.broadcast_to(_BACKGROUND, (size, size, 3))


def side_by_side(panels: dict[str, np.ndarray]) -> np.ndarray:
    """Joins square panels of one size in a row, each above its caption, as uint8."""
    size = len(next(iter(panels.values())))
    background = tuple(_BACKGROUND.tolist())
    sheet = Image.new("RGB", (size * len(panels), size + _CAPTION), background)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for column, (caption, panel) in enumerate(panels.items()):
        sheet.paste(Image.fromarray(np.ascontiguousarray(panel)), (column * size, 0))
        middle = (column * size + size // 2, size + _CAPTION // 2)
        pen.text(middle, caption, fill=(60, 60, 66), font=font, anchor="mm")
    return np.asarray(sheet)
