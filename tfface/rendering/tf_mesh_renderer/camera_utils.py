"""4x4 camera matrices, as in google/tf_mesh_renderer."""

from __future__ import annotations

import math

import tensorflow as tf

from tfface.rendering.checking import checked

_DEGENERATE = 1e-6


def perspective(
    aspect_ratio: float, fov_y: tf.Tensor, near_clip: tf.Tensor, far_clip: tf.Tensor
) -> tf.Tensor:
    """Projections from right-handed eye space to clip space, as of gluPerspective.

    Args:
        aspect_ratio: width / height of the picture.
        fov_y: `[B]` vertical fields of view in degrees.
        near_clip: `[B]` distances of the near plane.
        far_clip: `[B]` distances of the far plane.

    Returns:
        `[B, 4, 4]` float32.
    """
    fov_y, near, far = (tf.convert_to_tensor(v, tf.float32) for v in (fov_y, near_clip, far_clip))
    focal = 1.0 / tf.tan(fov_y * (math.pi / 360.0))
    zero, depth = tf.zeros_like(focal), far - near
    rows = (
        (focal / aspect_ratio, zero, zero, zero),
        (zero, focal, zero, zero),
        (zero, zero, -(far + near) / depth, -2.0 * far * near / depth),
        (zero, zero, zero - 1.0, zero),
    )
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=1)


def look_at(eye: tf.Tensor, center: tf.Tensor, world_up: tf.Tensor) -> tf.Tensor:
    """Matrices from world space to eye space, as of gluLookAt.

    Args:
        eye: `[B, 3]` positions of the camera.
        center: `[B, 3]` points that it looks at.
        world_up: `[B, 3]` directions that are upright in the picture.

    Returns:
        `[B, 4, 4]` float32.

    Raises:
        tf.errors.InvalidArgumentError: eye and center coincide, or the gaze runs along world_up.
    """
    eye, center, up = (tf.convert_to_tensor(v, tf.float32) for v in (eye, center, world_up))
    forward = _direction(center - eye, "eye and center are close")
    side = _direction(tf.linalg.cross(forward, up), "up and gaze are close or up is zero")
    rotation = tf.stack([side, tf.linalg.cross(side, forward), -forward], axis=1)
    translation = -tf.matmul(rotation, eye[..., None])
    last = tf.constant([[[0.0, 0.0, 0.0, 1.0]]]) + tf.zeros_like(translation[:, :1])
    return tf.concat([tf.concat([rotation, translation], axis=2), last], axis=1)


def euler_matrices(angles: tf.Tensor) -> tf.Tensor:
    """Rotations by angles about the fixed x, then y, then z axis.

    Args:
        angles: `[B, 3]` radians.

    Returns:
        `[B, 4, 4]` float32.
    """
    angles = tf.convert_to_tensor(angles, tf.float32)
    (sx, sy, sz), (cx, cy, cz) = (tf.unstack(f(angles), axis=-1) for f in (tf.sin, tf.cos))
    zero, one = tf.zeros_like(sx), tf.ones_like(sx)
    rows = (
        (cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx, zero),
        (sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx, zero),
        (-sy, cy * sx, cy * cx, zero),
        (zero, zero, zero, one),
    )
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=1)


def transform_homogeneous(matrices: tf.Tensor, vertices: tf.Tensor) -> tf.Tensor:
    """Multiplies points by matrices, with w = 1.

    Args:
        matrices: `[B, 4, 4]`.
        vertices: `[B, N, 3]`.

    Returns:
        `[B, N, 4]` homogeneous points.

    Raises:
        ValueError: if either has another shape.
    """
    matrices = checked(matrices, "matrices", ("B", 4, 4))
    vertices = checked(vertices, "vertices", ("B", "N", 3), like=matrices)
    homogeneous = tf.concat([vertices, tf.ones_like(vertices[..., :1])], axis=-1)
    return tf.matmul(homogeneous, matrices, transpose_b=True)


def _direction(vector: tf.Tensor, reason: str) -> tf.Tensor:
    length = tf.norm(vector, axis=1, keepdims=True)
    message = f"Camera matrix is degenerate because {reason}."
    with tf.control_dependencies([tf.debugging.assert_greater(length, _DEGENERATE, message)]):
        return vector / length
