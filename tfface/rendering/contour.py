"""Jaw landmarks that follow the visible contour when the head turns.

Annotators and detectors put the 17 jaw landmarks on the outline that is seen. When a cheek turns
away its outline moves over the face towards the nose, so each jaw landmark has candidate vertices
along a line across the cheek (FML's sliding correspondences) and one is chosen for every pose.
"""

from __future__ import annotations

import tensorflow as tf

JAW_LANDMARKS = 17


def contour_landmarks(
    vertices_camera: tf.Tensor, normals_camera: tf.Tensor, landmarks: tf.Tensor, contour: tf.Tensor
) -> tf.Tensor:
    """Chooses the vertex of each of the 68 landmarks for the pose at hand.

    A jaw landmark that faces the camera is where it is on a frontal face. One that faces away is
    hidden: the outline is then where its row starts to face the camera. Normals are smoothed along
    the jaw, as those of single vertices beside the ears point anywhere.

    The choice is an index: constant in a training step, without a gradient of its own.

    Args:
        vertices_camera: `[B, V, 3]` camera-space vertices, mm.
        normals_camera: `[B, V, 3]` unit normals in camera space.
        landmarks: `[68]` int32 vertices of the landmarks on a frontal face.
        contour: `[17, C]` int32 candidates of the first 17 landmarks, each row from the frontal
            outline (or from behind it) over the cheek towards the nose.

    Returns:
        `[B, 68]` int32 vertex numbers; take positions with `tf.gather(..., batch_dims=1)`.

    Raises:
        ValueError: if the contour does not have 17 rows.
    """
    landmarks = tf.convert_to_tensor(landmarks, tf.int32)
    contour = tf.convert_to_tensor(contour, tf.int32)
    if contour.shape[0] != JAW_LANDMARKS:
        raise ValueError(f"contour: expected shape [17, C], got {contour.shape}")
    rows = tf.concat([landmarks[:JAW_LANDMARKS, None], contour], axis=1)  # (17, 1 + C)
    points = tf.gather(tf.stop_gradient(vertices_camera), rows, axis=1)  # (B, 17, 1 + C, 3)
    normals = _smooth_along_jaw(tf.gather(tf.stop_gradient(normals_camera), rows, axis=1))
    facing = tf.reduce_sum(normals * points, axis=-1) <= 0
    # argmax finds the first True; the last candidate counts as one, so that there always is.
    facing = tf.concat([facing[..., :-1], tf.ones_like(facing[..., -1:])], axis=-1)
    # In float32: an argmax of whole numbers has no GPU kernel.
    first = tf.argmax(tf.cast(facing, tf.float32), axis=-1, output_type=tf.int32)  # (B, 17)
    chosen = tf.reduce_sum(rows * tf.one_hot(first, rows.shape[1], dtype=tf.int32), axis=-1)
    inner = tf.broadcast_to(
        landmarks[None, JAW_LANDMARKS:], [tf.shape(chosen)[0], landmarks.shape[0] - JAW_LANDMARKS]
    )
    return tf.concat([chosen, inner], axis=-1)


def _smooth_along_jaw(normals: tf.Tensor) -> tf.Tensor:
    """Averages `[B, 17, N, 3]` normals with their neighbours, weights 1, 2, 1; not unit length."""
    before = tf.concat([normals[:, :1], normals[:, :-1]], axis=1)
    after = tf.concat([normals[:, 1:], normals[:, -1:]], axis=1)
    return before + 2 * normals + after
