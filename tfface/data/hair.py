"""Hair of drawn faces: a mop on the scalp, perhaps falling over the forehead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfface.config import SyntheticConfig
from tfface.data.distributions import draw
from tfface.morphable.model import MorphableModel

HEIGHT = (3.0, 28.0)  # mm that a mop of hair stands off the scalp
FRINGE_HEIGHT = 4.0  # mm that hair lies before the forehead
_BROWS, _TIP = slice(17, 27), 30  # iBUG landmarks
_SOFT = 4.0  # mm over which the hair line fades


class Hair:
    """Lifts and dyes the vertices that are covered by hair; deterministic in its seeds.

    Args:
        model: The face model; its region `scalp`, where it has one, grows the mop.
        settings: `hair`, `fringe` and `hair_line` are used.
    """

    def __init__(self, model: MorphableModel, settings: SyntheticConfig) -> None:
        self.settings = settings
        self.positions = tf.constant(model.mean, tf.float32)
        bald = np.zeros(model.vertex_count, np.float32)
        self.scalp = tf.constant(model.regions.get("scalp", bald), tf.float32)
        brows = model.mean[model.landmarks[_BROWS]]
        self.brows = float(brows[:, 1].max())
        # Where hair begins: a forehead is about as high as the way from the brows to the nose tip.
        forehead = self.brows - float(model.mean[model.landmarks[_TIP], 1])
        self.forehead = min(forehead, float(model.mean[:, 1].max()) - self.brows)
        self.width = float(np.ptp(brows[:, 0]))

    def grow(self, face: Mapping[str, tf.Tensor], seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The points and reflectances `[B, V, 3]` of faces with hair.

        Args:
            face: `points`, `normals` and `albedo` of `FaceDecoder`, `[B, V, 3]`.
            seed: `[2]` whole numbers.
        """
        count = face["points"].shape[0]
        seeds = iter(tf.unstack(tf.random.split(seed, 7)))

        def uniform(shape: list[int], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
            return tf.random.stateless_uniform([count, *shape], next(seeds), low, high)

        grows = tf.cast(uniform([1]) < self.settings.hair, tf.float32)
        # Tufts: a random sum of waves over the head.
        directions = tf.random.stateless_normal([count, 6, 3], next(seeds), stddev=0.06)
        phases = uniform([6, 1], 0.0, 6.28)
        along = tf.einsum("bnc,vc->bnv", directions, self.positions)
        waves = tf.sin(along + phases)
        waves = tf.reduce_mean(waves, axis=1)  # [B, V]
        mop = grows * uniform([1], *HEIGHT) * (1.0 + 0.25 * waves) * self.scalp
        falls = tf.cast(uniform([1]) < self.settings.fringe, tf.float32)
        fringe = grows * falls * self._fringe(count, waves, next(seeds))
        lift = tf.maximum(mop, FRINGE_HEIGHT * fringe)
        dye = uniform([5, 1])
        brightness = 0.05 + 0.75 * tf.pow(dye[:, 0], 2.0)
        tone = [
            tf.ones_like(brightness),
            0.95 - 0.25 * dye[:, 1],
            0.9 - 0.5 * dye[:, 1] * dye[:, 2],
        ]
        tone = brightness[..., None] * tf.stack(tone, axis=-1)  # [B, 1, 3]
        strands = 1.0 + 0.3 * tf.sin(14.0 * along[:, 0])[..., None]
        dyed = tf.maximum(grows * tf.cast(dye[:, 3] < 0.5, tf.float32), falls * grows)
        covered = tf.maximum(dyed * self.scalp, fringe)[..., None]
        albedo = face["albedo"] + covered * (tone * strands - face["albedo"])
        return face["points"] + lift[..., None] * face["normals"], albedo

    def _fringe(self, count: int, waves: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """How far each vertex is above a wavy hair line, `[count, V]` in [0, 1]."""
        seeds = tf.unstack(tf.random.split(seed, 2))
        height = draw(self.settings.hair_line, [count, 1], seeds[0])
        parting = tf.random.stateless_uniform([count, 2], seeds[1], -0.5, 0.5)
        x, y = self.positions[:, 0] / self.width, self.positions[:, 1]
        # Hair hangs lower away from a parting.
        line = height + 0.8 * tf.square(parting[:, :1]) - 0.8 * tf.square(x - parting[:, 1:])
        above = y - self.brows - self.forehead * (line + 0.3 * waves)
        return tf.clip_by_value(above / _SOFT + 0.5, 0.0, 1.0)
