"""Training faces drawn from a face model and rendered, with their true codes.

Expressions and reflectances are the model's own natural samples where it has them, identities
normal. The faces are posed, lit by soft and directional light, given a mop of hair and a
background, and cropped by the rule that photos are cropped by. The stream is deterministic: the
same seed gives the same faces.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.framing import crop_boxes, reframe
from tfface.data.synthetic_rendering import FacePainter
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.rotations import axis_angle, rotation_matrix
from tfface.rendering.spherical_harmonics import SH_CONSTANTS, sh_basis

CHUNK = 256  # Faces whose codes are drawn together.
# A clamped cosine lobe of unit height in SH bands 0, 1 and 2 (Ramamoorthi and Hanrahan 2001).
_LOBE = (np.pi * np.array([1.0] + 3 * [2 / 3] + 5 * [1 / 4])).astype(np.float32)


class FaceSampler:
    """Draws codes of whole pictures: face, pose and light.

    Args:
        model: The face model.
        decoder: A decoder of the same model; gives the landmarks that the crop follows.
        settings: How the faces vary.
    """

    def __init__(
        self, model: MorphableModel, decoder: FaceDecoder, settings: SyntheticConfig
    ) -> None:
        self.model, self.decoder, self.settings = model, decoder, settings
        self.layout = CodeLayout.of_face(
            model.identity.shape[-1], model.expression.shape[-1], model.albedo.shape[-1]
        )

    def draw(self, count: int, seed: tf.Tensor | tuple[int, int]) -> tf.Tensor:
        """Returns `[count, N]` codes, a function of the seed, which is two whole numbers."""
        seeds = tf.unstack(tf.random.split(seed, 6))
        parts = {
            "identity": self._identity(seeds[0], count),
            "expression": self._expression(seeds[1], count),
            "albedo": self._albedo(seeds[2], count),
            "rotation": self._rotation(seeds[3], count),
            "illumination": tf.reshape(self._illumination(seeds[4], count), [count, 27]),
        }
        parts["translation"] = self._framing(seeds[5], parts, count)
        return tf.concat([parts[name] for name in self.layout.parts], axis=-1)

    def _identity(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        modes = self.model.identity.shape[-1]
        return tf.random.stateless_normal([count, modes], seed, 0, self.settings.identity_sigma)

    def _expression(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        seeds = tf.random.split(seed)
        scale = tf.random.stateless_uniform([count, 1], seeds[0], *self.settings.expression_scale)
        modes = self.model.expression.shape[-1]
        return scale * _picked(self.model.expression_samples, modes, seeds[1], count)

    def _albedo(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        samples, modes = self.model.albedo_samples, self.model.albedo.shape[-1]
        if samples is None or not len(samples):
            return _picked(samples, modes, seed, count)
        seeds = tf.random.split(seed)
        noise = tf.random.stateless_normal([count, modes], seeds[0])
        return _picked(samples, modes, seeds[1], count) + self.settings.albedo_noise * noise

    def _rotation(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Yaw, then pitch, then roll, about the axes of the camera, as axis-angle vectors."""
        sigma = np.radians([self.settings.yaw, self.settings.pitch, self.settings.roll])
        angles = tf.random.stateless_normal([count, 3], seed)
        angles = tf.clip_by_value(angles, -2.2, 2.2) * sigma.astype(np.float32)
        yaw, pitch, roll = (
            rotation_matrix(angles[:, k : k + 1] * axis)
            for k, axis in enumerate(([0.0, 1, 0], [1.0, 0, 0], [0.0, 0, 1]))
        )
        return axis_angle(roll @ pitch @ yaw)

    def _illumination(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Ambient light and two directional ones from the front hemisphere, `[count, 9, 3]`."""
        seeds = iter(tf.unstack(tf.random.split(seed, 8)))

        def coloured(low: float, high: float) -> tf.Tensor:
            tint = tf.random.stateless_normal([count, 1, 3], next(seeds))
            strength = tf.random.stateless_uniform([count, 1, 1], next(seeds), low, high)
            return strength * (1 + self.settings.light_tint * tint)

        ambient = coloured(*self.settings.ambient) / SH_CONSTANTS[0]
        coefficients = tf.pad(ambient, [[0, 0], [0, 8], [0, 0]])
        for _ in range(2):
            direction = tf.random.stateless_normal([count, 3], next(seeds))
            direction = tf.math.l2_normalize(direction * [1.0, 0.7, 0.6] + [0.0, 0.3, 0.6], -1)
            strength = 0.7 * coloured(*self.settings.directional)
            coefficients += strength * (sh_basis(direction) * _LOBE)[:, :, None]
        return coefficients

    def _framing(self, seed: tf.Tensor, parts: dict[str, tf.Tensor], count: int) -> tf.Tensor:
        """Translations that put each face where the crop rule would, give or take the jitter."""
        size, focal_length = self.decoder.image_size, self.decoder.focal_length
        start = tf.cast(self.decoder.initial_translation, tf.float32)
        translation = tf.tile(tf.reshape(start, [1, 3]), [count, 1])
        for _ in range(3):
            landmarks = self.decoder.landmarks({**parts, "translation": translation})
            translation = reframe(translation, crop_boxes(landmarks), focal_length, size)
        seeds = tf.random.split(seed)
        scale = tf.random.stateless_normal([count, 1], seeds[0], 0, self.settings.crop_scale)
        shift = tf.random.stateless_normal([count, 2], seeds[1], 0, self.settings.crop_shift)
        depth = translation[:, 2:] * tf.exp(scale)
        return tf.concat([translation[:, :2] - shift * depth / focal_length, depth], axis=-1)


def _picked(samples: np.ndarray | None, modes: int, seed: tf.Tensor, count: int) -> tf.Tensor:
    """Natural samples `[count, modes]`; normal numbers where there are none."""
    if samples is None or not len(samples):
        return tf.random.stateless_normal([count, modes], seed)
    numbers = tf.random.stateless_uniform([count], seed, 0, len(samples), tf.int32)
    return tf.gather(tf.constant(samples, tf.float32), numbers)


def synthetic_faces(
    model: MorphableModel,
    decoder: FaceDecoder,
    settings: SyntheticConfig,
    seed: int,
    first: int = 0,
) -> tf.data.Dataset:
    """An endless stream of drawn faces, a function of the seed.

    Args:
        model: The face model.
        decoder: A decoder of that model; sets the size of the pictures.
        settings: How the faces vary.
        seed: Seed of the stream.
        first: The number of faces to leave out at the start, for resuming; a multiple of `CHUNK`.

    Returns:
        A dataset of `(image [S, S, 3] float32, targets)`, targets `landmarks [68, 2]` in pixels,
        `confidence [68]`, `code [N]` and `has_code []`.
    """
    sampler = FaceSampler(model, decoder, settings)
    painter = FacePainter(model, decoder, settings.hair, settings.supersampling)

    def draw_chunk(chunk: tf.Tensor) -> tf.data.Dataset:
        codes = sampler.draw(CHUNK, tf.stack([tf.constant(seed, tf.int64), chunk]))
        numbers = chunk * CHUNK + tf.range(CHUNK, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices((codes, numbers))

    def paint(code: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        image = painter(code, tf.stack([tf.constant(seed, tf.int64), number]))
        landmarks = decoder.landmarks(painter.layout.split(code[None]))[0]
        targets = {"landmarks": landmarks, "confidence": tf.ones([68])}
        return image, {**targets, "code": code, "has_code": tf.ones([])}

    chunks = tf.data.Dataset.counter(first // CHUNK)
    codes = chunks.interleave(draw_chunk, cycle_length=1, num_parallel_calls=1)
    return codes.map(paint, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
