"""Random relief: its size, its seeds, and how it is lit."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfface.data.relief import random_relief, shade_relief
from tfface.losses.shape_from_shading import height_normals, slopes
from tfface.rendering.spherical_harmonics import ambient_illumination, sh_shading

SEED = tf.constant([3, 4], tf.int64)


def test_relief_is_as_deep_as_wrinkles_at_any_size() -> None:
    small, large = (random_relief(16, size, SEED).numpy() for size in (100, 200))
    assert 0.2 < large.std() < 1.5  # px, about mm
    assert large.std() > 1.7 * small.std()
    steep = [np.sqrt(np.mean(np.square(tf.concat(slopes(r), -1)))) for r in (small, large)]
    np.testing.assert_allclose(steep[0], steep[1], rtol=0.2)
    assert 0.05 < steep[1] < 0.5
    strength = large.std(axis=(1, 2, 3))
    assert strength.max() > 1.5 * strength.min()  # some faces have more


def test_relief_follows_its_seed() -> None:
    first, again = (random_relief(2, 64, SEED) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = random_relief(2, 64, SEED + 1)
    assert np.abs(other - first).max() > 0.1
    assert np.abs(first[0] - first[1]).max() > 0.1


def test_a_lit_relief_is_that_of_the_whole_surface() -> None:
    """A grey surface under one light: the picture of the sum is what the ratio gives."""
    size = 32
    heights = tf.tile(
        tf.reshape(0.2 * tf.range(size, dtype=tf.float32), [1, 1, size, 1]), [1, size, 1, 1]
    )
    relief = 0.3 * random_relief(1, size, SEED)
    light = np.zeros((1, 9, 3), np.float32)
    light[:, :4] = np.array([1.5, 0.2, 0.3, 0.4])[None, :, None]

    def lit(surface: tf.Tensor) -> np.ndarray:
        normals = tf.reshape(height_normals(surface), [1, -1, 3])
        return 0.4 * sh_shading(normals, tf.constant(light)).numpy().reshape(1, size, size, 3)

    skin = np.ones((1, size, size, 1), np.float32)
    skin[:, :8] = 0.0
    found = shade_relief(lit(heights), heights, relief, skin, light).numpy()
    np.testing.assert_allclose(found[:, 8:], lit(heights + relief)[:, 8:], atol=1e-5)
    np.testing.assert_allclose(found[:, :8], lit(heights)[:, :8], atol=1e-6)
    assert np.abs(found - lit(heights)).max() > 0.01
    even = ambient_illumination(0.8).reshape(1, 9, 3).astype(np.float32)
    same = shade_relief(lit(heights), heights, relief, skin, even)  # no direction, no shading
    np.testing.assert_allclose(same, lit(heights), atol=1e-6)
