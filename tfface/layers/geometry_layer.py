"""The base of layers that compute positions, normals and colours."""

from __future__ import annotations

from typing import Any

import keras


class GeometryLayer(keras.layers.Layer):
    """A Keras layer that computes in float32 under every precision policy.

    Half precision cannot hold geometry: at a pixel of 200 its step is an eighth of a pixel, at a
    depth of 1000 mm half a millimetre. So the global policy (for example `mixed_float16`) is not
    followed, and inputs that arrive in half precision are cast up by Keras on entry.

    Args:
        dtype: `float32` (the default) or `float64`.

    Raises:
        ValueError: for a policy that computes in any other dtype.
    """

    def __init__(self, *, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(dtype=dtype or "float32", **kwargs)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected float32 or float64, got {self.compute_dtype}")
