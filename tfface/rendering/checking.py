"""Arguments that are tensors: what is expected of them, told when they are something else."""

from __future__ import annotations

import operator
from typing import Any

import tensorflow as tf

FLOATS = (tf.float32, tf.float64)
INTEGERS = (tf.int32, tf.int64)


def checked(
    value: Any,
    name: str,
    shape: tuple[Any, ...],
    dtypes: tuple[tf.DType, ...] = FLOATS,
    like: tf.Tensor | None = None,
) -> tf.Tensor:
    """A tensor of a value.

    Args:
        value: tensor, array or nested list.
        name: of the argument.
        shape: a number for each axis that must have it, a letter for any, and "..." for any number
            of axes.
        dtypes: that are allowed.
        like: a tensor whose dtype a Python value takes.

    Raises:
        ValueError: the value is none, or has another shape or dtype.
    """
    try:
        hint = None if hasattr(value, "dtype") or like is None else like.dtype
        value = tf.convert_to_tensor(value, hint)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a tensor, got {value!r}") from error
    if value.dtype not in dtypes:
        expected = " or ".join(dtype.name for dtype in dtypes)
        raise ValueError(f"{name}: expected {expected}, got {value.dtype.name}")
    actual = value.shape
    if actual.rank is not None:
        open_ended = "..." in shape
        least = len(shape) - open_ended
        fits = actual.rank >= least if open_ended else actual.rank == least
        start = shape.index("...") if open_ended else len(shape)
        end = shape[start + 1 :]
        pairs = [*zip(shape[:start], actual, strict=False)]
        pairs += zip(end[::-1], reversed(list(actual)), strict=False)
        if not fits or any(isinstance(e, int) and a not in (e, None) for e, a in pairs):
            listed = ", ".join(str(axis) for axis in shape)
            raise ValueError(f"{name}: expected shape [{listed}], got {actual}")
    return value


def checked_pixels(value: Any, name: str) -> int:
    """A side of a picture; ValueError if it is not a positive whole number."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number <= 0:
        raise ValueError(f"{name}: expected a positive number of pixels, got {value!r}")
    return number
