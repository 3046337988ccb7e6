"""The semantic code vector: named parts <-> one flat tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

UNIT_TRANSLATION = 100.0  # mm, what networks and plain losses call one


@dataclass(frozen=True)
class CodePart:
    """One part of a code: `size` numbers from `start` on."""

    name: str
    start: int
    size: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.size)


class CodeLayout:
    """Where each named part lies in a flat code `[B, N]`.

    The parts of MoFA, in the order of the paper's x = (alpha, delta, beta, T, t, gamma):
    `identity` and `expression` and `albedo` in sigmas, `rotation` axis-angle in radians,
    `translation` in millimetres in camera space, `illumination` 9 SH coefficients of RGB.

    Args:
        sizes: name -> size, in order.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.parts: dict[str, CodePart] = {}
        start = 0
        for name, size in sizes.items():
            self.parts[name] = CodePart(name, start, size)
            start += size
        self.size = start

    @classmethod
    def of_face(cls, identity: int, expression: int, albedo: int) -> CodeLayout:
        """Returns the layout of a face seen by a camera (257 numbers in the paper)."""
        return cls(
            {
                "identity": identity,
                "expression": expression,
                "albedo": albedo,
                "rotation": 3,
                "translation": 3,
                "illumination": 27,
            }
        )

    def sizes(self) -> dict[str, int]:
        return {name: part.size for name, part in self.parts.items()}

    def split(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Splits `[B, N]` into `[B, size]` parts; `illumination` becomes `[B, 9, 3]`.

        Raises:
            ValueError: if the code has another size.
        """
        if code.shape[-1] != self.size:
            raise ValueError(f"code: expected a last axis of {self.size}, got {code.shape[-1]}")
        parts = {name: code[..., part.slice] for name, part in self.parts.items()}
        if "illumination" in parts:
            light = parts["illumination"]
            parts["illumination"] = tf.reshape(light, tf.concat([tf.shape(light)[:-1], [9, 3]], 0))
        return parts

    def join(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Joins named parts into a flat `[B, N]` code; the inverse of `split`.

        Raises:
            ValueError: if a part is missing.
        """
        missing = [name for name in self.parts if name not in parts]
        if missing:
            raise ValueError(f"parts: expected {list(self.parts)}, missing {missing}")
        flat = []
        for name, part in self.parts.items():
            tensor = tf.convert_to_tensor(parts[name])
            flat.append(tf.reshape(tensor, [tf.shape(tensor)[0], part.size]))
        return tf.concat(flat, axis=-1)
