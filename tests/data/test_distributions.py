"""Distributions: what is drawn is what they say, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.config import Constant, Normal, Samples, Uniform
from tfface.data.distributions import draw, draw_coefficients

SEED = (3, 4)


def test_a_constant_is_its_value() -> None:
    np.testing.assert_array_equal(draw(Constant(value=2.5), [3], SEED), [2.5] * 3)


def test_uniform_numbers_fill_their_range() -> None:
    numbers = draw(Uniform(low=-1.0, high=3.0), [20_000], SEED).numpy()
    assert numbers.min() == pytest.approx(-1.0, abs=1e-2)
    assert numbers.max() == pytest.approx(3.0, abs=1e-2)
    assert numbers.mean() == pytest.approx(1.0, abs=0.05)


def test_normal_numbers_have_their_moments() -> None:
    numbers = draw(Normal(mean=2.0, deviation=3.0), [20_000], SEED).numpy()
    assert numbers.mean() == pytest.approx(2.0, abs=0.1)
    assert numbers.std() == pytest.approx(3.0, abs=0.1)


def test_normal_numbers_stop_at_their_bounds() -> None:
    numbers = draw(Normal(deviation=3.0, low=-1.0, high=5.0), [2_000], SEED).numpy()
    assert numbers.min() == -1.0
    assert numbers.max() == 5.0


def test_the_same_seed_draws_the_same() -> None:
    normal = Normal(deviation=1.0)
    np.testing.assert_array_equal(draw(normal, [9], SEED), draw(normal, [9], SEED))
    assert np.abs(draw(normal, [9], SEED) - draw(normal, [9], (3, 5))).max() > 0.1


def test_samples_are_picked_scaled_and_moved() -> None:
    samples = np.eye(4, dtype=np.float32)
    distribution = Samples(scale=Constant(value=2.0), bias=[10.0])
    drawn = draw_coefficients(distribution, samples, (200, 4), SEED).numpy()
    drawn[:, 0] -= 10.0
    np.testing.assert_array_equal(np.sort(drawn, axis=1), [[0, 0, 0, 2]] * 200)
    assert (drawn.max(axis=0) == 2.0).all()


def test_samples_get_noise() -> None:
    samples = np.zeros((1, 50), np.float32)
    drawn = draw_coefficients(Samples(noise=0.5), samples, (200, 50), SEED).numpy()
    assert drawn.std() == pytest.approx(0.5, abs=0.02)


def test_a_model_without_samples_gives_normal_numbers() -> None:
    drawn = draw_coefficients(Samples(), None, (200, 50), SEED).numpy()
    assert drawn.std() == pytest.approx(1.0, abs=0.03)
