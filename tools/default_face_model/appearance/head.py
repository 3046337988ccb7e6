"""The fine head mesh as the painter sees it: parts, the eyes' opening, canonical places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from default_face_model.geometry import INNER_MOUTH, LEFT_EYE, RIGHT_EYE, SKIN, TEETH

# Heights in mm of the anchors of `FineHead.canonical`: the templates of brows, beard and hair are
# drawn in this frame, so that they follow the mean shape when it is tuned.
CANONICAL_EYES, CANONICAL_LIP_TOP, CANONICAL_MOUTH = 36.0, -28.0, -37.5
CANONICAL_CHIN, CANONICAL_CROWN = -84.0, 151.0
CANONICAL_PUPILS = 63.0


@dataclass(frozen=True)
class FineHead:
    """The neutral mean head at the fine level.

    Attributes:
        vertices: (V, 3) mm.
        triangles: (T, 3).
        uv: (V, 2), v up, in the texture space of MakeHuman's base mesh.
        part: (V,) SKIN, LEFT_EYE, RIGHT_EYE, TEETH or INNER_MOUTH.
        eye_direction: (V, 3) unit vectors in the eye's frame (gaze +z), zero off the eyes.
        lips, ears: (V,) weights in [0, 1] of MakeHuman's region textures.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    part: np.ndarray
    eye_direction: np.ndarray
    lips: np.ndarray
    ears: np.ndarray

    @cached_property
    def skin(self) -> np.ndarray:
        return self.part == SKIN

    @cached_property
    def eyes(self) -> np.ndarray:
        return (self.part == LEFT_EYE) | (self.part == RIGHT_EYE)

    @cached_property
    def teeth(self) -> np.ndarray:
        return self.part == TEETH

    @cached_property
    def inner_mouth(self) -> np.ndarray:
        return self.part == INNER_MOUTH

    @cached_property
    def mirror(self) -> np.ndarray:
        """(V,) the vertex at each vertex's mirrored place."""
        mirror = np.arange(len(self.vertices))
        for part, other in (
            (SKIN, SKIN),
            (LEFT_EYE, RIGHT_EYE),
            (RIGHT_EYE, LEFT_EYE),
            (TEETH, TEETH),
            (INNER_MOUTH, INNER_MOUTH),
        ):
            here, there = np.flatnonzero(self.part == part), np.flatnonzero(self.part == other)
            mirrored = self.vertices[here] * [-1.0, 1.0, 1.0]
            mirror[here] = there[cKDTree(self.vertices[there]).query(mirrored)[1]]
        return mirror

    @cached_property
    def eye_centres(self) -> np.ndarray:
        """(2, 3) centres of the left and the right eyeball's front ring."""
        return np.stack([self.vertices[self.part == p].mean(0) for p in (LEFT_EYE, RIGHT_EYE)])

    @cached_property
    def normals(self) -> np.ndarray:
        """(V, 3) area-weighted unit normals."""
        a, b, c = (self.vertices[self.triangles[:, i]] for i in range(3))
        face = np.cross(b - a, c - a)
        total = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(total, self.triangles[:, corner], face)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)

    @cached_property
    def areas(self) -> np.ndarray:
        """(V,) mm^2, a third of the triangles about each vertex."""
        a, b, c = (self.vertices[self.triangles[:, i]] for i in range(3))
        face = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
        total = np.zeros(len(self.vertices))
        for corner in range(3):
            np.add.at(total, self.triangles[:, corner], face / 3.0)
        return total

    @cached_property
    def canonical(self) -> np.ndarray:
        """(V, 3) mm, the mean head moved to the heights at which the templates are drawn."""
        x, y, z = self.vertices.T
        left, right = self.eye_centres
        scale = CANONICAL_PUPILS / (left[0] - right[0])
        midline = self.skin & (np.abs(x) < 0.05 * (left[0] - right[0])) & (z > 0.5 * left[2])
        lips = midline & (self.lips > 0.5)
        below = midline & (y < y[lips].min())
        chin = y[below & (self.normals[:, 1] > -0.7)].min()
        anchors = {
            float(y[self.skin].max()): CANONICAL_CROWN,
            float(left[1]): CANONICAL_EYES,
            float(y[lips].max()): CANONICAL_LIP_TOP,
            float(np.median(y[lips & (z < np.quantile(z[lips], 0.35))])): CANONICAL_MOUTH,
            float(chin): CANONICAL_CHIN,
            float(chin) - 200.0: CANONICAL_CHIN - 200.0,
        }
        heights = sorted(anchors)
        height = np.interp(y, heights, [anchors[h] for h in heights])
        return np.column_stack([x * scale, height, (z - left[2]) * scale])

    @cached_property
    def eye_exposed(self) -> np.ndarray:
        """(V,) bool, the eyes' vertices that a distant viewer in front sees between the lids."""
        exposed = np.zeros(len(self.vertices), bool)
        skin_triangles = self.triangles[self.skin[self.triangles].all(1)]
        for part in (LEFT_EYE, RIGHT_EYE):
            index = np.flatnonzero(self.part == part)
            ball = self.vertices[index]
            centre = ball.mean(0)
            corners = self.vertices[skin_triangles]  # (T, 3, 3)
            near = (np.abs(corners.mean(1)[:, :2] - centre[:2]) < 40.0).all(1)
            near &= corners[..., 2].min(1) > centre[2] - 25.0
            exposed[index] = ~_hidden(ball, corners[near])
        return exposed

    @cached_property
    def eye_distance(self) -> np.ndarray:
        """(V,) mm to the nearest visible piece of an eyeball."""
        return cKDTree(self.vertices[self.eye_exposed]).query(self.vertices)[0]

    def smooth(self, values: np.ndarray, length: float) -> np.ndarray:
        """Averages values (V, ...) of skin vertices with a Gaussian of `length` mm."""
        index = np.flatnonzero(self.skin)
        places = self.vertices[index]
        tree = cKDTree(places)
        reach = tree.sparse_distance_matrix(tree, 2.5 * length, output_type="coo_matrix").tocsr()
        reach.data = np.exp(-0.5 * (reach.data / length) ** 2)
        reach.setdiag(1.0)
        reach = reach.multiply(self.areas[index][None]).tocsr()
        total = np.asarray(reach.sum(1)).ravel()
        result = np.array(values, float)
        result[index] = (reach @ result[index].reshape(len(index), -1) / total[:, None]).reshape(
            result[index].shape
        )
        return result


def _hidden(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Says of points (N, 3) whether a triangle (T, 3, 3) is in front of them, seen along -z."""
    a, b, c = corners.transpose(1, 0, 2)
    ab, ac = b - a, c - a
    determinant = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    determinant = np.where(np.abs(determinant) < 1e-12, 1e-12, determinant)
    x = points[:, None, 0] - a[:, 0]
    y = points[:, None, 1] - a[:, 1]
    u = (x * ac[:, 1] - ac[:, 0] * y) / determinant
    v = (ab[:, 0] * y - ab[:, 1] * x) / determinant
    depth = a[:, 2] + u * ab[:, 2] + v * ac[:, 2]
    inside = (u >= 0) & (v >= 0) & (u + v <= 1)
    return (inside & (depth > points[:, None, 2] + 0.05)).any(1)
