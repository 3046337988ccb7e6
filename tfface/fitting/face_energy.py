"""The energy of MoFA as a sum of squares, with its Jacobian in closed form.

High-fidelity MoFA (Tewari et al. 2018), eq. (7) to (12). The photometric term (8) is reweighted as
in (11), but as the bound r^2 / (2 C) + C / 2 with C = |r| of the last pass, which has the value and
the gradient of (8); below `FLOOR` C stays at it, for noise of the camera must not weigh most. The
weights are those of configs/mofa.yaml by default, as the units of the paper's are not known, but
for that of landmarks: they are found in one picture here, with errors that training averages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfface.fitting.linear_face import LinearFace
from tfface.fitting.normal_modes import NormalModes, Spokes
from tfface.rendering.cameras import (
    perspective_projection,
    perspective_slopes,
    rotate,
    to_camera_space,
)
from tfface.rendering.contour import contour_landmarks
from tfface.rendering.normals import MeshTopology, vertex_normals_at
from tfface.rendering.rotations import axis_angle, cross_product_matrix, rotation_matrix
from tfface.rendering.sampling import bilinear_slopes, inside_image, sample_bilinear
from tfface.rendering.spherical_harmonics import sh_basis, sh_basis_gradient
from tfface.rendering.visibility import front_facing

FLOOR = 0.01  # least C_i, RGB distance


@dataclass(frozen=True)
class EnergyWeights:
    """Of the terms of eq. (7) and (10).

    Attributes:
        photometric: w_photo, of the mean RGB distance of the visible vertices.
        landmark: w_land, of the sum of squared distances in sides of the crop. As much as one sigma
            counts an error of sqrt(regularizer / landmark): 2.4 px of 240.
        regularizer: w_reg, of the squared sigmas.
        albedo: w_beta, times w_reg.
        expression: w_delta, times w_reg.
    """

    photometric: float = 4.0
    landmark: float = 5.0
    regularizer: float = 5e-4
    albedo: float = 0.5
    expression: float = 1.0


@dataclass(frozen=True, eq=False)
class Pictures:
    """What is explained: B crops and the landmarks found in them.

    Attributes:
        images: `[B, S, S, 3]` in [0, 1].
        landmarks: `[B, 68, 2]` pixels of the crop.
        confidence: `[B, 68]` in [0, 1]; zeros where landmarks are not to count.
    """

    images: tf.Tensor
    landmarks: tf.Tensor
    confidence: tf.Tensor

    @property
    def side(self) -> int:
        """S."""
        return int(self.images.shape[1])


@dataclass(frozen=True, eq=False)
class _Faces:
    """The faces of codes, and of the compared vertices what the picture shows.

    Attributes:
        parts: Of the codes.
        rotation: `[B, 3, 3]`.
        points: `[B, V, 3]` the vertices in camera space.
        sums: `[B, N, 3]` of the face normals around the compared vertices, in model space.
        spokes: See `NormalModes`.
        landmarks: `[B, 68]` their vertices; the jaw's follow the outline.
        seen, normals: `[B, N, 3]` compared vertices in camera space.
        pixels: `[B, N, 2]`.
        albedo, shading: `[B, N, 3]`.
        basis: `[B, N, 9]` functions of the light.
        residuals: `[B, N, 3]`, I(u_i) - c_i.
        shares: `[B, N]` of the vertices in the mean over the visible ones.
        weights: `[B, N]` of their squares, w_photo / (2 C_i |V|), and of the C_i / 2.
        last: `[B, N]`, C_i of eq. (11).
    """

    parts: Mapping[str, tf.Tensor]
    rotation: tf.Tensor
    points: tf.Tensor
    sums: tf.Tensor
    spokes: list[Spokes]
    landmarks: tf.Tensor
    seen: tf.Tensor
    normals: tf.Tensor
    pixels: tf.Tensor
    albedo: tf.Tensor
    shading: tf.Tensor
    basis: tf.Tensor
    residuals: tf.Tensor
    shares: tf.Tensor
    weights: tf.Tensor
    last: tf.Tensor


class FaceEnergy:
    """E_loss of eq. (7) for codes of a linear face, and its linearisation.

    Args:
        face: The face model.
        weights: Of the terms.
        vertices: `(N,)` those compared (section 7 samples them); all that count if None.
        dtype: Of all computations.
    """

    def __init__(
        self,
        face: LinearFace,
        weights: EnergyWeights | None = None,
        vertices: np.ndarray | None = None,
        dtype: tf.DType = tf.float32,
    ) -> None:
        self.face, self.layout, self.dtype = face, face.layout, dtype
        self.weights = weights or EnergyWeights()
        self.topology = MeshTopology(face.triangles, len(face.mean))
        if vertices is None:
            vertices = np.flatnonzero(face.compared > 0.5)
        self.modes = NormalModes(face.geometry, self.topology, np.asarray(vertices), dtype)
        compared = self.modes.vertices
        self.mean, self.geometry = self._constant(face.mean), self._constant(face.geometry)
        self.albedo_mean = self._constant(face.albedo_mean[compared])
        self.albedo = self._constant(face.albedo[compared])
        self.compared = self._constant(face.compared[compared])
        prior = np.zeros(self.layout.size)
        own = self.weights
        factors = {"identity": 1.0, "albedo": own.albedo, "expression": own.expression}
        for name, factor in factors.items():
            prior[self.layout.parts[name].slice] = own.regularizer * factor
        self.prior = self._constant(prior)

    def value(
        self, code: tf.Tensor, pictures: Pictures, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """E_loss of codes `[B, D]`, `[B]`.

        Args:
            code: The codes.
            pictures: What they are to explain.
            shares: `[B, N]` of the vertices in the mean, if not those that are visible now.
        """
        faces = self._see(code, pictures, shares)
        rows = self._residuals(code, faces, pictures)
        return tf.reduce_sum(tf.square(rows), axis=-1) + _constant_part(faces)

    def residuals(self, code: tf.Tensor, pictures: Pictures) -> tf.Tensor:
        """F of eq. (12), `[B, 3 N + 136 + D]`, weighted; C_i and visibility pass no gradient."""
        return self._residuals(code, self._see(code, pictures), pictures)

    def linearize(
        self, code: tf.Tensor, pictures: Pictures
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """The quadratic model E + 2 g s + s H s of the energy for steps s `[B, D]` of `move`.

        Returns:
            E `[B]`, g = J^T F `[B, D]` and H = J^T J `[B, D, D]` of eq. (17), and the shares of the
            vertices in the mean, `[B, N]`, zero of those that are not visible.
        """
        faces = self._see(code, pictures)
        values = self._residuals(code, faces, pictures)
        energy = tf.reduce_sum(tf.square(values), axis=-1) + _constant_part(faces)
        size = [tf.shape(code)[0], -1, self.layout.size]
        root = tf.sqrt(faces.weights)[..., None, None]
        photometric = tf.reshape(root * self._by_code(faces, pictures), size)
        root = tf.sqrt(self.weights.landmark * pictures.confidence)[..., None, None]
        landmark = tf.reshape(root * self._landmarks_by_code(faces, pictures), size)
        rows = tf.concat([photometric, landmark], axis=1)
        count = values.shape[1] - self.layout.size  # then come those of the prior, a diagonal
        gradient = tf.linalg.matvec(rows, values[:, :count], transpose_a=True) + self.prior * code
        hessian = tf.matmul(rows, rows, transpose_a=True) + tf.linalg.diag(self.prior)
        return energy, gradient, hessian, faces.shares

    def move(self, code: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Codes after steps, both `[B, D]`; rotations turn further, R' = exp([w]x) R."""
        before, by = self.layout.split(code), self.layout.split(step)
        after = {name: before[name] + by[name] for name in before}
        turn = tf.matmul(rotation_matrix(by["rotation"]), rotation_matrix(before["rotation"]))
        return self.layout.join({**after, "rotation": axis_angle(turn)})

    def _constant(self, values: np.ndarray) -> tf.Tensor:
        return tf.constant(values, self.dtype)

    def _see(self, code: tf.Tensor, pictures: Pictures, shares: tf.Tensor | None = None) -> _Faces:
        parts = self.layout.split(code)
        shape = tf.concat([parts["identity"], parts["expression"]], axis=-1)
        flat = tf.reshape(self.geometry, [-1, shape.shape[-1]])
        moved = tf.reshape(tf.matmul(shape, flat, transpose_b=True), [-1, *self.mean.shape])
        vertices, rotation = self.mean + moved, rotation_matrix(parts["rotation"])
        points = to_camera_space(vertices, rotation, parts["translation"])
        seen = tf.gather(points, self.modes.vertices, axis=1)
        sums, spokes = self.modes.see(vertices)
        normals = rotate(tf.math.l2_normalize(sums, axis=-1), rotation)
        pixels = self._project(seen, pictures)
        albedo = self.albedo_mean + tf.einsum("ncd,bd->bnc", self.albedo, parts["albedo"])
        basis = sh_basis(normals)
        shading = tf.matmul(basis, parts["illumination"])
        residuals = sample_bilinear(pictures.images, pixels) - albedo * shading
        if shares is None:
            visible = front_facing(normals, seen)
            visible &= inside_image(pixels, pictures.side, pictures.side)
            counted = self.compared * tf.cast(visible, self.dtype)
            shares = tf.math.divide_no_nan(counted, tf.reduce_sum(counted, axis=-1, keepdims=True))
        squared = tf.reduce_sum(tf.square(residuals), axis=-1)
        last = tf.stop_gradient(tf.sqrt(tf.maximum(squared, FLOOR**2)))
        return _Faces(
            parts, rotation, points, sums, spokes,
            self._landmarks(vertices, points, rotation), seen, normals, pixels, albedo,
            shading, basis, residuals, shares, self.weights.photometric * shares / (2 * last), last,
        )  # fmt: skip

    def _residuals(self, code: tf.Tensor, faces: _Faces, pictures: Pictures) -> tf.Tensor:
        photometric = tf.sqrt(faces.weights)[..., None] * faces.residuals
        chosen = tf.gather(faces.points, faces.landmarks, axis=1, batch_dims=1)
        offsets = (self._project(chosen, pictures) - pictures.landmarks) / pictures.side
        landmark = tf.sqrt(self.weights.landmark * pictures.confidence)[..., None] * offsets
        rows = [
            tf.reshape(term, [-1, term.shape[1] * term.shape[2]])
            for term in (photometric, landmark)
        ]
        return tf.concat([*rows, tf.sqrt(self.prior) * code], axis=1)

    def _landmarks(self, vertices: tf.Tensor, points: tf.Tensor, rotation: tf.Tensor) -> tf.Tensor:
        every = np.unique(np.concatenate([self.face.landmarks, self.face.contour.ravel()]))
        normals = rotate(vertex_normals_at(vertices, every, self.topology), rotation)
        own, contour = (
            np.searchsorted(every, table) for table in (self.face.landmarks, self.face.contour)
        )
        local = contour_landmarks(tf.gather(points, every, axis=1), normals, own, contour)
        return tf.gather(tf.constant(every, tf.int32), local)

    def _project(self, points: tf.Tensor, pictures: Pictures) -> tf.Tensor:
        side = pictures.side
        return perspective_projection(points, self.face.focal_length * side, (side / 2, side / 2))

    def _projection_slopes(self, points: tf.Tensor, pictures: Pictures) -> tf.Tensor:
        """du / dp, `[B, N, 2, 3]`."""
        return perspective_slopes(points, self.face.focal_length * pictures.side)

    def _by_code(self, faces: _Faces, pictures: Pictures) -> tf.Tensor:
        """d(I(u_i) - c_i) / d(code), `[B, N, 3, D]`."""
        slopes = bilinear_slopes(pictures.images, faces.pixels)
        by_point = tf.matmul(slopes, self._projection_slopes(faces.seen, pictures))
        light = tf.einsum(
            "bnkd,bkc->bncd", sh_basis_gradient(faces.normals), faces.parts["illumination"]
        )
        by_normal = -faces.albedo[..., None] * light
        turn, length = faces.rotation[:, None], tf.norm(faces.sums, axis=-1)[..., None, None]
        own = tf.math.l2_normalize(faces.sums, axis=-1)
        across = tf.eye(3, dtype=self.dtype) - own[..., None] * own[..., None, :]
        by_sum = tf.math.divide_no_nan(tf.matmul(by_normal, tf.matmul(turn, across)), length)
        turned = faces.seen - faces.parts["translation"][:, None]  # R x
        return tf.concat(
            [
                self.modes.jacobian(by_sum, tf.matmul(by_point, turn), faces.spokes),
                -faces.shading[..., None] * self.albedo,
                -tf.matmul(by_normal, cross_product_matrix(faces.normals))
                - tf.matmul(by_point, cross_product_matrix(turned)),
                by_point,
                _by_light(faces),
            ],
            axis=-1,
        )

    def _landmarks_by_code(self, faces: _Faces, pictures: Pictures) -> tf.Tensor:
        """d(offset) / d(code), `[B, 68, 2, D]`."""
        points = tf.gather(faces.points, faces.landmarks, axis=1, batch_dims=1)
        slopes = self._projection_slopes(points, pictures) / pictures.side
        moved = tf.matmul(faces.rotation[:, None], tf.gather(self.geometry, faces.landmarks))
        turned = -cross_product_matrix(points - faces.parts["translation"][:, None])
        without = {
            name: tf.zeros([*slopes.shape[1:3], self.layout.parts[name].size], self.dtype)
            for name in ("albedo", "illumination")
        }
        count = tf.shape(slopes)[0]
        nothing = {name: tf.repeat(zero[None], count, axis=0) for name, zero in without.items()}
        by_shape = tf.matmul(slopes, moved), nothing["albedo"]
        by_pose = tf.matmul(slopes, turned), slopes
        return tf.concat([*by_shape, *by_pose, nothing["illumination"]], axis=-1)


def _by_light(faces: _Faces) -> tf.Tensor:
    """d(I(u_i) - c_i) / d(illumination), `[B, N, 3, 27]`: each channel has its own light."""
    product = -faces.basis[:, :, None, :, None] * tf.linalg.diag(faces.albedo)[:, :, :, None]
    return tf.reshape(product, tf.concat([tf.shape(faces.albedo), [27]], axis=0))


def _constant_part(faces: _Faces) -> tf.Tensor:
    """The sum of the C_i / 2."""
    return tf.reduce_sum(faces.weights * tf.square(faces.last), axis=-1)
