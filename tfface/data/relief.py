"""Random relief for drawn faces: finer geometry than a morphable model has, lit like the face."""

from __future__ import annotations

import tensorflow as tf

from tfface.losses.shape_from_shading import height_normals
from tfface.rendering.spherical_harmonics import sh_shading

# Sides of the cells of noise, down and across, in hundredths of the picture: grooves of both
# directions, and bumps.
_CELLS = ((2.0, 8.0), (8.0, 2.0), (2.0, 2.0), (3.0, 12.0), (12.0, 3.0), (4.0, 4.0))
_SLOPE = 0.25  # of the strongest, about: height in widths of a cell
_PATCHES = 5  # cells of the map of where it is strong
_LIGHTEST, _DARKEST = 2.5, 0.3  # times the light before


def random_relief(count: int, size: int, seed: tf.Tensor) -> tf.Tensor:
    """Heights `[count, size, size, 1]`, pixels, to be added to surfaces.

    Args:
        count: How many.
        size: Side of the pictures, pixels.
        seed: `[2]` whole numbers.
    """
    seeds = iter(tf.unstack(tf.random.split(seed, 2 * len(_CELLS) + 1)))
    total = tf.zeros([count, size, size, 1])
    for cell in _CELLS:
        rows, columns = (max(2, round(100 / side)) for side in cell)
        noise = tf.random.stateless_normal([count, rows, columns, 1], next(seeds))
        strength = tf.random.stateless_uniform([count, 1, 1, 1], next(seeds)) ** 2
        width = min(cell) * size / 100
        total += _SLOPE * width * strength * tf.image.resize(noise, [size, size], "bicubic")
    patches = tf.random.stateless_normal([count, _PATCHES, _PATCHES, 1], next(seeds))
    return total * tf.sigmoid(3.0 * tf.image.resize(patches, [size, size], "bicubic"))


def shade_relief(
    images: tf.Tensor,
    heights: tf.Tensor,
    relief: tf.Tensor,
    skin: tf.Tensor,
    illumination: tf.Tensor,
) -> tf.Tensor:
    """Pictures of faces as though they had a relief: the light on it, over that on the face before.

    Args:
        images: `[B, S, S, 3]` in [0, 1].
        heights: `[B, S, S, 1]` of the face, pixels.
        relief: `[B, S, S, 1]`, 0 where there is none.
        skin: `[B, S, S, 1]` in [0, 1], where pictures may change.
        illumination: `[B, 9, 3]`.
    """

    def light(surface: tf.Tensor) -> tf.Tensor:
        normals = height_normals(surface)
        shading = sh_shading(tf.reshape(normals, [tf.shape(normals)[0], -1, 3]), illumination)
        return tf.maximum(tf.reshape(shading, tf.shape(normals)), 1e-2)

    change = tf.clip_by_value(light(heights + relief) / light(heights), _DARKEST, _LIGHTEST)
    return tf.clip_by_value(images * (1.0 + skin * (change - 1.0)), 0.0, 1.0)
