"""Spherical harmonics: order, constants, shading."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.spherical_harmonics import (
    ambient_illumination,
    sh_basis,
    sh_basis_gradient,
    sh_shading,
)

RANDOM = np.random.default_rng(2)


def quadrature(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Directions and weights that integrate polynomials over the sphere exactly."""
    cosines, heights = np.polynomial.legendre.leggauss(count)
    angles = 2 * np.pi * np.arange(2 * count) / (2 * count)
    z, phi = (axis.reshape(-1) for axis in np.meshgrid(cosines, angles, indexing="ij"))
    sine = np.sqrt(1 - z * z)
    weights = np.repeat(heights, 2 * count) * np.pi / count
    return np.stack([sine * np.cos(phi), sine * np.sin(phi), z], axis=-1), weights


def unit(count: int) -> np.ndarray:
    vectors = RANDOM.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_orthonormal() -> None:
    directions, weights = quadrature()
    basis = sh_basis(tf.constant(directions)).numpy()
    np.testing.assert_allclose((basis * weights[:, None]).T @ basis, np.eye(9), atol=1e-13)


def test_order() -> None:
    x, y, z = 0.6, 0.48, 0.64
    expected = [1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    constants = [0.282095, 0.488603, 0.488603, 0.488603]
    constants += [1.092548, 1.092548, 0.315392, 1.092548, 0.546274]
    basis = sh_basis(tf.constant([x, y, z], tf.float64))
    np.testing.assert_allclose(basis, np.multiply(expected, constants), rtol=2e-6)


def test_ambient_light_is_constant() -> None:
    coefficients = tf.constant(ambient_illumination(0.7))[None]
    shading = sh_shading(tf.constant(unit(50), tf.float32)[None], coefficients)
    np.testing.assert_allclose(shading, 0.7, rtol=1e-6)


def test_light_along_an_axis() -> None:
    """A y coefficient lights what faces up and darkens what faces down, in its channel only."""
    coefficients = np.zeros((1, 9, 3))
    coefficients[0, 1, 2] = 1
    shading = sh_shading(
        tf.constant([[[0.0, 1, 0], [0, -1, 0], [1, 0, 0]]], tf.float64), coefficients
    )
    np.testing.assert_allclose(shading[0, :, 2], [0.488603, -0.488603, 0], rtol=1e-5, atol=1e-15)
    np.testing.assert_array_equal(shading[0, :, :2], 0)


def test_bands_are_invariant_under_rotation() -> None:
    normals = tf.constant(unit(1))
    turned = tf.matmul(normals, rotation_matrix(tf.constant(RANDOM.normal(size=3))))
    for band in (slice(0, 1), slice(1, 4), slice(4, 9)):
        powers = [tf.reduce_sum(sh_basis(n)[:, band] ** 2) for n in (normals, turned)]
        np.testing.assert_allclose(*powers, rtol=1e-12)


def test_gradients() -> None:
    assert_gradients(sh_shading, [unit(6).reshape(2, 3, 3), RANDOM.normal(size=(2, 9, 3))])


def test_the_gradient_of_the_basis_is_that_of_its_polynomials() -> None:
    normals = tf.Variable(np.random.default_rng(3).normal(size=(5, 3)))
    with tf.GradientTape(persistent=True) as tape:
        functions = tf.unstack(sh_basis(normals), axis=-1)
    zero = tf.UnconnectedGradients.ZERO
    expected = [tape.gradient(h, normals, unconnected_gradients=zero) for h in functions]
    np.testing.assert_allclose(sh_basis_gradient(normals), tf.stack(expected, axis=1), atol=1e-12)


def test_pixels_are_lit_as_vertices_are() -> None:
    normals, light = unit(24).reshape(2, 12, 3), RANDOM.normal(size=(2, 9, 3))
    pixels = sh_shading(normals.reshape(2, 3, 4, 3), light)
    np.testing.assert_allclose(pixels, np.reshape(sh_shading(normals, light), (2, 3, 4, 3)))
