"""Pictures of what a system sees: the columns of an image grid."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfface.layers.face_decoder import FaceDecoder
from tfface.rendering.clay import clay_colours
from tfface.rendering.rasterize import interpolate, rasterize


def draw_columns(
    decoder: FaceDecoder, parts: Mapping[str, tf.Tensor], images: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Draws the faces of codes over the pictures that they came from.

    Args:
        decoder: The decoder of the code.
        parts: The parts of `[B]` codes.
        images: `[B, S, S, 3]` in [0, 1].

    Returns:
        `input`, `render`, `overlay`, `geometry`, `albedo`, `shading`: `[B, S, S, 3]` in [0, 1];
        outside of the head the render is black, the overlay shows the picture.
    """
    images = tf.convert_to_tensor(images, tf.float32)
    size = decoder.image_size
    face = decoder(parts)
    triangles = tf.constant(decoder.normals.topology.triangles)
    focal = decoder.focal_length * size
    hit = rasterize(face["points"], triangles, focal, (size / 2, size / 2), size, size)
    looks = {
        "render": face["colours"],
        "geometry": clay_colours(face["normals"]),
        "albedo": face["albedo"],
        "shading": face["shading"],
    }
    pictures = interpolate(tf.concat(list(looks.values()), axis=-1), hit, triangles)
    columns = dict(zip(looks, tf.split(pictures, len(looks), axis=-1), strict=True))
    overlay = tf.where(hit.mask[..., None], columns["render"], images)
    columns = {"input": images, "overlay": overlay, **columns}
    return {name: tf.clip_by_value(column, 0.0, 1.0) for name, column in columns.items()}
