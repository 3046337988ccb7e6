"""Heads of any number of vertices."""

from __future__ import annotations

import numpy as np


def head(rings: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed, bumpy ellipsoid of `rings * (rings + 1)` vertices, 180 mm high.

    Returns:
        `(V, 3)` float32 mm around the origin, and `(T, 3)` int32 triangles, counter-clockwise seen
        from outside: about two for each vertex, of alike size, as face models have.
    """
    rows, columns = rings + 1, rings
    latitude = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    longitude = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    bumps = 1 + 0.06 * np.sin(3 * latitude) * np.cos(2 * longitude) + 0.02 * np.cos(9 * longitude)
    x = 88 * bumps * np.sin(latitude) * np.sin(longitude)
    y = 90 * bumps * np.cos(latitude) + 0 * longitude
    z = 88 * bumps * np.sin(latitude) * np.cos(longitude)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    here, beside = row * columns + column, row * columns + (column + 1) % columns
    below, across = here + columns, beside + columns
    quads = np.stack([here, below, across, here, across, beside], axis=-1)
    return vertices, quads.reshape(-1, 3).astype(np.int32)


def posed(vertices: np.ndarray, batch: int, size: int) -> tuple[np.ndarray, float]:
    """The head turned a little differently in each picture, filling three quarters of the frame.

    Returns:
        `(B, V, 3)` float32 camera-space points and the focal length in pixels.
    """
    angles = np.linspace(-0.5, 0.5, batch) if batch > 1 else np.array([0.2])
    cos, sin, zero = np.cos(angles), np.sin(angles), 0 * angles
    turn = np.stack([cos, zero, sin, zero, 1 + zero, zero, -sin, zero, cos], -1).reshape(-1, 3, 3)
    points = vertices @ turn.transpose(0, 2, 1) + np.array([0, 0, -1000])
    return points.astype(np.float32), 5.4 * size
