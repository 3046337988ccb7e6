"""The 68 iBUG landmarks of the default face model, its jaw candidates and its regions.

The mean face is rendered from many sides, the landmark detector is run on every picture, and what
it finds is carried back to the surface: so the model's landmarks mean what the detector's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from tfface.data.detection import FaceDetector
from tfface.data.landmarks import MIRROR

Geometry = Mapping[str, Any]
Render = Callable[..., tuple[np.ndarray, np.ndarray]]

SIZE, DISTANCE = 640, 1100.0
FOCAL = 4.0 * SIZE
SKIN = 0
CANDIDATES = 12
JAW = np.arange(17)
# How far along the way from the jaw to the mid-line of the face each row of candidates reaches:
# none at the chin, where the landmark does not slide, most at the cheeks.
REACH = np.array([0.55, 0.55, 0.55, 0.5, 0.45, 0.35, 0.25, 0.1, 0.0])


def embed_landmarks(geometry: Geometry, colours: np.ndarray, render: Render) -> dict[str, Any]:
    """Finds the landmarks on the mean.

    Args:
        geometry: `fine_mean (V, 3)`, `fine_triangles`, `fine_part (V,)`, `coarse_mean (Vc, 3)`.
        colours: `(V, 3)` albedo of the mean.
        render: `(vertices_camera, triangles, colours, focal, size)` -> the shaded picture
            `(size, size, 3)` uint8 and the triangle of every pixel `(size, size)`, -1 outside.

    Returns:
        `landmarks (68,)` and `contour (17, C)`, both below Vc, so that they hold for the coarse
        and the fine mesh; `points (68, 3)`, where the landmarks lie before they are snapped.
    """
    found = [_view(geometry, colours, render, yaw, pitch) for yaw, pitch in view_angles()]
    points = _symmetric(_fuse(found))
    coarse = np.asarray(geometry["coarse_mean"])
    skin = np.flatnonzero(np.asarray(geometry["fine_part"])[: len(coarse)] == SKIN)
    landmarks = skin[cKDTree(coarse[skin]).query(points)[1]]
    contour = contour_candidates(coarse, skin, points)
    landmarks[JAW] = contour[:, 0]
    return {
        "landmarks": landmarks.astype(np.int32),
        "contour": contour.astype(np.int32),
        "points": points,
    }


def view_angles() -> list[tuple[float, float]]:
    """Yaw and pitch of the pictures, in degrees."""
    yaws = (0, -8, 8, -16, 16, -24, 24, -38, 38, -46, 46, -54, 54)
    return [(float(yaw), float(pitch)) for yaw in yaws for pitch in (-12, 0, 12)]


def _view(
    geometry: Geometry, colours: np.ndarray, render: Render, yaw: float, pitch: float
) -> tuple[float, np.ndarray]:
    """The landmarks of one picture on the surface, `(68, 3)`, NaN where the ray misses."""
    rotation = Rotation.from_euler("yx", [yaw, pitch], degrees=True).as_matrix()
    vertices = np.asarray(geometry["fine_mean"]) @ rotation.T - (0, 0, DISTANCE)
    triangles = np.asarray(geometry["fine_triangles"])
    picture, ids = render(vertices, triangles, colours, FOCAL, SIZE)
    faces = FaceDetector().detect(picture)
    if len(faces) != 1:
        return yaw, np.full((68, 3), np.nan)
    on_surface = _back_project(faces[0].landmarks, ids, vertices, triangles)
    return yaw, (on_surface + (0, 0, DISTANCE)) @ rotation


def _back_project(
    pixels: np.ndarray, ids: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """Where the rays of pixels meet the visible surface, in camera space; NaN outside it."""
    column, row = np.clip(pixels.astype(int), 0, SIZE - 1).T
    triangle = ids[row, column]
    centred = (pixels - SIZE / 2) / FOCAL
    rays = np.column_stack([centred[:, 0], -centred[:, 1], -np.ones(len(pixels))])
    a, b, c = np.moveaxis(vertices[triangles[triangle]], 1, 0)
    normal = np.cross(b - a, c - a)
    depth = (normal * a).sum(1) / (normal * rays).sum(1)
    points = rays * depth[:, None]
    points[triangle < 0] = np.nan
    return points


def _fuse(found: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """One robust position a landmark from all views that see it well.

    The jaw is taken from views turned by 38 to 60 degrees, on their near side, where it is a ridge
    and not the outline; other points from views in which their side is not turned away.
    """
    yaws = np.array([yaw for yaw, _ in found])
    positions = np.stack([points for _, points in found])
    fused = np.zeros((68, 3))
    # A positive yaw turns the head to its left: the near side is its right, landmarks 0 to 7.
    side = np.sign(np.nanmedian(positions[np.abs(yaws) < 10], axis=0)[:, 0]) * (
        np.abs(np.nanmedian(positions[np.abs(yaws) < 10], axis=0)[:, 0]) > 8
    )
    for index in range(68):
        near = -side[index] * yaws
        if index == 8:
            use = np.abs(yaws) < 30
        elif index < 17:
            use = near >= 38
        else:
            use = (near > -10) & (np.abs(yaws) < 30)
        fused[index] = np.nanmedian(positions[use, index], axis=0)
    return fused


def _symmetric(points: np.ndarray) -> np.ndarray:
    """The average with the mirrored points."""
    return (points + points[MIRROR] * (-1, 1, 1)) / 2


def contour_candidates(vertices: np.ndarray, skin: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Vertices that a jaw landmark may slide to as the head turns, `(17, CANDIDATES)`.

    Each row starts at the landmark and follows the surface around the head's vertical axis
    towards the mid-line of the face; the right half mirrors the left.
    """
    axis_depth = float(vertices[skin, 2].mean())

    def cylinder(position: np.ndarray) -> np.ndarray:
        angle = np.arctan2(position[..., 0], position[..., 2] - axis_depth)
        return np.stack([80.0 * angle, position[..., 1]], -1)

    # Only the outer surface takes part: of vertices in one direction the outermost.
    outward = skin[_is_outer(vertices[skin], cylinder(vertices[skin]), axis_depth)]
    tree = cKDTree(cylinder(vertices[outward]))
    rows = np.zeros((17, CANDIDATES), np.int64)
    mirrored = cKDTree(vertices[skin])
    for row in range(9):
        start = cylinder(points[row])
        steps = np.linspace(0.0, REACH[row], CANDIDATES)[:, None]
        path = start * (1 - steps * (1.0, 0.0))
        rows[row] = outward[tree.query(path)[1]]
        rows[row, 0] = skin[mirrored.query(points[row])[1]]
        opposite = vertices[rows[row]] * (-1, 1, 1)
        rows[16 - row] = skin[mirrored.query(opposite)[1]]
    return rows


def _is_outer(positions: np.ndarray, flat: np.ndarray, axis_depth: float) -> np.ndarray:
    radius = np.hypot(positions[:, 0], positions[:, 2] - axis_depth)
    around = cKDTree(flat).query_ball_point(flat, 6.0)  # behind an eyelid many are inside
    return radius >= np.array([radius[near].max() for near in around]) - 6.0
