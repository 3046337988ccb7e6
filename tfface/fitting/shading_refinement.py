"""Wrinkles: displacements of every vertex that explain the shading (high-fidelity MoFA, 9.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfface.fitting.linear_face import LinearFace
from tfface.fitting.uniform_grid import uniform_grid
from tfface.morphable.deformation_graph import with_open_mouth
from tfface.rendering.cameras import perspective_projection, rotate, to_camera_space
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import inside_image, sample_bilinear
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.rendering.visibility import front_facing

# The paper takes 250 plain steps of 0.008, in units that it does not tell; Adam's first steps move
# each vertex by RATE mm, whatever the picture's contrast.
STEPS, RATE = 250, 0.02
SPACING = 1.0  # mm, of the grid
FLOOR = 0.01  # least C_i of the reweighted photometric term, RGB distance


@dataclass(frozen=True)
class RefinementWeights:
    """Of the terms of eq. (19); displacements are in mm here.

    Attributes:
        gradient: w_grad, the paper's.
        regularizer: w_reg; the paper's has another unit.
    """

    gradient: float = 1.0
    regularizer: float = 0.3


class Scene(NamedTuple):
    """A face on the grid (U vertices) before its refinement, and its picture.

    Attributes:
        coarse: `[U, 3]` mm, in model space.
        albedo: `[U, 3]`.
        rotation: `[3, 3]`.
        translation: `[3]` mm.
        light: `[9, 3]`.
        image: `[S, S, 3]` in [0, 1].
    """

    coarse: tf.Tensor
    albedo: tf.Tensor
    rotation: tf.Tensor
    translation: tf.Tensor
    light: tf.Tensor
    image: tf.Tensor


@dataclass(frozen=True, eq=False)
class RefinedSurface:
    """A face on its grid (U vertices), in model space.

    Attributes:
        coarse: `(U, 3)` mm, before.
        vertices: `(U, 3)` mm, after.
        triangles: `(T, 3)` int32.
        colours: `(U, 3)` in [0, 1]: the picture's, and the model's where it does not show them.
        photometric: `(2,)` E_photo (20) before and after, mean RGB distance.
        energies: `(1 + steps,)` E_ref (19).
    """

    coarse: np.ndarray
    vertices: np.ndarray
    triangles: np.ndarray
    colours: np.ndarray
    photometric: np.ndarray
    energies: np.ndarray


class ShadingEnergy:
    """E_ref of eq. (19) to (22), of displacements `[U, 3]` in mm.

    Args:
        triangles: `(T, 3)`.
        count: U.
        focal_length: In sides of the picture.
        weights: Of the terms.
    """

    def __init__(
        self, triangles: np.ndarray, count: int, focal_length: float, weights: RefinementWeights
    ) -> None:
        self.count, self.focal_length, self.weights = count, focal_length, weights
        self.topology = MeshTopology(triangles, count)
        sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1).reshape(-1, 2)
        self.edges = np.unique(sides, axis=0)

    def __call__(self, moved: tf.Tensor, visible: tf.Tensor, scene: Scene) -> tf.Tensor:
        terms = self.terms(moved, visible, scene)
        weighted = self.weights.gradient * terms["gradient"]
        return terms["photometric"] + weighted + self.weights.regularizer * terms["regularizer"]

    def terms(self, moved: tf.Tensor, visible: tf.Tensor, scene: Scene) -> dict[str, tf.Tensor]:
        """`photometric` (20), reweighted as in section 9.1, `gradient` (21) and `regularizer` (22).

        Args:
            moved: `[U, 3]` mm.
            visible: `[U]` of 0 and 1, see `visible`.
            scene: The face.
        """
        total = tf.maximum(tf.reduce_sum(visible), 1.0)
        colours, observed = self.compare(moved, scene)
        difference = observed - colours
        squared = tf.reduce_sum(tf.square(difference), axis=-1)
        last = tf.stop_gradient(tf.sqrt(tf.maximum(squared, FLOOR**2)))
        photometric = tf.reduce_sum(visible * 0.5 * (squared / last + last)) / total
        both = tf.reduce_prod(tf.gather(visible, self.edges), axis=-1)
        along = tf.reduce_sum(tf.square(self._along_edges(difference)), axis=-1)
        gradient = 2 * tf.reduce_sum(both * along) / total  # each edge, from both of its ends
        apart = self._along_edges(moved)
        first, second = (
            tf.math.unsorted_segment_sum(apart, self.edges[:, end], self.count) for end in (0, 1)
        )
        regularizer = tf.reduce_sum(tf.square(first - second)) / self.count
        return {"photometric": photometric, "gradient": gradient, "regularizer": regularizer}

    def distance(self, moved: tf.Tensor, visible: tf.Tensor, scene: Scene) -> tf.Tensor:
        """E_photo (20) as it is written there, without a floor."""
        colours, observed = self.compare(moved, scene)
        apart = tf.norm(observed - colours, axis=-1)
        return tf.reduce_sum(visible * apart) / tf.maximum(tf.reduce_sum(visible), 1.0)

    def visible(self, scene: Scene) -> tf.Tensor:
        """`[U]`, 1 where a vertex faces the camera and lies in the picture, before refinement."""
        points, normals = self._place(tf.zeros_like(scene.coarse), scene)
        side = tf.shape(scene.image)[0]
        seen = front_facing(normals, points) & inside_image(
            self._project(points, scene), side, side
        )
        return tf.cast(seen[0], scene.coarse.dtype)

    def compare(self, moved: tf.Tensor, scene: Scene) -> tuple[tf.Tensor, tf.Tensor]:
        """Colours `[U, 3]` of the vertices, and those of the picture at their places."""
        points, normals = self._place(moved, scene)
        colours = scene.albedo * sh_shading(normals, scene.light[None])[0]
        return colours, sample_bilinear(scene.image[None], self._project(points, scene))[0]

    def _along_edges(self, values: tf.Tensor) -> tf.Tensor:
        ends = tf.gather(values, self.edges)
        return ends[:, 0] - ends[:, 1]

    def _place(self, moved: tf.Tensor, scene: Scene) -> tuple[tf.Tensor, tf.Tensor]:
        """Points and normals `[1, U, 3]` in camera space."""
        vertices, rotation = (scene.coarse + moved)[None], scene.rotation[None]
        normals = rotate(vertex_normals(vertices, self.topology), rotation)
        return to_camera_space(vertices, rotation, scene.translation[None]), normals

    def _project(self, points: tf.Tensor, scene: Scene) -> tf.Tensor:
        side = tf.cast(tf.shape(scene.image)[0], points.dtype)
        return perspective_projection(points, self.focal_length * side, (side / 2, side / 2))


class ShadingRefinement:
    """Minimises `ShadingEnergy` by gradient descent, with Adam's step sizes.

    Args:
        face: The face model.
        weights: Of the terms.
        spacing: Of the grid, mm.
        steps: Of the descent.
    """

    def __init__(
        self,
        face: LinearFace,
        weights: RefinementWeights | None = None,
        spacing: float = SPACING,
        steps: int = STEPS,
    ) -> None:
        self.face, self.steps = face, steps
        expression = face.geometry[..., face.layout.parts["identity"].size :]
        open_face = with_open_mouth(face.mean, expression, face.landmarks)
        eyes = open_face[face.landmarks[36:48]]
        self.grid = uniform_grid(open_face, face.triangles, face.compared, eyes, spacing)
        count = self.grid.weights.shape[0]
        self.energy = ShadingEnergy(
            self.grid.triangles, count, face.focal_length, weights or RefinementWeights()
        )
        self.moved = tf.Variable(tf.zeros([count, 3]))
        self.optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
        self.optimizer.build([self.moved])
        self._step = tf.function(self._descend, reduce_retracing=True)

    def __call__(self, parts: Mapping[str, np.ndarray], image: np.ndarray) -> RefinedSurface:
        """Refines one face.

        Args:
            parts: Of its code, `(1, ...)`.
            image: `(S, S, 3)` its crop, in [0, 1].
        """
        scene = self._scene(parts, image)
        visible = self.energy.visible(scene)
        for variable in (self.moved, *self.optimizer.variables):
            variable.assign(tf.zeros_like(variable))
        photometric = [self.energy.distance(self.moved, visible, scene)]
        energies = [self._step(visible, scene) for _ in range(self.steps)]
        energies.append(self.energy(self.moved, visible, scene))
        photometric.append(self.energy.distance(self.moved, visible, scene))
        colours, observed = self.energy.compare(self.moved, scene)
        shown = tf.where(visible[:, None] > 0, observed, colours)
        return RefinedSurface(
            scene.coarse.numpy(),
            (scene.coarse + self.moved).numpy(),
            self.grid.triangles,
            np.clip(shown, 0, 1),
            np.array(photometric),
            np.array(energies),
        )

    def error(self, parts: Mapping[str, np.ndarray], image: np.ndarray) -> float:
        """E_photo (20) of one face on the grid, without displacements."""
        scene = self._scene(parts, image)
        visible = self.energy.visible(scene)
        return float(self.energy.distance(tf.zeros_like(scene.coarse), visible, scene))

    def _scene(self, parts: Mapping[str, np.ndarray], image: np.ndarray) -> Scene:
        face, carry = self.face, self.grid.carry
        code = np.concatenate([parts["identity"], parts["expression"]], axis=1)[0]
        values = {
            "coarse": carry(face.mean + face.geometry @ code),
            "albedo": carry(face.albedo_mean + face.albedo @ parts["albedo"][0]),
            "rotation": rotation_matrix(tf.constant(parts["rotation"], tf.float32))[0],
            "translation": parts["translation"][0],
            "light": np.reshape(parts["illumination"], (9, 3)),
            "image": image,
        }
        return Scene(**{name: tf.cast(value, tf.float32) for name, value in values.items()})

    def _descend(self, visible: tf.Tensor, scene: Scene) -> tf.Tensor:
        """One step; the energy before it."""
        with tf.GradientTape() as tape:
            value = self.energy(self.moved, visible, scene)
        self.optimizer.apply_gradients([(tape.gradient(value, self.moved), self.moved)])
        return value
