"""Faces as recognition networks want them: upright, centred, of one size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# Where dlib's face recognition puts five points of a face (iBUG numbers: the corners of both eyes,
# and the nose's base) in its chips with their usual margin, in sides of the chip.
CHIP_LANDMARKS = (45, 42, 36, 39, 33)
CHIP_RULE = "similarity to dlib's five points, margin 0.25"  # for manifests
_MARGIN = 0.25
_POINTS = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
CHIP_POINTS = ((np.array(_POINTS) + _MARGIN) / (1 + 2 * _MARGIN)).astype(np.float32)


def similarity(points: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The turn, scale and shift that bring points nearest to targets (least squares).

    Args:
        points: `[B, N, 2]`, not all in one place.
        targets: `[N, 2]` or `[B, N, 2]`.

    Returns:
        `[B, 2, 3]`: p -> A[:, :2] p + A[:, 2]. A face is never mirrored.
    """
    middle = tf.reduce_mean(points, axis=1, keepdims=True)
    target = tf.reduce_mean(targets, axis=-2, keepdims=True)
    offsets, wanted = points - middle, targets - target
    square = tf.reduce_sum(tf.square(offsets), axis=[1, 2])
    along = tf.reduce_sum(offsets * wanted, axis=[1, 2]) / square
    x, y = offsets[..., 0], offsets[..., 1]
    across = tf.reduce_sum(x * wanted[..., 1] - y * wanted[..., 0], axis=1) / square
    turn = tf.stack([tf.stack([along, -across], -1), tf.stack([across, along], -1)], axis=1)
    shift = tf.reshape(target, [-1, 2]) - tf.linalg.matvec(turn, middle[:, 0])
    return tf.concat([turn, shift[..., None]], axis=-1)


def chip_similarity(landmarks: tf.Tensor) -> tf.Tensor:
    """The similarity `[B, 2, 3]` from pixels to the aligned chip, in sides of the chip.

    Args:
        landmarks: `[B, 68, 2]` iBUG points.
    """
    return similarity(tf.gather(landmarks, CHIP_LANDMARKS, axis=1), tf.constant(CHIP_POINTS))


def align_to_chip(points: tf.Tensor, landmarks: tf.Tensor, focal_length: float) -> tf.Tensor:
    """Moves faces so that a camera sees them as chips, without resampling any picture.

    The similarity of the picture is a linear map of camera space that keeps depths: it turns and
    scales x and y, and shears them along z.

    Args:
        points: `[B, V, 3]` camera space.
        landmarks: `[B, 68, 3]` likewise.
        focal_length: Of the camera, in sides of the chip; it looks at the chip's middle.
    """
    near = tf.gather(landmarks, CHIP_LANDMARKS, axis=1)
    # Pictures' y goes down; the origin is the middle of the picture here.
    seen = focal_length * near[..., :2] * [1.0, -1.0] / -near[..., 2:]
    moved = similarity(seen, tf.constant(CHIP_POINTS - 0.5))
    turn, shift = moved[..., :2], moved[..., 2]
    flip = tf.constant([[1.0, -1.0], [-1.0, 1.0]])
    xy = tf.einsum("bij,bvj->bvi", turn * flip, points[..., :2])
    xy -= points[..., 2:] / focal_length * (shift * [1.0, -1.0])[:, None]
    return tf.concat([xy, points[..., 2:]], axis=-1)
