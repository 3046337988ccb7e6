"""Small meshes whose geometry is known."""

from __future__ import annotations

import numpy as np
import trimesh


def cube() -> tuple[np.ndarray, np.ndarray]:
    """Vertices `(8, 3)` and triangles `(12, 3)` of the cube [-1, 1]^3."""
    box = trimesh.creation.box((2, 2, 2))
    return np.asarray(box.vertices), np.asarray(box.faces, np.int32)


def sphere(subdivisions: int = 2, radius: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of an icosphere."""
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return np.asarray(ball.vertices), np.asarray(ball.faces, np.int32)
