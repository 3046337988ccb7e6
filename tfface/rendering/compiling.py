"""Functions that XLA compiles."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., Any])


SMALL = 1 << 15  # numbers that an eager call handles in less time than compiling takes


def compiled(function: _Function) -> _Function:
    """Compiles a function of tensors by XLA: into loops, without intermediate tensors.

    That takes seconds for each new shape, so that eager calls with small tensors run the operations
    one by one; so does TensorFlow for Windows, which has no XLA. Python numbers and named tuples of
    them are constants. XLA computes what several results use for each of them again; what is worth
    keeping is the result of a function of its own.
    """
    if sys.platform == "win32":
        return function
    fast = tf.function(function, autograph=False, jit_compile=True)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        tensors = [a for a in tf.nest.flatten(arguments) if tf.is_tensor(a)]
        small = tf.executing_eagerly() and sum(t.shape.num_elements() for t in tensors) < SMALL
        return (function if small else fast)(*arguments)

    return call  # type: ignore[return-value]
