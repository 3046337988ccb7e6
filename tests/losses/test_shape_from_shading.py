"""The shape-from-shading criterion against surfaces whose light, albedo and normals are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.gradients import assert_gradients
from tfface.losses.shape_from_shading import (
    ShadingProblem,
    height_normals,
    interior,
    laplacian,
    shade,
    shading_problem,
    shading_terms,
    slope_hints,
    slopes,
)

SIZE, RADIUS = 48, 40.0
X, Y = np.meshgrid(np.arange(SIZE) - SIZE / 2 + 0.5, np.arange(SIZE) - SIZE / 2 + 0.5)
SPHERE = np.sqrt(RADIUS**2 - X**2 - Y**2)[None, ..., None]
EVERYWHERE = np.ones_like(SPHERE)
LIGHT = np.array([[0.5, 0.2, 0.1, 0.3]])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def _problem(albedo: np.ndarray, heights: np.ndarray = SPHERE) -> ShadingProblem:
    intensity = albedo * shade(tf.constant(LIGHT), tf.constant(heights))
    return ShadingProblem(intensity, heights, EVERYWHERE, EVERYWHERE, tf.constant(LIGHT), albedo)


def test_normals_of_a_sphere_point_away_from_its_centre() -> None:
    expected = np.stack([X, -Y, SPHERE[0, ..., 0]], -1) / RADIUS  # y is up
    normals = height_normals(tf.constant(SPHERE))[0]
    np.testing.assert_allclose(normals[1:-1, 1:-1], expected[1:-1, 1:-1], atol=2e-3)


def test_normals_of_a_plane() -> None:
    plane = (0.5 * X + 0.25 * Y)[None, ..., None]
    expected = np.array([-0.5, 0.25, 1.0])
    normals = height_normals(tf.constant(plane))[0, 1:-1, 1:-1]
    np.testing.assert_allclose(normals - expected / np.linalg.norm(expected), 0, atol=1e-12)


def test_the_laplacian_of_a_paraboloid_is_constant() -> None:
    heights = tf.constant((0.5 * X**2 + 1.5 * Y**2)[None, ..., None])
    np.testing.assert_allclose(laplacian(heights)[0, 1:-1, 1:-1], 4.0, atol=1e-9)


def test_light_and_albedo_are_recovered(random: np.random.Generator) -> None:
    """Eq. (11) and (12): the picture of a face of the albedo model is explained whole."""
    modes = 0.02 * random.standard_normal((1, SIZE, SIZE, 10))
    mean = 0.6 * EVERYWHERE
    intensity = mean * shade(tf.constant(LIGHT), tf.constant(SPHERE))
    problem = shading_problem(intensity, SPHERE, EVERYWHERE, mean, modes)
    np.testing.assert_allclose(problem.light, LIGHT, atol=0.01)
    coefficients = random.standard_normal(10)
    albedo = mean + (modes @ coefficients)[..., None]
    shading = shade(tf.constant(LIGHT), tf.constant(SPHERE))
    problem = shading_problem(albedo * shading, SPHERE, EVERYWHERE, mean, modes)
    error = tf.abs(problem.albedo * shade(problem.light, SPHERE) - albedo * shading)
    assert np.mean(error * problem.mask) < 0.005


def test_hints_are_the_least_change_that_explains_the_picture() -> None:
    """Along the derivative of the shading by the slopes, which is taken numerically here."""
    bumps = SPHERE + 0.02 * np.sin(X / 2)[None, ..., None]
    problem = _problem(0.6 * EVERYWHERE, SPHERE)
    problem = replace(problem, intensity=0.6 * shade(tf.constant(LIGHT), tf.constant(bumps)))
    hints = slope_hints(problem).numpy()
    true = np.concatenate([b - s for b, s in zip(slopes(bumps), slopes(SPHERE), strict=True)], -1)
    step = 1e-6
    right, down = (
        (_plane_shading(SPHERE, step, 0.0) - _plane_shading(SPHERE, 0.0, 0.0)) / step,
        (_plane_shading(SPHERE, 0.0, step) - _plane_shading(SPHERE, 0.0, 0.0)) / step,
    )
    derivative = np.concatenate([right, down], -1)
    strength = np.sum(derivative**2, -1, keepdims=True)
    least = np.sum(true * derivative, -1, keepdims=True) * derivative / (strength + 0.01)
    np.testing.assert_allclose(hints[:, 2:-2, 2:-2], least[:, 2:-2, 2:-2], atol=2e-3)
    assert np.abs(hints).max() > 5e-3
    assert np.abs(slope_hints(replace(problem, mask=0 * EVERYWHERE))).max() == 0
    flat = replace(problem, light=tf.constant([[0.8, 0.0, 0.0, 0.0]], tf.float64))
    assert np.abs(slope_hints(flat)).max() == 0  # even light shows no slopes


def _plane_shading(heights: np.ndarray, right: float, down: float) -> np.ndarray:
    tilted = heights + (right * X + down * Y)[None, ..., None]
    return shade(tf.constant(LIGHT), tf.constant(tilted)).numpy()


def test_the_true_surface_has_no_shading_error(random: np.random.Generator) -> None:
    bumps = SPHERE + 0.3 * np.sin(X / 2)[None, ..., None]
    albedo = 0.6 * EVERYWHERE
    true = shading_terms(_problem(albedo, bumps), tf.constant(bumps))
    smooth = shading_terms(_problem(albedo, bumps), tf.constant(SPHERE))
    assert true["shading"].numpy() == pytest.approx([0.0], abs=1e-15)
    assert smooth["shading"].numpy()[0] > 1e-4


def test_terms_by_hand() -> None:
    """A surface one pixel higher: E_f is one, E_sm that of the sphere."""
    terms = shading_terms(_problem(0.6 * EVERYWHERE), tf.constant(SPHERE + 1.0))
    assert terms["fidelity"].numpy() == pytest.approx([1.0])
    expected = np.mean(np.abs(laplacian(tf.constant(SPHERE))))
    assert terms["smoothness"].numpy() == pytest.approx([expected])
    assert terms["shading"].numpy() == pytest.approx([0.0], abs=1e-15)


def test_gradients(random: np.random.Generator) -> None:
    heights = SPHERE[:, :6, :6] + 0.2 * random.standard_normal((1, 6, 6, 1))
    problem = ShadingProblem(
        random.random((1, 6, 6, 1)), SPHERE[:, :6, :6], random.random((1, 6, 6, 1)),
        np.ones((1, 6, 6, 1)), LIGHT,
        random.random((1, 6, 6, 1)),
    )  # fmt: skip

    def total(z: tf.Tensor) -> tf.Tensor:
        return tf.stack(list(shading_terms(problem, z).values()))

    assert_gradients(total, [heights])


def test_the_border_and_steep_places_do_not_count() -> None:
    mask, cliff = np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 1))
    mask[:, 1:7, 1:7] = 1.0
    cliff[:, :, 5:] = 50.0
    inside = interior(tf.constant(cliff), tf.constant(mask)).numpy()[0, ..., 0]
    expected = np.zeros((8, 8))
    expected[2:6, 2:4] = 1.0  # columns 4 and 5 lie on the cliff
    np.testing.assert_array_equal(inside, expected)


@pytest.mark.parametrize("mask", [EVERYWHERE, 0 * EVERYWHERE])
@pytest.mark.parametrize("heights", [SPHERE, 0 * SPHERE])
@pytest.mark.parametrize("brightness", [0.0, 0.5])
def test_degenerate_pictures_give_finite_terms(
    mask: np.ndarray, heights: np.ndarray, brightness: float
) -> None:
    """A flat surface tells nothing of the light's direction, a black picture nothing of albedo."""
    modes = np.zeros((1, SIZE, SIZE, 10))
    picture = np.float32(brightness * EVERYWHERE)
    mean = np.float32(0.6 * EVERYWHERE)
    problem = shading_problem(
        picture, np.float32(heights), np.float32(mask), mean, np.float32(modes)
    )
    with tf.GradientTape() as tape:
        refined = tf.Variable(np.float32(heights))
        terms = shading_terms(problem, tf.convert_to_tensor(refined))
        total = tf.add_n(list(terms.values()))
    assert np.isfinite(problem.light).all()
    assert np.isfinite(problem.albedo).all()
    assert np.isfinite(total).all()
    assert np.isfinite(tape.gradient(total, refined)).all()
    assert np.abs(problem.light).max() < 10


def test_no_gradient_goes_through_light_and_albedo() -> None:
    heights = tf.Variable(SPHERE)
    with tf.GradientTape() as tape:
        surface = tf.convert_to_tensor(heights)
        problem = shading_problem(
            0.5 * EVERYWHERE, surface, EVERYWHERE, 0.6 * EVERYWHERE, 0 * EVERYWHERE
        )
        value = tf.reduce_sum(problem.light) + tf.reduce_sum(problem.albedo)
    assert tape.gradient(value, heights) is None
