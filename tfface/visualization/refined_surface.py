"""A refined surface in front of a camera, and its pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from tfface.fitting.shading_refinement import RefinedSurface
from tfface.rendering.clay import clay_colours
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.visualization.drawing import draw, over
from tfface.visualization.posed_face import PosedFace
from tfface.visualization.views import PANEL, blank_panel, side_by_side

_SUPERSAMPLING = 2


def posed_surface(surface: RefinedSurface, face: PosedFace, coarse: bool = False) -> PosedFace:
    """A surface, or what it was before its refinement, in the pose and camera of a face."""
    vertices = surface.coarse if coarse else surface.vertices
    topology = MeshTopology(surface.triangles, len(vertices))
    normals = vertex_normals(tf.constant(vertices[None], tf.float32), topology)[0].numpy()
    ones = np.ones_like(vertices)
    return replace(
        face, vertices=vertices, normals=normals, triangles=surface.triangles,
        albedo=surface.colours, shading=ones, fitted=ones[:, 0],
    )  # fmt: skip


def draw_surface(surface: RefinedSurface, crop: np.ndarray, face: PosedFace) -> np.ndarray:
    """Draws input, coarse and refined geometry side by side, `(PANEL + caption, 3 PANEL, 3)`.

    Args:
        surface: What is refined.
        crop: `(PANEL, PANEL, 3)` uint8, the picture of the face.
        face: Gives the pose, and the camera of the crop.
    """
    panels = {"input": crop}
    for name in ("coarse", "detail"):
        posed = posed_surface(surface, face, coarse=name == "coarse")
        clay = clay_colours(posed.normals_camera).numpy()
        drawing = draw(posed, clay, (0, 0, PANEL, PANEL), _SUPERSAMPLING)
        panels[name] = over(blank_panel(), drawing.attributes, drawing.coverage)
    return side_by_side(panels)
