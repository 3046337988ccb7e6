"""The model-space loss: the distance of the faces, not of their coefficients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.losses.model_space import (
    gram_matrix,
    model_space_distance,
    model_space_grams,
    parameter_grams,
)
from tfface.morphable.default import load_default_face_model
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.spherical_harmonics import sh_shading

RANDOM = np.random.default_rng(3)
DISTANCE = 1000.0


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def weights(model) -> np.ndarray:
    return model.regions["face"]


@pytest.fixture(scope="module")
def grams(model, weights) -> dict[str, np.ndarray]:
    return model_space_grams(model, weights, DISTANCE)


def measured(gram: np.ndarray, difference: np.ndarray) -> float:
    predicted, truth = tf.constant(difference[None]), tf.zeros([1, len(difference)], tf.float64)
    return float(model_space_distance(predicted, truth, tf.constant(gram))[0])


@pytest.mark.parametrize("part", ["identity", "expression", "albedo"])
def test_a_part_is_measured_on_the_mesh(model, weights, grams, part: str) -> None:
    basis = getattr(model, part).astype(np.float64)
    difference = RANDOM.standard_normal(basis.shape[-1])
    moved = np.square(basis @ difference).sum(axis=-1)
    expected = np.average(moved, weights=weights)
    assert measured(grams[part], difference) == pytest.approx(expected, rel=1e-6)


def test_orthogonal_modes_are_weighted_by_their_deviations() -> None:
    """What the paper computes: |A d|^2 = sum of (sigma_k d_k)^2, here a mean over vertices."""
    vertices, modes = 40, 6
    orthonormal = np.linalg.qr(RANDOM.standard_normal((3 * vertices, modes)))[0]
    sigmas = np.linspace(5.0, 0.5, modes)
    basis = (orthonormal * sigmas).reshape(vertices, 3, modes)
    gram = gram_matrix(basis)
    np.testing.assert_allclose(gram, np.diag(sigmas**2) / vertices, atol=1e-12)
    difference = RANDOM.standard_normal(modes)
    expected = np.sum(np.square(sigmas * difference)) / vertices
    assert measured(gram, difference) == pytest.approx(expected)


def test_a_small_turn_is_measured_by_what_it_moves(model, weights, grams) -> None:
    turn = 1e-3 * RANDOM.standard_normal(3)
    points = model.mean.astype(np.float64)
    moved = points @ rotation_matrix(tf.constant(turn)).numpy().T - points
    expected = np.average(np.square(moved).sum(axis=-1), weights=weights)
    assert measured(grams["rotation"], turn) == pytest.approx(expected, rel=1e-3)


def test_a_shift_is_measured_in_mm_and_depth_by_the_size_it_changes(model, weights, grams) -> None:
    assert measured(grams["translation"], np.array([3.0, 4.0, 0.0])) == pytest.approx(25.0)
    farther = 0.01 * DISTANCE  # makes everything one per cent smaller
    points = 0.01 * model.mean.astype(np.float64)
    expected = np.average(np.square(points).sum(axis=-1), weights=weights)
    found = measured(grams["translation"], np.array([0.0, 0.0, farther]))
    assert found == pytest.approx(expected)


def test_light_is_measured_by_the_shading_of_all_directions(grams) -> None:
    light = RANDOM.standard_normal((9, 3))
    directions = RANDOM.standard_normal((1, 200_000, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    shading = sh_shading(tf.constant(directions), tf.constant(light[None])).numpy()
    expected = np.square(shading).sum(axis=-1).mean()
    assert measured(grams["illumination"], light.ravel()) == pytest.approx(expected, rel=0.02)


def test_the_plain_loss_counts_coefficients_alike() -> None:
    grams = parameter_grams({"identity": 4, "translation": 3})
    assert measured(grams["identity"], np.array([1.0, 2.0, 0.0, 2.0])) == 9.0
    assert measured(grams["translation"], np.array([0.0, 100.0, 0.0])) == pytest.approx(1.0)
