"""Real spherical harmonics of three bands; their order and constants are written only here.

Order: 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2; orthonormal over the unit sphere, without the
Condon-Shortley sign.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

SH_CONSTANTS: tuple[float, ...] = (
    math.sqrt(1 / (4 * math.pi)),  # 1
    math.sqrt(3 / (4 * math.pi)),  # y
    math.sqrt(3 / (4 * math.pi)),  # z
    math.sqrt(3 / (4 * math.pi)),  # x
    math.sqrt(15 / (4 * math.pi)),  # xy
    math.sqrt(15 / (4 * math.pi)),  # yz
    math.sqrt(5 / (16 * math.pi)),  # 3z^2 - 1
    math.sqrt(15 / (4 * math.pi)),  # xz
    math.sqrt(15 / (16 * math.pi)),  # x^2 - y^2
)


def sh_basis(normals: tf.Tensor) -> tf.Tensor:
    """The nine basis functions H_b(n) of eq. (4).

    Args:
        normals: `[..., 3]` unit vectors.

    Returns:
        `[..., 9]` values in the order of `SH_CONSTANTS`.
    """
    normals = tf.convert_to_tensor(normals)
    constants = tf.constant(SH_CONSTANTS, normals.dtype)
    return tf.stack(_polynomials(normals), axis=-1) * constants


def sh_basis_gradient(normals: tf.Tensor) -> tf.Tensor:
    """The derivatives dH_b / dn of the basis functions, `[..., 3]` -> `[..., 9, 3]`.

    Of the polynomials in x, y, z that `sh_basis` computes, in all three coordinates.
    """
    x, y, z = tf.unstack(tf.convert_to_tensor(normals), axis=-1)
    one, zero = tf.ones_like(x), tf.zeros_like(x)
    by_axis = [
        [zero, zero, zero, one, y, zero, zero, z, 2 * x],
        [zero, one, zero, zero, x, z, zero, zero, -2 * y],
        [zero, zero, one, zero, zero, y, 6 * z, x, zero],
    ]
    constants = tf.constant(SH_CONSTANTS, x.dtype)[:, None]
    return tf.stack([tf.stack(column, axis=-1) for column in by_axis], axis=-1) * constants


def sh_shading(normals: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
    """Light that reaches each normal, sum_b gamma_b H_b(n): eq. (4) without the reflectance.

    Args:
        normals: `[B, ..., 3]` unit normals in the frame of the light (camera space), of vertices
            `[B, V, 3]` or of pixels `[B, H, W, 3]`.
        coefficients: `[B, 9, 3]` illumination gamma, one column a colour channel.

    Returns:
        `[B, ..., 3]` shading; 1 leaves a reflectance unchanged. Not clipped: it can be negative.
    """
    normals = tf.convert_to_tensor(normals)
    if normals.shape.rank != 3:
        flat = tf.reshape(normals, [tf.shape(normals)[0], -1, 3])
        return tf.reshape(sh_shading(flat, coefficients), tf.shape(normals))
    constants = tf.constant(SH_CONSTANTS, normals.dtype)[:, None]
    basis = tf.stack(_polynomials(normals), axis=-2)  # (B, 9, V): faster than (B, V, 9)
    shading = tf.matmul(constants * coefficients, basis, transpose_a=True)
    return tf.linalg.matrix_transpose(shading)


def ambient_illumination(level: float = 1.0) -> np.ndarray:
    """`(9, 3)` float32 coefficients of white light whose shading is `level` for every normal."""
    coefficients = np.zeros((9, 3), np.float32)
    coefficients[0] = level / SH_CONSTANTS[0]
    return coefficients


def _polynomials(normals: tf.Tensor) -> list[tf.Tensor]:
    x, y, z = tf.unstack(normals, axis=-1)
    return [tf.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
