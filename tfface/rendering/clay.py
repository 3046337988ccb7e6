"""Grey clay under fixed lamps, which shows geometry best."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_COLOUR = np.array([0.74, 0.74, 0.76], np.float32)
_LAMP, _FILL = np.array([-0.45, 0.55, 0.70]), np.array([0.65, 0.05, 0.55])


def clay_colours(normals_camera: tf.Tensor) -> tf.Tensor:
    """Colours `[..., 3]` in [0, 1] of camera-space unit normals `[..., 3]`.

    A lamp stands at the upper left and a weaker one at the right.
    """
    lamp, fill = (
        tf.nn.relu(tf.linalg.matvec(normals_camera, tf.constant(light, normals_camera.dtype)))
        for light in (_LAMP / np.linalg.norm(_LAMP), _FILL / np.linalg.norm(_FILL))
    )
    shade = 0.18 + 0.72 * tf.minimum(lamp, 1.0) + 0.22 * tf.minimum(fill, 1.0)
    return tf.clip_by_value(shade[..., None] * tf.cast(_COLOUR, normals_camera.dtype), 0.0, 1.0)
