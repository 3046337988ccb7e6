"""Where a face must stand for the crop rule to put it in the middle of the picture."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfface.data.crop import EYES, MOUTH, RISE, SIDE_PER_DEVIATION
from tfface.morphable.model import MorphableModel


def crop_boxes(landmarks: tf.Tensor) -> tf.Tensor:
    """The rule of `tfface.data.crop.crop_box` in TensorFlow, for landmarks of faces.

    Args:
        landmarks: `[B, 68, 2]` pixels.

    Returns:
        `[B, 4]` boxes `[x0, y0, x1, y1]`.
    """
    centred = landmarks - tf.reduce_mean(landmarks, axis=1, keepdims=True)
    x, y = tf.unstack(centred, axis=-1)
    xx, xy, yy = (tf.reduce_mean(product, axis=1) for product in (x * x, x * y, y * y))
    largest = (xx + yy) / 2 + tf.sqrt(tf.square((xx - yy) / 2) + tf.square(xy))  # eigenvalue
    side = SIDE_PER_DEVIATION * tf.sqrt(largest)[:, None]
    up = tf.reduce_mean(landmarks[:, EYES], 1) - tf.reduce_mean(landmarks[:, MOUTH], 1)
    up /= tf.norm(up, axis=-1, keepdims=True)
    frame = tf.stack([tf.stack([-up[:, 1], up[:, 0]], axis=-1), -up], axis=1)
    local = tf.matmul(landmarks, frame, transpose_b=True)
    middle = (tf.reduce_min(local, axis=1) + tf.reduce_max(local, axis=1)) / 2
    centre = tf.linalg.matvec(frame, middle, transpose_a=True) + RISE * side * up
    return tf.concat([centre - side / 2, centre + side / 2], axis=-1)


def centring_translation(model: MorphableModel, focal_length: float) -> np.ndarray:
    """The translation `(3,)`, in mm, at which the frontal mean face fills its own crop.

    Args:
        model: The face model.
        focal_length: In sides of the crop.
    """
    with tf.init_scope():
        landmarks = tf.constant(model.mean[model.landmarks], tf.float64)[None]
        translation = tf.constant([[0.0, 0.0, -1000.0]], tf.float64)
        for _ in range(10):  # perspective makes the rule nonlinear; eight rounds give a micrometre
            points = landmarks + translation[:, None]
            pixels = 0.5 + focal_length * points[..., :2] * [1.0, -1.0] / -points[..., 2:]
            translation = reframe(translation, crop_boxes(pixels), focal_length, 1.0)
        return translation[0].numpy()


def reframe(
    translation: tf.Tensor, boxes: tf.Tensor, focal_length: float, size: float
) -> tf.Tensor:
    """Moves faces so that their crop boxes become the whole picture, up to perspective.

    Args:
        translation: `[B, 3]` mm in camera space.
        boxes: `[B, 4]` crop boxes, in pixels of the picture.
        focal_length: In sides of the picture.
        size: Side of the picture, pixels.

    Returns:
        `[B, 3]` mm.
    """
    depth = -translation[:, 2:]
    offset = (boxes[:, :2] + boxes[:, 2:]) / (2 * size) - 0.5  # in sides of the picture
    moved = translation[:, :2] - offset * [1.0, -1.0] * (depth / focal_length)
    nearer = (boxes[:, 2:3] - boxes[:, :1]) / size
    return tf.concat([moved, -depth * nearer], axis=-1)
