"""Bilinear image sampling."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy.ndimage import map_coordinates

from tests.gradients import assert_gradients
from tfface.rendering.sampling import bilinear_slopes, inside_image, sample_bilinear

RANDOM = np.random.default_rng(4)


def ramp(height: int, width: int) -> np.ndarray:
    """An image whose two channels are the x and y of its pixel centres, `(1, H, W, 2)`."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=-1)[None]


def test_linear_ramp_is_exact() -> None:
    pixels = RANDOM.uniform([0.5, 0.5], [11.5, 6.5], size=(1, 200, 2))
    sampled = sample_bilinear(tf.constant(ramp(7, 12)), tf.constant(pixels))
    np.testing.assert_allclose(sampled, pixels, atol=1e-13)


def test_pixel_centres_give_pixels() -> None:
    image = RANDOM.uniform(size=(2, 5, 4, 3))
    centres = np.repeat(ramp(5, 4).reshape(1, 20, 2), 2, axis=0)
    np.testing.assert_array_equal(sample_bilinear(image, centres), image.reshape(2, 20, 3))


def test_clamped_at_the_border() -> None:
    pixels = np.array([[[-50.0, 3.2], [0.1, 0.2], [99, 99], [3.0, -1]]])
    sampled = sample_bilinear(tf.constant(ramp(7, 12)), tf.constant(pixels))
    np.testing.assert_allclose(sampled[0], [[0.5, 3.2], [0.5, 0.5], [11.5, 6.5], [3, 0.5]])


def test_equals_scipy() -> None:
    image = RANDOM.uniform(size=(9, 8))
    pixels = RANDOM.uniform(-2, 11, size=(100, 2))
    expected = map_coordinates(image, (pixels[:, ::-1] - 0.5).T, order=1, mode="nearest")
    sampled = sample_bilinear(image[None, :, :, None], pixels[None])
    np.testing.assert_allclose(sampled[0, :, 0], expected, atol=1e-13)


def test_one_pixel_and_one_column() -> None:
    for height, width in ((1, 1), (4, 1), (1, 4)):
        image = RANDOM.uniform(size=(1, height, width, 3)).astype(np.float32)
        pixels = tf.constant([[[0.5, 0.5], [7, 7]]])
        sampled = sample_bilinear(image, pixels)
        np.testing.assert_allclose(sampled[0], [image[0, 0, 0], image[0, -1, -1]], rtol=1e-6)


def test_gradients() -> None:
    image = RANDOM.uniform(size=(2, 6, 5, 3))
    pixels = RANDOM.uniform(0.6, 4.4, size=(2, 7, 2))
    assert_gradients(sample_bilinear, [image, pixels])


def test_gradient_of_positions_is_the_slope() -> None:
    pixels = tf.constant([[[3.2, 2.8], [-4, 2], [3, 50]]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        sampled = sample_bilinear(tf.constant(ramp(7, 12)), pixels)
    slope = tape.gradient(sampled, pixels)[0]
    np.testing.assert_allclose(slope, [[1, 1], [0, 1], [1, 0]], atol=1e-12)


def test_slopes_are_the_gradient() -> None:
    """Inside, beyond the outermost pixel centres and outside of the picture."""
    rng = np.random.default_rng(5)
    images = tf.constant(rng.random((2, 6, 7, 3)))
    pixels = tf.Variable(rng.uniform(-2.0, 9.0, (2, 200, 2)))
    with tf.GradientTape(persistent=True) as tape:
        channels = tf.unstack(sample_bilinear(images, pixels), axis=-1)
    expected = tf.stack([tape.gradient(channel, pixels) for channel in channels], axis=2)
    np.testing.assert_allclose(bilinear_slopes(images, pixels), expected, atol=1e-12)


def test_half_precision_images_and_static_shapes() -> None:
    sampled = sample_bilinear(tf.ones([2, 4, 4, 3], tf.float16), tf.ones([2, 9, 2]))
    assert sampled.dtype == tf.float16
    assert sampled.shape == (2, 9, 3)


def test_inside_image() -> None:
    pixels = tf.constant([[0.0, 0], [8, 6], [8.01, 3], [3, 6.01], [-0.01, 3], [np.nan, 1]])
    expected = [True, True, False, False, False, False]
    np.testing.assert_array_equal(inside_image(pixels, height=6, width=8), expected)
