"""Aligned pictures of faces under given pose and lights: the renderer of Genova et al. 2018."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfface.layers.face_decoder import FaceDecoder
from tfface.rendering.cameras import rotate
from tfface.rendering.chip_alignment import align_to_chip
from tfface.rendering.colour_temperature import random_light_colours
from tfface.rendering.phong import phong_shading, specular_colour
from tfface.rendering.rasterize import interpolate, rasterize
from tfface.rendering.rotations import axis_angle, rotation_matrix

LIGHTS = 2
SPECULAR = 0.15  # the constant c of the paper's specular colours
_GAMMA = 2.2  # of pictures: lamps' colours are linear, albedo is not
_RADIAN = 3.14159265 / 180


@dataclass(frozen=True)
class Views:
    """How B faces are seen.

    Attributes:
        rotation: `[B, 3]` axis-angle, radians.
        lights: `[B, 2, 3]` positions in camera space, mm from the head.
        colours: `[B, 2, 3]` of the lights, in the picture's values.
        ambient: `[B, 3]`, likewise.
        background: `[B, 1, 1, 3]`.
    """

    rotation: tf.Tensor
    lights: tf.Tensor
    colours: tf.Tensor
    ambient: tf.Tensor
    background: tf.Tensor


def draw_views(count: int | tf.Tensor, seed: tf.Tensor) -> Views:
    """Random poses, and two point lights of random place, strength and colour temperature.

    Poses are as in portraits: yaw of 18, pitch of 8, roll of 5 degrees (standard deviations; of
    roll little is left in an aligned chip). The lights stand several metres away, before the face;
    each has a colour temperature of its own (in the paper, those of a picture share one).

    Args:
        count: B, a number or a tensor.
        seed: `[2]` whole numbers.
    """
    seeds = tf.unstack(tf.random.split(seed, 6))
    normal = tf.clip_by_value(tf.random.stateless_normal([3, count, 1], seeds[0]), -2.2, 2.2)
    pitch, yaw, roll = (
        rotation_matrix(_RADIAN * deviation * angle * tf.one_hot(axis, 3)[None])
        for axis, (deviation, angle) in enumerate(
            zip((8.0, 18.0, 5.0), tf.unstack(normal), strict=True)
        )
    )
    direction = tf.random.stateless_normal([count, LIGHTS, 3], seeds[1])
    direction = tf.math.l2_normalize(direction * [1.0, 0.6, 0.5] + [0.0, 0.3, 1.2], axis=-1)
    lamps = tf.reshape(random_light_colours(seeds[2], count * LIGHTS), [count, LIGHTS, 3])
    strength = tf.random.stateless_uniform([count, LIGHTS, 1], seeds[3], 0.25, 0.7)
    ambient = tf.random.stateless_uniform([count, 1], seeds[4], 0.25, 0.5)
    background = tf.random.stateless_uniform([count, 1, 1, 3], seeds[5])
    return Views(
        rotation=axis_angle(roll @ pitch @ yaw),
        lights=4000.0 * direction,
        colours=strength * lamps ** (1 / _GAMMA),
        ambient=tf.tile(ambient, [1, 3]),
        background=background,
    )


def frontal_views(count: int, lit: bool = True) -> Views:
    """The same for all: from the front, in even light (or, not lit, the bare reflectance)."""
    lights = 4000.0 * tf.math.l2_normalize([[-0.6, 0.5, 1.0], [0.7, 0.3, 1.0]], axis=-1)
    strength = 0.4 if lit else 0.0
    return Views(
        rotation=tf.zeros([count, 3]),
        lights=tf.tile(lights[None], [count, 1, 1]),
        colours=tf.fill([count, LIGHTS, 3], strength),
        ambient=tf.fill([count, 3], 0.45 if lit else 1.0),
        background=tf.zeros([count, 1, 1, 3]),
    )


class ChipRenderer:
    """Draws faces as a recognition network sees them: aligned, Phong-shaded, perspective.

    Deferred shading: positions, normals and reflectance are interpolated at each pixel, then lit.
    Gradients reach shape and reflectance, not the choice of triangles (as in the paper).

    Args:
        decoder: Of the face model; its camera is used.
        size: S of the chips, pixels.
    """

    def __init__(self, decoder: FaceDecoder, size: int) -> None:
        self.decoder, self.size = decoder, size

    def __call__(
        self, identity: tf.Tensor, expression: tf.Tensor, albedo: tf.Tensor, views: Views
    ) -> tf.Tensor:
        """Coefficients `[B, K]` in sigmas -> chips `[B, S, S, 3]` in [0, 1]."""
        decoder = self.decoder
        vertices = decoder.face_model.vertices(identity, expression)
        rotation = rotation_matrix(views.rotation)
        turned, normals = rotate(vertices, rotation), rotate(decoder.normals(vertices), rotation)
        points = turned + tf.constant([0.0, 0.0, decoder.initial_translation[2]])
        landmarks = tf.gather(points, decoder.landmark_vertices, axis=1)
        aligned = align_to_chip(points, landmarks, decoder.focal_length)
        triangles = tf.constant(decoder.normals.topology.triangles)
        focal, middle = decoder.focal_length * self.size, self.size / 2
        seen = rasterize(aligned, triangles, focal, (middle, middle), self.size, self.size)
        colours = decoder.face_model.albedo_colours(albedo)
        surface = interpolate(tf.concat([turned, normals, colours], axis=-1), seen, triangles)
        places, normals, diffuse = tf.split(surface, 3, axis=-1)
        diffuse = tf.clip_by_value(diffuse, 0.0, 1.0)
        picture = phong_shading(
            places,
            normals,
            diffuse,
            views.lights,
            views.colours,
            camera_position=(0.0, 0.0, -decoder.initial_translation[2]),
            specular=specular_colour(diffuse, SPECULAR),
            ambient=views.ambient,
        )
        picture = tf.where(seen.mask[..., None], picture, views.background)
        return tf.clip_by_value(picture, 0.0, 1.0)
