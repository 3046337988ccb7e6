"""Recognisability on embeddings whose similarities are known."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.metrics.identity import cosine_similarities, earth_movers_distance, recall


def test_cosines_of_known_vectors() -> None:
    found = cosine_similarities([[2.0, 0.0], [1.0, 1.0]], [[0.0, 3.0], [1.0, 0.0], [-1.0, 0.0]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found, [[0, 1, -1], [half, half, -half]], atol=1e-12)


def test_the_earth_movers_distance_of_a_shift_is_the_shift() -> None:
    values = np.random.default_rng(0).normal(size=300)
    assert earth_movers_distance(values, values + 0.3) == pytest.approx(0.3)
    assert earth_movers_distance(values, np.repeat(values, 2)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0]])
def test_no_distance_from_nothing(bad) -> None:
    with pytest.raises(ValueError, match="second: expected finite numbers"):
        earth_movers_distance(np.ones(3), np.array(bad))


def test_recall_counts_persons_not_photos() -> None:
    gallery = np.array([[1.0, 0], [0, 1.0], [0.9, 0.1], [-1.0, 0.1]])
    persons = np.array(["a", "b", "a", "c"])
    queries = np.array([[0.9, 0.12], [1.0, 0.2]])  # like photo 3, also of a; and not like b
    assert recall(queries, gallery, persons) == 0.5
    assert recall(queries, gallery, persons, best=3) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0, 0]], [[1.0, 0]], ["a"], 1), "first"),
        (([[1.0, 0]], [[1.0, 0, 0]], ["a"], 1), "second"),
        (([[1.0, 0]], [[1.0, 0]], ["a", "b"], 1), "persons: expected 1, .* got 2"),
        (([[1.0, 0]] * 2, [[1.0, 0]], ["a"], 1), "queries: expected at most 1, got 2"),
        (([[1.0, 0]], [[1.0, 0]], ["a"], 2), "best: expected 1 to 1"),
    ],
)
def test_bad_arguments(arguments, message: str) -> None:
    queries, gallery, persons, best = arguments
    with pytest.raises(ValueError, match=message):
        recall(np.array(queries), np.array(gallery), np.array(persons), best)
