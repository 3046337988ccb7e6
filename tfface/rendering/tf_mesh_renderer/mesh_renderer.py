"""Renders a mesh with Phong shading, as google/tf_mesh_renderer does."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfface.rendering.checking import checked
from tfface.rendering.tf_mesh_renderer import camera_utils, rasterize_triangles
from tfface.rendering.tone_mapping import tone_map

_EACH = ("batch_size", "n", 3)


def phong_shader(
    normals: tf.Tensor,
    alphas: tf.Tensor,
    pixel_positions: tf.Tensor,
    light_positions: tf.Tensor,
    light_intensities: tf.Tensor,
    diffuse_colors: tf.Tensor | None = None,
    camera_position: tf.Tensor | None = None,
    specular_colors: tf.Tensor | None = None,
    shininess_coefficients: tf.Tensor | None = None,
    ambient_color: tf.Tensor | None = None,
) -> tf.Tensor:
    """Lights the pixels of rasterised buffers and turns the picture upright.

    The original's quirk is kept: the cosine between mirrored light and camera is divided by its
    Euclidean norm over all pixels of the image, so that highlights depend on the size of the
    picture and on every other pixel. `tfface.rendering.phong` has the model without it.

    Args:
        normals: `[B, H, W, 3]` unit normals, first row at the bottom.
        alphas: `[B, H, W]` coverage; the colour is black where it is at most 0.5.
        pixel_positions: `[B, H, W, 3]` surface points.
        light_positions: `[B, L, 3]`.
        light_intensities: `[B, L, 3]`.
        diffuse_colors: `[B, H, W, 3]`; None is white.
        camera_position: `[B, 3]`; with None there are no highlights.
        specular_colors: `[B, H, W, 3]`; None is black.
        shininess_coefficients: anything that broadcasts to `[B, H, W]`.
        ambient_color: `[B, 3]`; None is black.

    Returns:
        `[B, H, W, 4]` RGBA, first row at the top.
    """
    diffuse = tf.ones_like(normals) if diffuse_colors is None else diffuse_colors
    lights = light_positions[:, :, None, None]  # (B, L, 1, 1, 3), as all that follows
    intensities = light_intensities[:, :, None, None]
    to_light = tf.nn.l2_normalize(lights - pixel_positions[:, None], axis=-1)
    facing = tf.reduce_sum(normals[:, None] * to_light, axis=-1, keepdims=True)
    facing = tf.clip_by_value(facing, 0.0, 1.0)
    colors = tf.reduce_sum(diffuse[:, None] * facing * intensities, axis=1)
    if ambient_color is not None:
        colors += ambient_color[:, None, None] * diffuse
    if camera_position is not None and specular_colors is not None:
        mirrored = tf.nn.l2_normalize(2.0 * facing * normals[:, None] - to_light, axis=-1)
        eye = camera_position[:, None, None]
        to_eye = tf.nn.l2_normalize(eye - pixel_positions, axis=-1)
        along = tf.reduce_sum(to_eye[:, None] * mirrored, axis=-1, keepdims=True)
        along = tf.clip_by_value(tf.nn.l2_normalize(along, axis=[2, 3]), 0.0, 1.0)  # the quirk
        along = tf.where(facing != 0.0, along, 0.0)
        shininess = tf.convert_to_tensor(shininess_coefficients, colors.dtype)[:, None, ..., None]
        highlights = specular_colors[:, None] * along**shininess * intensities
        colors += tf.reduce_sum(highlights, axis=1)
    alphas = alphas[..., None]
    return tf.reverse(tf.concat([tf.where(alphas > 0.5, colors, 0.0), alphas], -1), axis=[1])


def tone_mapper(image: tf.Tensor, gamma: tf.Tensor | float) -> tf.Tensor:
    """Gamma correction, scaled to a largest value of 1 in each image and clipped.

    Args:
        image: `[B, H, W, C]`, not negative.
        gamma: exponent.

    Returns:
        `[B, H, W, C]` in [0, 1].
    """
    return tone_map(image, gamma)


def mesh_renderer(
    vertices: tf.Tensor,
    triangles: tf.Tensor,
    normals: tf.Tensor,
    diffuse_colors: tf.Tensor,
    camera_position: tf.Tensor,
    camera_lookat: tf.Tensor,
    camera_up: tf.Tensor,
    light_positions: tf.Tensor,
    light_intensities: tf.Tensor,
    image_width: int,
    image_height: int,
    specular_colors: tf.Tensor | None = None,
    shininess_coefficients: tf.Tensor | float | None = None,
    ambient_color: tf.Tensor | None = None,
    fov_y: tf.Tensor | float = 40.0,
    near_clip: tf.Tensor | float = 0.01,
    far_clip: tf.Tensor | float = 10.0,
) -> tf.Tensor:
    """Renders a mesh, lit by point lights, and returns RGBA images.

    Args:
        vertices: `[B, V, 3]` world space.
        triangles: `[T, 3]` int32.
        normals: `[B, V, 3]` unit normals.
        diffuse_colors: `[B, V, 3]` in [0, 1].
        camera_position: `[B, 3]` or `[3]`.
        camera_lookat: `[B, 3]` or `[3]`, a point at the middle of the picture.
        camera_up: `[B, 3]` or `[3]`.
        light_positions: `[B, L, 3]`.
        light_intensities: `[B, L, 3]`.
        image_width: pixels.
        image_height: pixels.
        specular_colors: `[B, V, 3]`, together with `shininess_coefficients`.
        shininess_coefficients: a number, `[B]` or `[B, V]`.
        ambient_color: `[B, 3]`.
        fov_y: vertical field of view in degrees, a number or `[B]`.
        near_clip: distance of the near plane, a number or `[B]`.
        far_clip: distance of the far plane, a number or `[B]`.

    Returns:
        `[B, H, W, 4]`: colours before tone mapping, and 1 on the mesh, 0 elsewhere.

    Raises:
        ValueError: an argument has another shape, or one of specular_colors and
            shininess_coefficients comes without the other; the message names it.
    """
    vertices = _floats(vertices, "vertices", _EACH)
    normals = _like(vertices, normals, "normals")
    diffuse_colors = _like(vertices, diffuse_colors, "diffuse_colors")
    light_positions = _floats(light_positions, "light_positions", _EACH)
    light_intensities = _like(light_positions, light_intensities, "light_intensities")
    if (specular_colors is None) != (shininess_coefficients is None):
        raise ValueError(
            "specular_colors, shininess_coefficients: expected both or neither, got "
            f"{_given(specular_colors)} and {_given(shininess_coefficients)}"
        )
    batch = tf.shape(vertices)[0]
    eye = _per_image(camera_position, 3, batch, "camera_position")
    center = _per_image(camera_lookat, 3, batch, "camera_lookat")
    up = _per_image(camera_up, 3, batch, "camera_up")
    if ambient_color is not None:
        ambient_color = _per_image(ambient_color, 3, batch, "ambient_color")
    lens = [
        _per_image(value, None, batch, name)
        for name, value in (("fov_y", fov_y), ("near_clip", near_clip), ("far_clip", far_clip))
    ]
    attributes = [normals, vertices, diffuse_colors]
    if specular_colors is not None:
        attributes.append(_like(vertices, specular_colors, "specular_colors"))
        shininess = tf.convert_to_tensor(shininess_coefficients, tf.float32)
        if shininess.shape.rank == 2:
            attributes.append(shininess[..., None])
    attributes = tf.concat(attributes, axis=2)
    projection = camera_utils.perspective(image_width / image_height, *lens)
    camera = tf.matmul(projection, camera_utils.look_at(eye, center, up))
    background = [-1.0] * attributes.shape[2]
    pixels = rasterize_triangles.rasterize(
        vertices, attributes, triangles, camera, image_width, image_height, background
    )
    diffuse = pixels[..., 6:9]
    options: dict[str, Any] = {}
    if specular_colors is not None:
        per_pixel = shininess.shape.rank == 2
        options = {
            "camera_position": eye,
            "specular_colors": pixels[..., 9:12],
            "shininess_coefficients": (
                pixels[..., 12] if per_pixel else tf.reshape(shininess, [-1, 1, 1])
            ),
        }
    return phong_shader(
        normals=tf.nn.l2_normalize(pixels[..., :3], axis=-1),
        alphas=tf.cast(tf.reduce_any(diffuse >= 0, axis=-1), tf.float32),
        pixel_positions=pixels[..., 3:6],
        light_positions=light_positions,
        light_intensities=light_intensities,
        diffuse_colors=diffuse,
        ambient_color=ambient_color,
        **options,
    )


def _floats(value: Any, name: str, shape: tuple[Any, ...]) -> tf.Tensor:
    try:
        value = tf.cast(value, tf.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected numbers, got {value!r}") from error
    return checked(value, name, shape)


def _like(other: tf.Tensor, value: Any, name: str) -> tf.Tensor:
    value = _floats(value, name, _EACH)
    if not value.shape.is_compatible_with(other.shape):
        raise ValueError(f"{name}: expected shape {other.shape}, got {value.shape}")
    return value


def _per_image(value: Any, size: int | None, batch: tf.Tensor, name: str) -> tf.Tensor:
    """`[B, size]` (or `[B]`) of what is given for each image or once for all."""
    value = tf.convert_to_tensor(value, tf.float32)
    inner = [] if size is None else [size]
    rank = len(inner)
    if value.shape.rank not in (rank, rank + 1) or (value.shape[-rank:] != inner and size):
        expected = f"[batch_size, {size}] or [{size}]" if size else "[batch_size] or a number"
        raise ValueError(f"{name}: expected shape {expected}, got {value.shape}")
    return tf.broadcast_to(value, tf.concat([[batch], tf.constant(inner, tf.int32)], 0))


def _given(value: Any) -> str:
    return "None" if value is None else "a value"
