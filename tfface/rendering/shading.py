"""From reflectance and light to colour: the image formation model of MoFA, eq. (4)."""

from __future__ import annotations

import tensorflow as tf

from tfface.rendering.spherical_harmonics import sh_shading


def lambertian_colours(albedo: tf.Tensor, normals: tf.Tensor, illumination: tf.Tensor) -> tf.Tensor:
    """Radiosity of a Lambertian surface under distant light, C = r * sum_b gamma_b H_b(n) (eq.
    (4)).

    Args:
        albedo: `[B, V, 3]` reflectance r.
        normals: `[B, V, 3]` unit normals in camera space.
        illumination: `[B, 9, 3]` spherical-harmonics coefficients gamma.

    Returns:
        `[B, V, 3]` colours in the values of the image (not clipped to [0, 1]).
    """
    return albedo * sh_shading(normals, illumination)
