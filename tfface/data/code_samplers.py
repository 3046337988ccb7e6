"""Where the codes of drawn faces come from: distributions, or the neighbourhood of known codes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import ConfigError, NoiseConfig, SyntheticConfig
from tfface.data.distributions import draw, draw_coefficients
from tfface.data.framing import crop_boxes, reframe
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.rotations import axis_angle, rotation_matrix
from tfface.rendering.spherical_harmonics import SH_CONSTANTS, sh_basis

LIGHTS = 2
_LINEAR = ("identity", "expression", "albedo")
# A clamped cosine lobe of unit height in SH bands 0, 1 and 2 (Ramamoorthi and Hanrahan 2001).
_LOBE = (np.pi * np.array([1.0] + 3 * [2 / 3] + 5 * [1 / 4])).astype(np.float32)
_TINT = 0.3  # of the noise of light, in the strength of its white part
_RADIAN = np.pi / 180


class CodeSampler(Protocol):
    """Draws codes of whole pictures."""

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns `[count, N]` codes, a function of the seed, which is `[2]` whole numbers."""
        ...


class FaceSampler:
    """Draws face, pose and light as the configured distributions say.

    Args:
        model: The face model.
        decoder: A decoder of the same model; gives the landmarks that the crop follows.
        settings: How the faces vary.
        frames: So many faces, one after another, are of one person: they share identity and
            reflectance.

    Raises:
        ConfigError: a bias has more numbers than its part.
    """

    def __init__(
        self,
        model: MorphableModel,
        decoder: FaceDecoder,
        settings: SyntheticConfig,
        frames: int = 1,
    ) -> None:
        self.model, self.decoder, self.settings = model, decoder, settings
        self.frames = frames
        self.layout = CodeLayout(decoder.code_sizes)
        for name in _LINEAR:
            bias = getattr(getattr(settings, name), "bias", ())
            if len(bias) > self.layout.parts[name].size:
                raise ConfigError(
                    f"data.synthetic.{name}.bias: expected at most {self.layout.parts[name].size} "
                    f"numbers, got {len(bias)}"
                )

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns `[count, N]` codes; see `CodeSampler`.

        Raises:
            ValueError: `count` is no multiple of the frames of a person.
        """
        if count % self.frames:
            raise ValueError(f"count: expected a multiple of {self.frames} frames, got {count}")
        seeds = iter(tf.unstack(tf.random.split(seed, 6)))
        parts = {}
        for name in _LINEAR:
            repeats = 1 if name == "expression" else self.frames
            drawn = draw_coefficients(
                getattr(self.settings, name),
                getattr(self.model, f"{name}_samples"),
                (count // repeats, self.layout.parts[name].size),
                next(seeds),
            )
            parts[name] = tf.repeat(drawn, repeats, axis=0)
        parts["rotation"] = self._rotation(next(seeds), count)
        parts["illumination"] = tf.reshape(self._illumination(next(seeds), count), [count, 27])
        parts["translation"] = self._framing(next(seeds), parts, count)
        return tf.concat([parts[name] for name in self.layout.parts], axis=-1)

    def _rotation(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Yaw, then pitch, then roll, about the axes of the camera, as axis-angle vectors."""
        seeds, turns = tf.unstack(tf.random.split(seed, 3)), []
        for number, name in enumerate(("pitch", "yaw", "roll")):
            angle = _RADIAN * draw(getattr(self.settings, name), [count, 1], seeds[number])
            turns.append(rotation_matrix(angle * np.eye(3, dtype=np.float32)[number]))
        pitch, yaw, roll = turns
        return axis_angle(roll @ pitch @ yaw)

    def _illumination(self, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Ambient light and directional ones, `[count, 9, 3]`."""
        settings = self.settings
        seeds = iter(tf.unstack(tf.random.split(seed, 2 + 4 * LIGHTS)))

        def coloured(strength: tf.Tensor) -> tf.Tensor:
            tint = draw(settings.light_tint, [count, 1, 3], next(seeds))
            return strength * tf.maximum(1 + tint, 0.0)

        ambient = coloured(draw(settings.ambient, [count, 1, 1], next(seeds)))
        coefficients = tf.pad(ambient / SH_CONSTANTS[0], [[0, 0], [0, 8], [0, 0]])
        for _ in range(LIGHTS):
            azimuth, elevation = (
                _RADIAN * draw(distribution, [count], next(seeds))
                for distribution in (settings.light_azimuth, settings.light_elevation)
            )
            across = tf.cos(elevation)
            direction = tf.stack(
                [across * tf.sin(azimuth), tf.sin(elevation), across * tf.cos(azimuth)], axis=-1
            )
            light = coloured(draw(settings.directional, [count, 1, 1], next(seeds)))
            coefficients += light * (sh_basis(direction) * _LOBE)[:, :, None]
        return coefficients

    def _framing(self, seed: tf.Tensor, parts: dict[str, tf.Tensor], count: int) -> tf.Tensor:
        """Translations that put each face where the crop rule would, give or take the jitter."""
        size, focal_length = self.decoder.image_size, self.decoder.focal_length
        start = tf.cast(self.decoder.initial_translation, tf.float32)
        translation = tf.tile(tf.reshape(start, [1, 3]), [count, 1])
        for _ in range(3):
            landmarks = self.decoder.landmarks({**parts, "translation": translation})
            translation = reframe(translation, crop_boxes(landmarks), focal_length, size)
        seeds = tf.unstack(tf.random.split(seed))
        scale = draw(self.settings.crop_scale, [count, 1], seeds[0])
        shift = draw(self.settings.crop_shift, [count, 2], seeds[1])
        return _moved(translation, scale, shift, focal_length)


class CodeNeighbourhood:
    """Draws codes near known ones: the resampling of self-supervised bootstrapping.

    Args:
        codes: `(M, N)`; each is as likely.
        layout: Of the codes.
        focal_length: In sides of the crop.
        noise: Deviations of what is added.
    """

    def __init__(
        self, codes: np.ndarray, layout: CodeLayout, focal_length: float, noise: NoiseConfig
    ) -> None:
        self.count, self.layout = len(codes), layout
        self.codes = tf.convert_to_tensor(codes, tf.float32)  # a constant would be copied by graphs
        self.focal_length, self.noise = focal_length, noise

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns `[count, N]` codes; see `CodeSampler`."""
        noise, seeds = self.noise, iter(tf.unstack(tf.random.split(seed, 9)))
        numbers = tf.random.stateless_uniform([count], next(seeds), 0, self.count, tf.int32)
        parts = self.layout.split(tf.gather(self.codes, numbers))
        for name in _LINEAR:
            parts[name] += getattr(noise, name) * _normal(parts[name], next(seeds))
        turn = _RADIAN * noise.rotation * _normal(parts["rotation"], next(seeds))
        turned = rotation_matrix(turn) @ rotation_matrix(parts["rotation"])
        parts["rotation"] = axis_angle(turned)
        light = parts["illumination"]
        strength = tf.sqrt(tf.reduce_mean(tf.square(light[:, :1]), axis=-1, keepdims=True))
        # Mostly white, and smooth as light on a diffuse surface is.
        white, tint = _normal(light[..., :1], next(seeds)), _normal(light, next(seeds))
        change = (white + _TINT * tint) * (_LOBE / np.pi)[:, None]
        parts["illumination"] += noise.illumination * strength * change
        scale = noise.crop_scale * tf.random.stateless_normal([count, 1], next(seeds))
        shift = noise.crop_shift * tf.random.stateless_normal([count, 2], next(seeds))
        parts["translation"] = _moved(parts["translation"], scale, shift, self.focal_length)
        return self.layout.join(parts)


class MixedSampler:
    """Draws a share of the codes from one sampler and the rest from another, in random order.

    Args:
        first: Draws the share.
        second: Draws the rest.
        share: Probability of the first, for each face.
    """

    def __init__(self, first: CodeSampler, second: CodeSampler, share: float) -> None:
        self.first, self.second, self.share = first, second, share

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns `[count, N]` codes; see `CodeSampler`."""
        seeds = tf.unstack(tf.random.split(seed, 3))
        from_first = tf.random.stateless_uniform([count, 1], seeds[0]) < self.share
        first, second = self.first.draw(count, seeds[1]), self.second.draw(count, seeds[2])
        return tf.where(from_first, first, second)


def _moved(
    translation: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, focal_length: float
) -> tf.Tensor:
    """Faces `exp(scale)` times as far away, shifted in the picture by `shift` of its sides."""
    farther = tf.exp(scale)
    depth = translation[:, 2:] * farther
    # The middle of the face stays where it was in the picture.
    return tf.concat([translation[:, :2] * farther - shift * depth / focal_length, depth], axis=-1)


def _normal(like: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_normal(tf.shape(like), seed)
