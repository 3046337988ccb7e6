"""deodr (de La Gorce et al. 2008) in the same place: float64, without perspective correction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from deodr.differentiable_renderer import Scene2D


def deodr_renderer(
    points: np.ndarray,
    triangles: np.ndarray,
    colours: np.ndarray,
    focal: float,
    size: int,
    antialiased: bool,
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Forward, and forward with backward, of one picture; projection included.

    Args:
        points: `(V, 3)` camera space.
        triangles: `(T, 3)`.
        colours: `(V, C)`.
        focal: pixels.
        size: side of the picture.
        antialiased: whether edges are smoothed, of all triangles, as deodr does by default.
    """
    count, channels = len(points), colours.shape[1]
    on_image = np.random.default_rng(0).normal(size=(size, size, channels))

    def forward() -> Scene2D:
        depth = -points[:, 2].astype(np.float64)
        pixels = np.stack([points[:, 0], -points[:, 1]], -1) * focal / depth[:, None] + size / 2
        scene = Scene2D(
            faces=triangles.astype(np.uint32),
            faces_uv=triangles.astype(np.uint32),
            ij=pixels,
            depths=depth,
            textured=np.zeros(len(triangles), bool),
            uv=np.zeros((count, 2)),
            shade=np.zeros(count),
            colors=colours.astype(np.float64),
            shaded=np.zeros(len(triangles), bool),
            edgeflags=np.full((len(triangles), 3), antialiased),
            height=size,
            width=size,
            nb_colors=channels,
            texture=np.zeros((0, 0, channels)),
            background_color=np.zeros(channels),
            clockwise=False,
            backface_culling=True,
            integer_pixel_centers=False,
        )
        scene.image, _ = scene.render(sigma=float(antialiased))
        return scene

    def both() -> np.ndarray:
        scene = forward()
        scene.uv_b, scene.shade_b = np.zeros((count, 2)), np.zeros(count)
        scene.ij_b, scene.colors_b = np.zeros((count, 2)), np.zeros((count, channels))
        scene.texture_b = np.zeros((0, 0, channels))
        scene.render_backward(on_image)
        return scene.ij_b

    return forward, both
