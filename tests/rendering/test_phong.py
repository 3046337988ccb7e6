"""Phong shading against cases that can be worked out by hand, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.rendering.phong import phong_shading, specular_colour

RANDOM = np.random.default_rng(3)
UP = np.array([[[0.0, 0, 1]]])  # normal of a surface that faces the camera
POINT = np.array([[[0.0, 0, -1000]]])
WHITE = np.ones((1, 1, 3))


def light_at(*directions: tuple[float, float, float]) -> np.ndarray:
    return POINT + 500 * np.array([directions], np.float64)


@pytest.mark.parametrize("degrees", [0, 30, 60, 85, 100])
def test_lambert(degrees: float) -> None:
    """The cosine of the angle, times reflectance and light; nothing from behind."""
    angle = np.radians(degrees)
    light = light_at((np.sin(angle), 0, np.cos(angle)))
    diffuse, colour = np.array([[[0.2, 0.5, 1.0]]]), np.array([[[2.0, 1.0, 0.5]]])
    lit = phong_shading(POINT, 3 * UP, diffuse, light, colour, ambient=0.1)
    expected = diffuse * (0.1 + max(np.cos(angle), 0) * colour)
    np.testing.assert_allclose(lit, expected, atol=1e-9)


@pytest.mark.parametrize("shininess", [1.0, 5.0, 20.0])
def test_highlight(shininess: float) -> None:
    """A light 40 degrees from the normal, seen along it: the mirrored ray is 40 degrees off."""
    angle = np.radians(40)
    light = light_at((0, np.sin(angle), np.cos(angle)))
    lit = phong_shading(POINT, UP, 0 * WHITE, light, WHITE, specular=WHITE, shininess=shininess)
    np.testing.assert_allclose(lit, np.cos(angle) ** shininess * WHITE, rtol=1e-6)


def test_no_highlight_from_behind() -> None:
    light = light_at((0.3, 0, -1))
    lit = phong_shading(POINT, UP, WHITE, light, WHITE, specular=WHITE, shininess=1.0)
    np.testing.assert_array_equal(lit, 0 * WHITE)


def test_lights_add_up() -> None:
    points = RANDOM.normal(size=(2, 4, 5, 3)) + [0, 0, -50]
    normals, diffuse, specular = RANDOM.uniform(-1, 1, size=(3, 2, 4, 5, 3))
    positions, colours = RANDOM.uniform(0, 9, size=(2, 2, 3, 3))
    both = phong_shading(
        points, normals, diffuse, positions, colours, specular=specular, shininess=[4.0, 7.0]
    )
    alone = [
        phong_shading(
            points, normals, diffuse, positions[:, i : i + 1], colours[:, i : i + 1],
            specular=specular, shininess=[4.0, 7.0],
        )
        for i in range(3)
    ]  # fmt: skip
    np.testing.assert_allclose(both, sum(alone), atol=1e-9)
    assert both.shape == (2, 4, 5, 3)


def test_pixels_are_independent() -> None:
    """Other pixels do not matter, as they do in the original tf_mesh_renderer."""
    points = RANDOM.normal(size=(1, 6, 3)) + [0, 0, -50]
    normals = RANDOM.normal(size=(1, 6, 3)) + [0, 0, 3]
    light = np.array([[[20.0, 10, 5]]])
    options = {"specular": np.ones((1, 6, 3)), "shininess": 6.0}
    every = phong_shading(points, normals, 0 * points, light, WHITE, **options)
    options["specular"] = np.ones((1, 2, 3))
    some = phong_shading(points[:, :2], normals[:, :2], 0 * points[:, :2], light, WHITE, **options)
    np.testing.assert_allclose(every[:, :2], some, atol=1e-12)


def test_gradients() -> None:
    points = RANDOM.normal(size=(1, 4, 3)) + [0, 0, -30]
    normals = RANDOM.normal(size=(1, 4, 3)) + [0, 0, 3]
    diffuse = RANDOM.uniform(0.2, 0.8, size=(1, 4, 3))
    positions, colours = np.array([[[9.0, 5, 2], [-6, 4, 1]]]), np.ones((1, 2, 3))

    def shaded(*inputs: tf.Tensor) -> tf.Tensor:
        specular = specular_colour(inputs[2], 0.3)
        return phong_shading(*inputs, specular=specular, shininess=4.0, ambient=0.2)

    assert_gradients(shaded, [points, normals, diffuse, positions, colours])


def test_background_has_finite_gradients() -> None:
    """Zero normals, and points at the light and at the camera."""
    inputs = [tf.zeros([1, 3, 3]), tf.zeros([1, 3, 3]), tf.ones([1, 3, 3])]
    light = tf.zeros([1, 1, 3])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        lit = phong_shading(*inputs, light, tf.ones([1, 1, 3]), specular=inputs[2], shininess=3.0)
    for gradient in tape.gradient(lit, inputs):
        assert np.isfinite(gradient).all()


def test_specular_colour() -> None:
    np.testing.assert_allclose(specular_colour(tf.constant([0.0, 0.5, 1.0]), 0.4), [0.4, 0.2, 0])
