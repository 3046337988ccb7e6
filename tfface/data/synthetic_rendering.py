"""Pictures of drawn faces: the faces of codes with hair, clothes and something behind."""

from __future__ import annotations

import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.backgrounds import Backgrounds
from tfface.data.distributions import draw, muted_colours
from tfface.data.glasses import draw_glasses
from tfface.data.hair import Hair
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.model import MorphableModel
from tfface.rendering.rasterize import Rasterization, interpolate, rasterize

_CHIN = 8  # iBUG landmark
_SHARPNESS = (8.0, 40.0)  # of highlights, exponents


class FacePainter:
    """Renders codes as training pictures; pure TensorFlow, deterministic in its seeds.

    Args:
        model: The face model.
        decoder: A decoder of that model, at the size of the pictures.
        settings: Hair, gloss, glasses, collars, backgrounds and supersampling.

    Raises:
        PhotoError: the folder of backgrounds has no pictures.
    """

    def __init__(
        self, model: MorphableModel, decoder: FaceDecoder, settings: SyntheticConfig
    ) -> None:
        self.decoder, self.settings = decoder, settings
        self.layout = CodeLayout(decoder.code_sizes)
        self.triangles = tf.constant(model.triangles)
        self.hair = Hair(model, settings)
        self.size = decoder.image_size
        self.backgrounds = Backgrounds(self.size, settings.backgrounds, settings.background_share)

    def __call__(self, codes: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Paints faces.

        Args:
            codes: `[B, N]`.
            seed: `[2]` whole numbers.

        Returns:
            `image` `[B, S, S, 3]` float32 in [0, 1] and `landmarks` `[B, 68, 2]` in pixels.
        """
        seeds = tf.unstack(tf.random.split(seed, 5))
        face = self.decoder(self.layout.split(codes))
        points, albedo = self.hair.grow(face, seeds[0])
        colours = albedo * face["shading"] + self._highlights(face["normals"], seeds[3])
        head, opacity = self._draw(points, colours)
        behind = self.backgrounds(codes.shape[0], seeds[1])
        clothes, cloth, worn = self._clothes(face["landmarks"], seeds[2])
        behind += cloth * (clothes - behind)
        image = head + (1.0 - opacity) * behind
        if self.settings.glasses:
            image = draw_glasses(image, face["landmarks"], self.settings.glasses, seeds[4])
        image += worn * cloth * (clothes - image)
        return {"image": image, "landmarks": face["landmarks"]}

    def maps(self, codes: tf.Tensor) -> dict[str, tf.Tensor]:
        """The geometry of faces at the centre of each pixel, without what hides it in the picture.

        Args:
            codes: `[B, N]`.

        Returns:
            `depth` `[B, S, S, 1]` mm along the viewing axis, 0 where no face is; `normals`
            `[B, S, S, 3]` unit in camera space, 0 there; `mask` `[B, S, S, 1]` 1 where the face is.
        """
        face = self.decoder(self.layout.split(codes))
        hit = self._rasterize(face["points"], 1)
        normals = tf.math.l2_normalize(interpolate(face["normals"], hit, self.triangles), axis=-1)
        mask = tf.cast(hit.mask, tf.float32)[..., None]
        return {"depth": hit.depth[..., None] * mask, "normals": normals * mask, "mask": mask}

    def _highlights(self, normals: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """What a white light adds by reflection (Blinn's half vector), `[B, V, 1]`."""
        count, seeds = normals.shape[0], tf.unstack(tf.random.split(seed, 3))
        strength = draw(self.settings.gloss, [count, 1], seeds[0])
        light = tf.random.stateless_normal([count, 3], seeds[1]) * [1.0, 1.0, 0.5] + [0.0, 0.5, 1.0]
        half = tf.math.l2_normalize(tf.math.l2_normalize(light, axis=-1) + [0.0, 0.0, 1.0], axis=-1)
        cosine = tf.maximum(tf.linalg.matvec(normals, half), 0.0)
        sharpness = tf.random.stateless_uniform([count, 1], seeds[2], *_SHARPNESS)
        return (strength * cosine**sharpness)[..., None]

    def _rasterize(self, points: tf.Tensor, supersampling: int) -> Rasterization:
        size = self.size * supersampling
        focal_length = self.decoder.focal_length * size
        return rasterize(points, self.triangles, focal_length, (size / 2, size / 2), size, size)

    def _draw(self, points: tf.Tensor, colours: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The shaded heads on black, `[B, S, S, 3]`, and their opacity, `[B, S, S, 1]`."""
        factor = self.settings.supersampling
        hit = self._rasterize(points, factor)
        colours = tf.clip_by_value(interpolate(colours, hit, self.triangles), 0.0, 1.0)
        opacity = tf.cast(hit.mask, tf.float32)[..., None]
        pictures = tf.concat([colours * opacity, opacity], axis=-1)
        pictures = tf.nn.avg_pool2d(pictures, factor, factor, "VALID") if factor > 1 else pictures
        return pictures[..., :3], pictures[..., 3:]

    def _clothes(
        self, landmarks: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Colour `[B, 1, 1, 3]` and shape `[B, S, S, 1]` of clothes; whether they hide the neck.

        The shape is the top of an ellipse, with an edge of one pixel. A collar's top lies about the
        chin, other clothes' at the lower end of the picture.
        """
        count, seeds = landmarks.shape[0], tf.unstack(tf.random.split(seed, 2))
        draws = tf.random.stateless_uniform([count, 4, 1, 1], seeds[0])
        colour = muted_colours(tf.random.stateless_uniform([count, 1, 1, 4], seeds[1]))
        worn = tf.cast(draws[:, 0] < self.settings.collar, tf.float32)
        chin = landmarks[:, _CHIN, 1, None, None] / self.size
        top = 0.86 + 0.12 * draws[:, 1] + worn * (chin - 0.9)
        where = (tf.range(self.size, dtype=tf.float32) + 0.5) / self.size
        width, height = 0.45 + 0.25 * draws[:, 2], 0.3 + 0.2 * draws[:, 3]
        across = tf.square((where[None, None, :] - 0.5) / width)
        down = tf.square((where[None, :, None] - top - height) / height)
        # Beneath its middle the ellipse goes straight down.
        down = tf.where(where[None, :, None] > top + height, 0.0, down)
        inside = (1.0 - tf.sqrt(across + down)) * height * self.size
        shape = tf.clip_by_value(inside + 0.5, 0.0, 1.0)[..., None]
        return colour, shape, worn[..., None]
