"""Glasses of drawn faces: two rims, a bridge and the beginnings of the arms, in the picture."""

from __future__ import annotations

import tensorflow as tf

from tfface.data.distributions import muted_colours

_EYES = (slice(36, 42), slice(42, 48))  # iBUG landmarks, as the nose's ends
_NOSE = (27, 33)


def draw_glasses(
    images: tf.Tensor, landmarks: tf.Tensor, share: float, seed: tf.Tensor
) -> tf.Tensor:
    """Puts glasses on some of the faces; deterministic in the seed.

    Args:
        images: `[B, S, S, 3]` in [0, 1].
        landmarks: `[B, 68, 2]` pixels.
        share: Probability that a face wears glasses; faces turned far away wear none.
        seed: `[2]` whole numbers.
    """
    count, size = images.shape[:2]
    seeds = tf.unstack(tf.random.split(seed, 2))
    draws = tf.random.stateless_uniform([9, count, 1, 1], seeds[0])
    width, height = 0.55 + 0.35 * draws[0], 0.35 + 0.25 * draws[1]
    rim, corners, drop = 0.015 + 0.07 * draws[2], 2.0 + 2.5 * draws[3], 0.15 * draws[4]
    # In the plane of the face: 1 is half the way between the eyes, and the length of the nose.
    right, left = (tf.reduce_mean(landmarks[:, eye], axis=1) for eye in _EYES)
    down = landmarks[:, _NOSE[1]] - landmarks[:, _NOSE[0]]
    axes = tf.stack([(left - right) / 2, down], axis=-1)
    area = axes[:, 0, 0] * axes[:, 1, 1] - axes[:, 0, 1] * axes[:, 1, 0]
    visible = tf.cast(area > 0.15 * tf.reduce_sum(down**2, axis=-1), tf.float32)
    axes = tf.where((visible > 0)[:, None, None], axes, tf.eye(2))
    ticks = tf.range(size, dtype=tf.float32) + 0.5
    pixels = tf.stack(tf.meshgrid(ticks, ticks), axis=-1)
    offsets = pixels - ((left + right) / 2)[:, None, None]
    x, y = tf.unstack(tf.einsum("bij,byxj->byxi", tf.linalg.inv(axes), offsets), axis=-1)
    across, y = tf.abs(x), y - drop
    soft = 1.0 / tf.norm(axes[:, :, 0], axis=-1)[:, None, None]  # one pixel

    def inside(depth: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(depth / soft + 0.5, 0.0, 1.0)

    powers = (tf.abs(across - 1.0) / width) ** corners + (tf.abs(y) / height) ** corners
    radius = tf.maximum(powers, 1e-6) ** (1 / corners)
    from_edge = (radius - 1.0) * tf.minimum(width, height)
    bridge_and_arms = inside(rim - tf.abs(y + 0.4 * height)) * inside(tf.abs(across - 1.0) - width)
    frame = tf.maximum(inside(rim - tf.abs(from_edge)), bridge_and_arms * inside(2.2 - across))
    worn = visible[:, None, None] * tf.cast(draws[5] < share, tf.float32)
    tint = 1.0 - 0.35 * draws[6] ** 3 * inside(-from_edge)
    glare = 0.5 * draws[7] ** 3 * inside(-from_edge) * inside(0.15 - tf.abs(x + y + draws[8] - 0.5))
    colours = muted_colours(tf.random.stateless_uniform([count, 1, 1, 4], seeds[1]))
    colours = 0.8 * colours**2  # mostly dark
    glass = images * tint[..., None] + glare[..., None] * (1.0 - images)
    glasses = glass + frame[..., None] * (colours - glass)
    return images + worn[..., None] * (glasses - images)
