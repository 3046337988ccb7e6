"""Pictures of drawn faces: the face of a code with hair, clothes and something behind."""

from __future__ import annotations

import tensorflow as tf

from tfface.code import CodeLayout
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.rasterize import interpolate, rasterize

HAIR_HEIGHT = (3.0, 28.0)  # mm that a mop of hair stands off the scalp


class FacePainter:
    """Renders codes as training pictures; pure TensorFlow, deterministic in its seeds.

    Args:
        model: The face model; its region `scalp`, where it has one, grows hair.
        decoder: A decoder of that model, at the size of the pictures.
        hair: Probability of hair.
        supersampling: Pictures are drawn so many times larger and averaged.
    """

    def __init__(
        self, model: MorphableModel, decoder: FaceDecoder, hair: float, supersampling: int
    ) -> None:
        self.decoder, self.hair = decoder, hair
        self.layout = CodeLayout(decoder.code_sizes)
        self.supersampling = supersampling
        self.size = decoder.image_size * supersampling
        self.triangles = tf.constant(model.triangles)
        self.positions = tf.constant(model.mean, tf.float32)
        bald = tf.zeros([model.vertex_count])
        self.scalp = tf.constant(model.regions["scalp"]) if "scalp" in model.regions else bald

    def __call__(self, code: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Paints one face.

        Args:
            code: `[N]`.
            seed: `[2]` int32.

        Returns:
            `[S, S, 3]` float32 in [0, 1].
        """
        seeds = tf.random.split(seed, 4)
        face = self.decoder(self.layout.split(code[None]))
        vertices, albedo = self._grow_hair(face, seeds[0])
        picture, mask = self._draw(face, vertices, albedo)
        behind = self._background(seeds[1])
        picture = tf.where(mask[..., None], tf.clip_by_value(picture, 0.0, 1.0), behind)
        return average_pool(picture, self.supersampling)

    def _draw(
        self, face: dict[str, tf.Tensor], vertices: tf.Tensor, albedo: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The shaded head, `[H, W, 3]`, and where it is, `[H, W]`."""
        focal, centre = self.decoder.focal_length * self.size, (self.size / 2, self.size / 2)
        hit = rasterize(vertices, self.triangles, focal, centre, self.size, self.size)
        colours = albedo * face["shading"]
        return interpolate(colours, hit, self.triangles)[0], hit.mask[0]

    def _grow_hair(
        self, face: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Lifts the scalp along its normals and, half of the time, dyes it."""
        seeds = tf.random.split(seed, 5)
        grows = tf.cast(tf.random.stateless_uniform([], seeds[0]) < self.hair, tf.float32)
        height = tf.random.stateless_uniform([], seeds[1], *HAIR_HEIGHT)
        # Tufts: a random sum of waves over the head.
        directions = tf.random.stateless_normal([3, 6], seeds[2], stddev=0.06)
        phases = tf.random.stateless_uniform([6], seeds[3], 0.0, 6.28)
        waves = tf.sin(self.positions @ directions + phases)
        tufts = 1.0 + 0.25 * tf.reduce_mean(waves, axis=-1)
        lift = grows * height * tufts * self.scalp
        vertices = face["points"] + lift[None, :, None] * face["normals"]
        dye = tf.random.stateless_uniform([5], seeds[4])
        brightness = 0.05 + 0.75 * tf.pow(dye[0], 2.0)
        tone = tf.stack([1.0, 0.95 - 0.25 * dye[1], 0.9 - 0.5 * dye[1] * dye[2]]) * brightness
        strands = 1.0 + 0.3 * tf.sin(self.positions @ directions[:, :1] * 14.0)
        covered = grows * tf.cast(dye[3] < 0.5, tf.float32) * self.scalp[None, :, None]
        return vertices, albedo_mix(face["albedo"], tone * strands, covered)

    def _background(self, seed: tf.Tensor) -> tf.Tensor:
        """Smooth colour noise at two scales, a gradient, and the clothes below: `[H, W, 3]`."""
        seeds = tf.random.split(seed, 6)
        size, shape = self.size, (self.size, self.size)
        base = tf.random.stateless_uniform([1, 1, 4], seeds[0], 0.05, 0.95)
        picture = 0.6 * base[..., :1] + 0.4 * base[..., 1:]
        for index, cells in ((1, 3), (2, 12)):
            level = tf.random.stateless_uniform([], seeds[5], 0.0, 0.5 / index)
            noise = tf.random.stateless_normal([cells, cells, 4], seeds[index])
            noise = 0.7 * noise[..., :1] + 0.3 * noise[..., 1:]  # mostly grey, as rooms are
            picture += level * tf.image.resize(noise, shape, "bicubic")
        where = (tf.range(size, dtype=tf.float32) + 0.5) / size
        shirt = tf.random.stateless_uniform([5], seeds[3])
        across = tf.square((where - 0.5) / (0.45 + 0.25 * shirt[0]))[None, :]
        down = tf.square((where - 1.28) / (0.3 + 0.12 * shirt[1]))[:, None]
        clothes = (across + down < 1.0)[..., None]
        return tf.clip_by_value(tf.where(clothes, shirt[2:], picture), 0.0, 1.0)


def albedo_mix(albedo: tf.Tensor, other: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Colours between two albedos."""
    return albedo + weight * (other - albedo)


def average_pool(picture: tf.Tensor, factor: int) -> tf.Tensor:
    """Averages blocks of `factor` x `factor` pixels of `[H, W, C]`."""
    return picture if factor == 1 else tf.nn.avg_pool2d(picture[None], factor, factor, "VALID")[0]
