"""The code vector: parts that come apart and go together again."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.code import CodeLayout


def test_the_papers_code_has_257_numbers_in_the_papers_order() -> None:
    layout = CodeLayout.of_face(80, 64, 80)
    assert layout.size == 257
    assert {name: part.start for name, part in layout.parts.items()} == {
        "identity": 0,
        "expression": 80,
        "albedo": 144,
        "rotation": 224,
        "translation": 227,
        "illumination": 230,
    }


def test_join_undoes_split() -> None:
    layout = CodeLayout.of_face(5, 4, 3)
    code = np.random.default_rng(0).standard_normal((2, layout.size))
    parts = layout.split(tf.constant(code))
    assert parts["illumination"].shape == (2, 9, 3)
    np.testing.assert_array_equal(layout.join(parts), code)


def test_illumination_holds_the_three_colours_of_each_coefficient_together() -> None:
    layout = CodeLayout.of_face(1, 1, 1)
    code = np.zeros((1, layout.size), np.float32)
    code[0, layout.parts["illumination"].start + 4] = 1.0
    assert layout.split(tf.constant(code))["illumination"][0, 1, 1] == 1.0


def test_a_code_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="code: expected a last axis of 257, got 12"):
        CodeLayout.of_face(80, 64, 80).split(tf.zeros([1, 12]))


def test_a_missing_part_is_named() -> None:
    with pytest.raises(ValueError, match="missing \\['translation'\\]"):
        CodeLayout({"rotation": 3, "translation": 3}).join({"rotation": tf.zeros([1, 3])})
