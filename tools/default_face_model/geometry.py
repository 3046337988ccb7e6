"""Cuts the head out of MakeHuman's base mesh and gives it eyes and teeth.

The head is skin down to a closed edge loop of the neck (the mesh is closed: the mouth is a bag, the
sockets are cups), two procedural eyes and the two strips of teeth. Every vertex of the head is a
linear function of the base mesh's vertices, so a target moves the head by one sparse matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from scipy.sparse import csgraph

from default_face_model.sources import BaseMesh

SKIN, LEFT_EYE, RIGHT_EYE, TEETH, INNER_MOUTH = range(5)
# One vertex of the neck's edge loop that bounds the head, on the midline below the chin.
NECK_LOOP_START = 809
# Rings of an eye: degrees from the gaze, densest about the rims of pupil (7) and iris (20).
EYE_RINGS = (4.0, 7.5, 11.0, 15.0, 18.5, 21.5, 25.0, 34.0, 48.0, 68.0, 92.0)
EYE_SEGMENTS = 24
# The ball just inside the helper's, so that the lids' inner rims stay in front of it.
EYE_RADIUS_FACTOR = 0.985
# The strips of teeth follow the lips' inside closely; drawn back, they stay behind thin lips.
TEETH_WIDTH_FACTOR = 0.87
TEETH_BACK_MM = 4.5
# The strips meet at the lips' line; real upper incisors end below it, the lower ones behind.
UPPER_TEETH_DOWN_MM = 3.0
LOWER_TEETH_DOWN_MM = 5.0
# The lower strip rises towards the back, where it would show as a wedge in an open mouth.
LOWER_TEETH_SLOPE = 0.35
# The lips' inner rim: skin vertices behind it are the mouth's bag.
INNER_MOUTH_LOOP_START = 540


@dataclass(frozen=True)
class Head:
    """The head's topology and how it hangs on the base mesh.

    Attributes:
        quads: (Q, 4) int32 vertex indices.
        base_index: (V,) the base mesh's vertex of each vertex, -1 for an eye's.
        part: (V,) SKIN, LEFT_EYE, RIGHT_EYE, TEETH or INNER_MOUTH.
        uv: (V, 2); face_uv: (Q, 4, 2) the same per corner, right on both sides of a seam.
        eye_direction: (V, 3) unit vectors in the eye's frame (gaze +z), zero off the eyes.
        symmetry: (V,) index of the mirrored vertex.
        upper_teeth: (V,) bool.
        eye_helpers: base vertices of the left and the right helper eye.
    """

    quads: np.ndarray
    base_index: np.ndarray
    part: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    eye_direction: np.ndarray
    symmetry: np.ndarray
    upper_teeth: np.ndarray
    eye_helpers: tuple[np.ndarray, np.ndarray]

    def place(self, base_vertices: np.ndarray) -> np.ndarray:
        """Returns the head's vertices (V, 3) for one shape of the base mesh."""
        vertices = base_vertices[np.maximum(self.base_index, 0)].copy()
        for part, helpers in zip((LEFT_EYE, RIGHT_EYE), self.eye_helpers, strict=True):
            centre, radius = fit_sphere(base_vertices[helpers])
            rows = self.part == part
            vertices[rows] = centre + EYE_RADIUS_FACTOR * radius * self.eye_direction[rows]
        teeth = self.part == TEETH
        vertices[teeth, 0] *= TEETH_WIDTH_FACTOR
        vertices[teeth, 2] -= TEETH_BACK_MM
        upper, lower = self.upper_teeth, teeth & ~self.upper_teeth
        vertices[upper, 1] -= UPPER_TEETH_DOWN_MM
        depth = vertices[lower, 2]
        vertices[lower, 1] -= LOWER_TEETH_DOWN_MM + LOWER_TEETH_SLOPE * (depth.max() - depth)
        return vertices


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns centre and radius of the least-squares sphere |p|^2 = 2 c.p + (r^2 - |c|^2)."""
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    centre = solution[:3]
    return centre, float(np.sqrt(solution[3] + centre @ centre))


def build_head(mesh: BaseMesh, mirror: np.ndarray) -> Head:
    """Returns the head's topology.

    Args:
        mesh: MakeHuman's base mesh.
        mirror: (V_base,) index of each base vertex's mirror image.
    """
    body, body_uv = mesh.faces["body"], mesh.face_uvs["body"]
    keep = faces_above_loop(body, edge_loop(body, NECK_LOOP_START, mesh.vertices), mesh.vertices)
    faces = [body[keep], mesh.faces["helper-upper-teeth"], mesh.faces["helper-lower-teeth"]]
    corner_uv = [
        body_uv[keep],
        mesh.face_uvs["helper-upper-teeth"],
        mesh.face_uvs["helper-lower-teeth"],
    ]
    used = np.unique(np.concatenate(faces))
    to_head = np.full(len(mesh.vertices), -1)
    to_head[used] = np.arange(len(used))
    teeth = np.unique(np.concatenate(faces[1:]))
    part = np.full(len(used), SKIN, np.int32)
    part[to_head[teeth]] = TEETH
    part[to_head[inner_mouth(body[keep], mesh.vertices)]] = INNER_MOUTH
    grid, directions = eye_grid()
    count = len(used)
    sizes = (count, count + len(directions))
    # The right eye is the left one mirrored: the same vertex order, quads turned round.
    quads = np.concatenate(
        [to_head[np.concatenate(faces)], sizes[0] + grid, sizes[1] + grid[:, ::-1]]
    ).astype(np.int32)
    eye_uvs = [_eye_uv(directions, side) for side in (0, 1)]
    mirrored = directions * [-1.0, 1.0, 1.0]
    face_uv = np.concatenate(
        [mesh.uvs[np.concatenate(corner_uv)], eye_uvs[0][grid], eye_uvs[1][grid[:, ::-1]]]
    )
    uv = np.zeros((count + 2 * len(directions), 2))
    uv[quads.ravel()] = face_uv.reshape(-1, 2)
    order = np.arange(len(directions))
    base_index = np.concatenate([used, np.full(2 * len(directions), -1)]).astype(np.int32)
    return Head(
        quads=quads,
        base_index=base_index,
        part=np.concatenate(
            [part, np.full(len(directions), LEFT_EYE), np.full(len(directions), RIGHT_EYE)]
        ).astype(np.int32),
        uv=uv,
        face_uv=face_uv,
        eye_direction=np.concatenate([np.zeros((count, 3)), directions, mirrored]),
        symmetry=np.concatenate([to_head[mirror[used]], sizes[1] + order, sizes[0] + order]).astype(
            np.int32
        ),
        upper_teeth=np.isin(base_index, mesh.faces["helper-upper-teeth"]),
        eye_helpers=(np.unique(mesh.faces["helper-l-eye"]), np.unique(mesh.faces["helper-r-eye"])),
    )


def edge_loop(quads: np.ndarray, start: int, vertices: np.ndarray) -> np.ndarray:
    """Returns the closed loop of edges that leaves a midline vertex sideways and goes straight.

    Raises:
        ValueError: no such loop passes through `start`.
    """
    neighbours: dict[int, set[int]] = {}
    faces: dict[frozenset[int], set[int]] = {}
    for face, corners in enumerate(quads.tolist()):
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            neighbours.setdefault(a, set()).add(b)
            neighbours.setdefault(b, set()).add(a)
            faces.setdefault(frozenset((a, b)), set()).add(face)
    for second in sorted(neighbours[start]):
        if vertices[second, 0] <= 0:
            continue
        path = [start, second]
        while path[-1] != start and len(neighbours[path[-1]]) == 4 and len(path) < 1000:
            previous, here = path[-2:]
            beside = faces[frozenset((previous, here))]
            path.append(
                next(
                    x
                    for x in neighbours[here]
                    if x != previous and not beside & faces[frozenset((here, x))]
                )
            )
        if path[-1] == start:
            return np.array(path[:-1])
    raise ValueError(f"start: expected a vertex of a closed edge loop, got {start}")


def faces_above_loop(quads: np.ndarray, loop: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Returns the mask (Q,) of the quads on the upper side of a closed edge loop."""
    cut = {frozenset(pair) for pair in zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True)}
    owner: dict[frozenset[int], int] = {}
    rows, columns = [], []
    for face, corners in enumerate(quads.tolist()):
        for pair in zip(corners, corners[1:] + corners[:1], strict=True):
            edge = frozenset(pair)
            if edge in cut:
                continue
            if edge in owner:
                rows.append(face)
                columns.append(owner[edge])
            owner[edge] = face
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(quads),) * 2)
    _, label = csgraph.connected_components(graph, directed=False)
    top = label[vertices[quads].mean(1)[:, 1].argmax()]
    return label == top


def inner_mouth(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Returns the vertices of the mouth's bag, behind the lips' inner rim."""
    loop = edge_loop(quads, INNER_MOUTH_LOOP_START, vertices)
    outside = faces_above_loop(quads, loop, vertices)
    return np.setdiff1d(quads[~outside], loop)


def eye_grid() -> tuple[np.ndarray, np.ndarray]:
    """Returns an eye's quads (Q, 4) and directions (V, 3): a polar grid whose pole is the gaze."""
    angles = np.radians(np.array(EYE_RINGS))[:, None]
    turn = 2.0 * np.pi * np.arange(EYE_SEGMENTS)[None] / EYE_SEGMENTS
    rings = np.stack(
        [np.sin(angles) * np.cos(turn), np.sin(angles) * np.sin(turn), np.cos(angles) + 0.0 * turn],
        axis=-1,
    )
    directions = np.concatenate([[[0.0, 0.0, 1.0]], rings.reshape(-1, 3)])
    index = 1 + np.arange(rings.shape[0] * EYE_SEGMENTS).reshape(-1, EYE_SEGMENTS)
    ahead = np.roll(index, -1, axis=1)
    bands = np.stack([index[:-1], index[1:], ahead[1:], ahead[:-1]], axis=-1).reshape(-1, 4)
    # About the pole a quad spans two segments, so that the grid has no triangles.
    first = index[0]
    caps = np.stack(
        [np.zeros(EYE_SEGMENTS // 2, int), first[::2], first[1::2], np.roll(first, -2)[::2]],
        axis=-1,
    )
    return np.concatenate([caps, bands]).astype(np.int32), directions


def _eye_uv(directions: np.ndarray, side: int) -> np.ndarray:
    """Eyes get two discs in a corner of the UV square that the head leaves free."""
    angle = np.arccos(np.clip(directions[:, 2], -1.0, 1.0)) / np.pi
    around = (
        directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=1), 1e-9)[:, None]
    )
    mirror = np.array([1.0 - 2.0 * side, 1.0])
    return np.array([0.06 + 0.12 * side, 0.06]) + 0.08 * around * angle[:, None] * mirror
