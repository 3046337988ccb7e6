"""Pose and expression of a known face, fitted to the landmarks of a picture.

Genova et al. 2018, appendix A.1: their network gives a neutral face without a pose; gradient
descent on the distances of the landmarks finds both.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfface.rendering.cameras import perspective_projection, rotate, to_camera_space
from tfface.rendering.contour import contour_landmarks
from tfface.rendering.rotations import rotation_matrix

STEPS, LEARNING_RATE = 200, 0.05
PRIOR = 2e-4  # of squared sigmas of expression, beside squared distances in face sizes
_UNIT = 50.0  # mm that weigh as much as a radian or a sigma


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """The vertices that landmarks may lie on, of B faces: neutral ones, and how they move.

    Attributes:
        neutral: `[B, P, 3]` mm, model space.
        normals: `[B, P, 3]` unit normals there.
        expression: `[B, P, 3, E]` mm per sigma.
        landmarks: `[68]` which of the P points are landmarks of a frontal face.
        contour: `[17, C]` candidates of the jaw landmarks.
    """

    neutral: tf.Tensor
    normals: tf.Tensor
    expression: tf.Tensor
    landmarks: tf.Tensor
    contour: tf.Tensor


@dataclass(frozen=True, eq=False)
class LandmarkFit:
    """Pose and expression of B faces.

    Attributes:
        rotation: `(B, 3)` axis-angle, radians.
        translation: `(B, 3)` mm, camera space.
        expression: `(B, E)` sigmas.
        errors: `(B,)` mean distance of the landmarks, pixels.
    """

    rotation: np.ndarray
    translation: np.ndarray
    expression: np.ndarray
    errors: np.ndarray


def fit_landmarks(
    model: LandmarkModel,
    landmarks: np.ndarray,
    focal_length: float,
    principal_point: tuple[float, float],
    steps: int = STEPS,
) -> LandmarkFit:
    """Fits faces to landmarks by gradient descent (Adam), all faces of the batch at once.

    Args:
        model: The faces.
        landmarks: `(B, 68, 2)` iBUG points, pixels.
        focal_length: Of the camera, pixels.
        principal_point: Pixels.
        steps: Of the descent; the pose alone takes the first third.

    Raises:
        ValueError: the landmarks are of another shape, not finite, or all in one place.
    """
    target = np.asarray(landmarks, np.float32)
    count = model.neutral.shape[0]
    if target.shape != (count, 68, 2) or not np.isfinite(target).all():
        raise ValueError(f"landmarks: expected {(count, 68, 2)} finite numbers, got {target.shape}")
    size = target.std(axis=1).max(axis=-1)  # pixels: the unit of distances
    if not size.all():
        raise ValueError("landmarks: expected 68 points spread over a face, got a single place")
    depth = _depth(model, size, focal_length)
    centre = (target.mean(axis=1) - np.asarray(principal_point)) * [1.0, -1.0]
    start = np.concatenate([centre * depth[:, None] / focal_length, -depth[:, None]], axis=-1)
    rotation = tf.Variable(tf.zeros([count, 3]))
    translation = tf.Variable(tf.constant(start / _UNIT, tf.float32))
    expression = tf.Variable(tf.zeros([count, model.expression.shape[-1]]))
    unknown = [rotation, translation, expression]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    optimizer.build(unknown)
    units = tf.constant(size)[:, None]

    def distances() -> tf.Tensor:
        moved = tf.einsum("bpce,be->bpc", model.expression, expression)
        turn = rotation_matrix(tf.convert_to_tensor(rotation))
        points = to_camera_space(model.neutral + moved, turn, _UNIT * translation)
        normals = rotate(model.normals, turn)
        chosen = contour_landmarks(points, normals, model.landmarks, model.contour)
        points = tf.gather(points, chosen, axis=1, batch_dims=1)
        pixels = perspective_projection(points, focal_length, principal_point)
        return tf.norm(pixels - target + 1e-6, axis=-1)

    @tf.function
    def step(moves: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(distances() / units)) / 68
            loss += PRIOR * tf.reduce_sum(tf.square(expression))
        gradients = tape.gradient(loss, unknown)
        gradients[2] *= moves
        optimizer.apply_gradients(zip(gradients, unknown, strict=True))

    for number in range(steps):
        step(tf.constant(float(number >= steps // 3)))
    return LandmarkFit(
        rotation.numpy(),
        _UNIT * translation.numpy(),
        expression.numpy(),
        tf.reduce_mean(distances(), axis=-1).numpy(),
    )


def _depth(model: LandmarkModel, size: np.ndarray, focal_length: float) -> np.ndarray:
    """The distance `(B,)` at which a frontal face would have that size, mm."""
    points = tf.gather(model.neutral, model.landmarks, axis=1).numpy()[..., :2]
    return focal_length * points.std(axis=1).max(axis=-1) / size
