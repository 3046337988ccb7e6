"""Phong reflection with point lights (Phong 1975), shaded per pixel as in Genova et al. 2018."""

from __future__ import annotations

import tensorflow as tf

from tfface.rendering.checking import checked


def phong_shading(
    points: tf.Tensor,
    normals: tf.Tensor,
    diffuse: tf.Tensor,
    light_positions: tf.Tensor,
    light_colours: tf.Tensor,
    camera_position: tf.Tensor | tuple[float, float, float] = (0.0, 0.0, 0.0),
    specular: tf.Tensor | None = None,
    shininess: tf.Tensor | float = 10.0,
    ambient: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Colours of lit surface points: c_d (ambient + sum_l I_l n.l) + c_s sum_l I_l (r_l.v)^s.

    r_l is the direction to light l mirrored at the normal; both dot products are cut off at zero,
    and a light behind the surface gives no highlight. Unlike google/tf_mesh_renderer, which scales
    r.v by its norm over all pixels of an image, highlights here depend on their own pixel only;
    see `tfface.rendering.tf_mesh_renderer` for the other.

    Args:
        points: `[B, ..., 3]` surface points, in the frame and units of the lights.
        normals: `[B, ..., 3]` normals of any positive length; zero where there is no surface.
        diffuse: `[B, ..., 3]` reflectance c_d.
        light_positions: `[B, L, 3]`, any number of lights.
        light_colours: `[B, L, 3]` intensities I.
        camera_position: `[3]` or `[B, 3]`; the origin of camera space unless given.
        specular: `[B, ..., 3]` specular colour c_s (see `specular_colour`); None has no highlights.
        shininess: exponent s: a scalar, `[B]` or `[B, ...]`.
        ambient: colour of the light from everywhere: a scalar, `[3]` or `[B, 3]`.

    Returns:
        `[B, ..., 3]` colours, not clipped. Gradients are finite everywhere.

    Raises:
        ValueError: an argument has another shape or dtype; the message names it.
    """
    points = checked(points, "points", ("B", "...", 3))
    normals = checked(normals, "normals", ("B", "...", 3), like=points)
    diffuse = checked(diffuse, "diffuse", ("B", "...", 3), like=points)
    light_positions = checked(light_positions, "light_positions", ("B", "L", 3), like=points)
    light_colours = checked(light_colours, "light_colours", ("B", "L", 3), like=points)
    for name, value in (("normals", normals), ("diffuse", diffuse)):
        if not value.shape.is_compatible_with(points.shape):
            raise ValueError(
                f"{name}: expected the shape of points {points.shape}, got {value.shape}"
            )
    if not light_colours.shape.is_compatible_with(light_positions.shape):
        raise ValueError(
            f"light_colours: expected one for each light {light_positions.shape}, got "
            f"{light_colours.shape}"
        )
    shape = tf.shape(points)
    flat = [tf.reshape(x, [shape[0], -1, 3]) for x in (points, normals, diffuse)]
    points, normals, diffuse = flat[0], tf.math.l2_normalize(flat[1], -1, 1e-20), flat[2]
    to_light = tf.math.l2_normalize(light_positions[:, None] - points[:, :, None], -1, 1e-20)
    facing = tf.einsum("bpc,bplc->bpl", normals, to_light)
    ambient = tf.reshape(
        tf.cast(ambient, diffuse.dtype) * tf.ones([1, 3], diffuse.dtype), [-1, 1, 3]
    )
    colours = diffuse * (ambient + tf.nn.relu(facing) @ light_colours)
    if specular is not None:
        camera = tf.reshape(tf.cast(camera_position, points.dtype), [-1, 1, 3])
        to_camera = tf.math.l2_normalize(camera - points, -1, 1e-20)
        mirrored = 2.0 * facing[..., None] * normals[:, :, None] - to_light
        along = tf.einsum("bplc,bpc->bpl", mirrored, to_camera)
        exponent = tf.cast(shininess, points.dtype)
        if exponent.shape.rank:
            exponent = tf.reshape(exponent, [shape[0], -1, 1])
        highlights = _power(tf.where(facing > 0.0, along, 0.0), exponent)
        colours += tf.reshape(specular, tf.shape(diffuse)) * (highlights @ light_colours)
    return tf.reshape(colours, shape)


def specular_colour(diffuse: tf.Tensor, strength: float) -> tf.Tensor:
    """Genova et al.'s heuristic for a face model without specular colour: c_s = c - c c_d.

    Args:
        diffuse: `[..., 3]` reflectance c_d in [0, 1].
        strength: the constant c in [0, 1].
    """
    return strength - strength * diffuse


def _power(base: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """`max(base, 0)^exponent` whose gradients at a base of zero are zero, not infinite."""
    positive = base > 0.0
    return tf.where(positive, tf.where(positive, base, 1.0) ** exponent, 0.0)
