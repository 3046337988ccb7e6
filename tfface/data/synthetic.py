"""Training faces drawn from a face model and rendered, with their true codes.

Expressions and reflectances are the model's own natural samples where it has them, identities
normal. The faces are posed, lit by soft and directional light, given a mop of hair and a
background, and cropped by the rule that photos are cropped by. The stream is deterministic: the
same seed gives the same faces.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.crop import crop_box
from tfface.data.framing import reframe
from tfface.data.synthetic_rendering import FacePainter
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.spherical_harmonics import SH_CONSTANTS, sh_basis

CHUNK = 256  # Faces whose codes are drawn together.
# A clamped cosine lobe of unit height in SH bands 0, 1 and 2 (Ramamoorthi and Hanrahan 2001).
_LOBE = np.pi * np.array([1.0] + 3 * [2 / 3] + 5 * [1 / 4])


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

    def draw(self, count: int, seed: tuple[int, ...]) -> np.ndarray:
        """Returns `(count, N)` float32 codes; the seed is a tuple of whole numbers."""
        random = np.random.default_rng(seed)
        parts = {
            "identity": self._identity(random, count),
            "expression": self._expression(random, count),
            "albedo": self._albedo(random, count),
            "rotation": self._rotation(random, count),
            "illumination": self._illumination(random, count).reshape(count, 27),
        }
        parts["translation"] = self._framing(random, parts)
        return np.concatenate([parts[name] for name in self.layout.parts], -1).astype(np.float32)

    def _identity(self, random: np.random.Generator, count: int) -> np.ndarray:
        modes = self.model.identity.shape[-1]
        return self.settings.identity_sigma * random.standard_normal((count, modes))

    def _expression(self, random: np.random.Generator, count: int) -> np.ndarray:
        samples = self.model.expression_samples
        scale = random.uniform(*self.settings.expression_scale, (count, 1))
        if samples is None or not len(samples):
            return scale * random.standard_normal((count, self.model.expression.shape[-1]))
        return scale * samples[random.integers(len(samples), size=count)]

    def _albedo(self, random: np.random.Generator, count: int) -> np.ndarray:
        samples = self.model.albedo_samples
        noise = random.standard_normal((count, self.model.albedo.shape[-1]))
        if samples is None or not len(samples):
            return noise
        picked = samples[random.integers(len(samples), size=count)]
        return picked + self.settings.albedo_noise * noise

    def _rotation(self, random: np.random.Generator, count: int) -> np.ndarray:
        sigma = np.array([self.settings.yaw, self.settings.pitch, self.settings.roll])
        angles = np.clip(random.standard_normal((count, 3)), -2.2, 2.2) * sigma
        return Rotation.from_euler("yxz", angles, degrees=True).as_rotvec()

    def _illumination(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Ambient light and two directional ones from the front hemisphere, `(count, 9, 3)`."""
        coefficients = np.zeros((count, 9, 3))
        tint = lambda: 1 + self.settings.light_tint * random.standard_normal((count, 1, 3))  # noqa: E731
        ambient = random.uniform(*self.settings.ambient, (count, 1, 1)) * tint()
        coefficients[:, :1] = ambient / SH_CONSTANTS[0]
        for _ in range(2):
            direction = random.standard_normal((count, 3)) * (1.0, 0.7, 0.6) + (0, 0.3, 0.6)
            direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
            strength = 0.7 * random.uniform(*self.settings.directional, (count, 1, 1)) * tint()
            lobe = (_LOBE * sh_basis(tf.constant(direction)).numpy())[:, :, None]
            coefficients += strength * lobe
        return coefficients

    def _framing(self, random: np.random.Generator, parts: dict[str, np.ndarray]) -> np.ndarray:
        """Translations that put each face where the crop rule would, give or take the jitter."""
        count, size = len(parts["rotation"]), self.decoder.image_size
        focal_length = self.decoder.focal_length
        translation = np.tile(self.decoder.initial_translation, (count, 1))
        posed = {name: tf.constant(part, tf.float32) for name, part in parts.items()}
        for _ in range(3):
            posed["translation"] = tf.constant(translation, tf.float32)
            landmarks = self.decoder.landmarks(posed).numpy()
            boxes = np.stack([crop_box(points) for points in landmarks])
            translation = reframe(translation, boxes, focal_length, size)
        translation[:, 2] *= np.exp(random.normal(0, self.settings.crop_scale, count))
        shift = random.normal(0, self.settings.crop_shift, (count, 2))
        translation[:, :2] += shift * (-translation[:, 2:] / focal_length)
        return translation


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

    def draw(chunk: np.ndarray) -> np.ndarray:
        return sampler.draw(CHUNK, (seed, int(chunk)))

    def draw_chunk(chunk: tf.Tensor) -> tf.data.Dataset:
        codes = tf.ensure_shape(
            tf.numpy_function(draw, [chunk], tf.float32, stateful=False),
            [CHUNK, sampler.layout.size],
        )
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
