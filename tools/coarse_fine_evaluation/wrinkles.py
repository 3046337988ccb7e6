"""Faces with wrinkles whose depth is known.

A wrinkle is a groove with raised lips, along a curve on the mean face: lines across the forehead,
between the brows, crow's feet, and the folds from the nose to the corners of the mouth. All are
drawn with the face (its PNCC tells each pixel where on the mean face it lies), displace the surface
towards the camera, and are lit like it: Lambertian, nine spherical harmonics of the sampled light,
the sampled albedo of all modes, at twice the size, averaged, with noise. So the picture follows the
criterion's assumptions, which knows four harmonics and ten modes, less than to the letter; but
there are no highlights, cast shadows, hair or stubble as in photos. No system is trained on them,
but FineNet of `configs/coarse_fine.yaml` on random relief that is lit in the same manner by such
lights, an advantage over an algorithm that no one taught.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import Normal, SyntheticConfig, Uniform
from tfface.data.code_samplers import FaceSampler
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.shape_from_shading import height_normals
from tfface.morphable.model import MorphableModel
from tfface.rendering.rasterize import interpolate
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.rendering.weak_perspective import pixels_per_mm
from tfface.systems.face_maps import FaceMapRenderer

# Curves in mm of the default mean face, seen from the front: ends, and how far the middle bends up.
_CURVES = (
    ((-34.0, 84.0), (34.0, 84.0), 4.0),
    ((-36.0, 76.0), (36.0, 76.0), 5.0),
    ((-32.0, 69.0), (32.0, 69.0), 5.0),
    ((-5.0, 52.0), (-4.0, 66.0), 0.0),
    ((5.0, 52.0), (4.0, 66.0), 0.0),
    *(
        curve
        for side in (-1.0, 1.0)
        for curve in (
            ((side * 52.0, 40.0), (side * 64.0, 46.0), 1.0),
            ((side * 52.0, 36.0), (side * 65.0, 37.0), 0.0),
            ((side * 51.0, 32.0), (side * 62.0, 27.0), 0.0),
            ((side * 19.0, -4.0), (side * 33.0, -36.0), 4.0),
        )
    ),
)
_POINTS = 80  # of a curve
_DEPTH = (0.6, 1.6)  # mm, of a groove's middle
_NOISE = 0.01  # standard deviation, of intensities in [0, 1]
_WIDTH = (1.4, 2.6)  # mm, standard deviation of its profile
_LIT = SyntheticConfig(
    yaw=Normal(deviation=12.0, low=-25.0, high=25.0),
    pitch=Normal(deviation=6.0, low=-12.0, high=12.0),
    ambient=Uniform(low=0.3, high=0.6),
    directional=Uniform(low=0.15, high=0.6),
    light_tint=Normal(deviation=0.02),
)


@dataclass(frozen=True, eq=False)
class WrinkledFaces:
    """B drawn faces (S by S pixels).

    Attributes:
        images: `(B, S, S, 3)` in [0, 1].
        codes: `(B, N)` of the decoder.
        smooth: `(B, S, S, 1)` heights without wrinkles, px.
        heights: `(B, S, S, 1)` with them.
        mask: `(B, S, S, 1)`, 1 on the face.
        scale: `(B,)` px per mm.
    """

    images: np.ndarray
    codes: np.ndarray
    smooth: np.ndarray
    heights: np.ndarray
    mask: np.ndarray
    scale: np.ndarray


def draw_wrinkled_faces(
    model: MorphableModel, decoder: FaceDecoder, skin: np.ndarray, count: int, seed: int
) -> WrinkledFaces:
    """Draws faces with random wrinkles.

    Args:
        model: The default face model, for whose mean face the curves are.
        decoder: Of it, with a distant camera.
        skin: `(V,)` weight of the vertices on the face.
        count: B.
        seed: Of everything.
    """
    size, maps = 2 * decoder.image_size, FaceMapRenderer(decoder)
    seeds = tf.constant([seed, 0], tf.int64)
    codes = FaceSampler(model, decoder, _LIT).draw(count, seeds)
    parts = CodeLayout(decoder.code_sizes).split(codes)
    faces = maps.see(parts, size)
    values = tf.concat(
        [
            decoder.face_model.albedo_colours(parts["albedo"]),
            tf.tile(tf.constant(model.mean, tf.float32)[None], [count, 1, 1]),
            tf.tile(tf.constant(skin[:, None], tf.float32)[None], [count, 1, 1]),
        ],
        axis=-1,
    )
    albedo, places, on_face = tf.split(
        interpolate(values, faces.seen, maps.triangles), [3, 3, 1], axis=-1
    )
    scale = pixels_per_mm(parts["translation"], decoder.focal_length, size)
    random = np.random.default_rng(seed)
    relief = np.stack([_relief(random, place) for place in places.numpy()])[..., None]
    smooth = faces.height.numpy()
    heights = smooth + relief * on_face.numpy() * scale.numpy()[:, None, None, None]
    normals = tf.reshape(height_normals(tf.constant(heights)), [count, -1, 3])
    shading = tf.reshape(sh_shading(normals, parts["illumination"]), albedo.shape)
    images = tf.clip_by_value(albedo * shading, 0.0, 1.0) * faces.mask + 0.5 * (1.0 - faces.mask)
    images = _halved(images) + random.normal(0.0, _NOISE, (count, *2 * [size // 2], 3))
    return WrinkledFaces(
        np.clip(images, 0.0, 1.0).astype(np.float32),
        codes.numpy(),
        _halved(smooth) / 2,
        _halved(heights) / 2,
        (_halved(on_face) > 0.99).astype(np.float32),
        scale.numpy() / 2,
    )


def _halved(maps: tf.Tensor) -> np.ndarray:
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID").numpy()


def _relief(random: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """Displacement `(S, S)` in mm of pixels that lie at `(S, S, 3)` on the mean face."""
    total = np.zeros(places.shape[:2], np.float32)
    for start, end, bend in _CURVES:
        if random.random() < 0.2:
            continue
        depth, width = random.uniform(*_DEPTH), random.uniform(*_WIDTH)
        along = np.linspace(0.0, 1.0, _POINTS)[:, None]
        curve = np.array(start) + along * (np.array(end) - np.array(start))
        curve = curve + random.normal(0.0, 1.5, 2)
        curve[:, 1:] += bend * 4.0 * along * (1.0 - along)
        offsets = places[..., None, :2] - curve  # (S, S, P, 2)
        squared = np.sum(offsets**2, axis=-1)
        nearest = np.argmin(squared, axis=-1)
        distance = np.sqrt(np.min(squared, axis=-1)) / width
        fade = np.sin(np.pi * np.clip((nearest + 0.5) / _POINTS, 0.0, 1.0)) ** 0.5
        # A groove whose lips rise, on the front of the head only.
        profile = -depth * (1.0 - 0.5 * distance**2) * np.exp(-0.5 * distance**2)
        total += np.where(places[..., 2] > 0.0, fade * profile, 0.0)
    return total
