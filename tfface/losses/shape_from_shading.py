"""The unsupervised criterion of FineNet: shape from shading (Richardson et al. 2017, section 4.3).

Heights z are in pixels of the picture, towards the camera; intensities in [0, 1]. All terms are
means over pixels, where the paper sums. As in the paper the gradient is that on the refined surface
alone: the coarse one, light and albedo are constants. Letters: S side of the picture, K modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

_RIDGE = 1e-4  # of the mean diagonal: light and albedo stay finite where too little tells of them
_NOTHING = 1e-6  # added to that: zero where nothing is seen
# Of hints: the least albedo, and squared change of shading by slopes; the largest change of slope.
_DARKEST, _FAINT, _CHANGE = 0.05, 0.01, 1.0
_STEEPEST = 3.0  # slope beyond which a pixel shows an outline rather than a surface


@dataclass(frozen=True)
class ShadingProblem:
    """What the criterion compares a refined surface with; constants to its gradient.

    Attributes:
        intensity: `[B, S, S, 1]` the grey picture I.
        heights: `[B, S, S, 1]` the coarse surface z_0.
        skin: `[B, S, S, 1]` in [0, 1], where the surface is refined.
        mask: `[B, S, S, 1]`, 1 where its shading tells something: the skin but for its border and
            steep places.
        light: `[B, 4]` first-order spherical harmonics l, eq. (11).
        albedo: `[B, S, S, 1]` rho, eq. (10) and (12).
    """

    intensity: tf.Tensor
    heights: tf.Tensor
    skin: tf.Tensor
    mask: tf.Tensor
    light: tf.Tensor
    albedo: tf.Tensor


def shading_problem(
    intensity: tf.Tensor, heights: tf.Tensor, skin: tf.Tensor, mean: tf.Tensor, modes: tf.Tensor
) -> ShadingProblem:
    """Light and albedo that explain a picture of a coarse surface.

    Args:
        intensity, heights, skin: `[B, S, S, 1]`, see `ShadingProblem`.
        mean: `[B, S, S, 1]` grey values of the mean albedo.
        modes: `[B, S, S, K]` their change by one sigma of the first albedo modes.
    """
    given = (intensity, heights, skin, mean, modes)
    intensity, heights, skin, mean, modes = map(tf.stop_gradient, given)
    valid = tf.stop_gradient(interior(heights, skin))
    basis = harmonics(heights)
    light = _least_squares(mean * basis, intensity, valid)  # eq. (11)
    shading = tf.einsum("bhwk,bk->bhw", basis, light)[..., None]
    change = _least_squares(modes * shading, intensity - mean * shading, valid)  # eq. (12)
    albedo = mean + tf.einsum("bhwk,bk->bhw", modes, change)[..., None]
    return ShadingProblem(intensity, heights, skin, valid, light, albedo)


def shading_terms(problem: ShadingProblem, refined: tf.Tensor) -> dict[str, tf.Tensor]:
    """The terms of eq. (8) and (13) of surfaces `[B, S, S, 1]`, each `[B]`.

    Returns:
        `shading` E_sh in squared intensities, `fidelity` E_f in squared pixels, `smoothness` E_sm
        in pixels.
    """
    shown = problem.albedo * shade(problem.light, refined)
    return {
        "shading": _mean(tf.square(shown - problem.intensity), problem.mask),
        "fidelity": _mean(tf.square(refined - problem.heights), problem.skin),
        "smoothness": _mean(tf.abs(laplacian(refined)), problem.mask),
    }


def slope_hints(problem: ShadingProblem) -> tf.Tensor:
    """The least change `[B, S, S, 2]` of coarse slopes, right and down, that explains a picture.

    To first order, and each pixel by itself: half of what an algorithm makes surfaces of, without
    the other half, that slopes are those of one surface. Zero where shading tells nothing.
    """
    basis = harmonics(problem.heights)
    normals, light = basis[..., 1:], problem.light[:, None, None, 1:]
    shading = tf.einsum("bhwk,bk->bhw", basis, problem.light)[..., None]
    missing = problem.intensity / tf.maximum(problem.albedo, _DARKEST) - shading
    # The derivative of the shading by the slopes; n_z is one over the length of (-z_x, z_y, 1).
    along = tf.reduce_sum(normals * light, axis=-1, keepdims=True)
    across = (light - along * normals)[..., :2] * normals[..., 2:] * [-1.0, 1.0]
    strength = tf.reduce_sum(tf.square(across), axis=-1, keepdims=True)
    change = missing * across / (strength + _FAINT)
    return tf.stop_gradient(problem.mask * tf.clip_by_value(change, -_CHANGE, _CHANGE))


def shade(light: tf.Tensor, heights: tf.Tensor) -> tf.Tensor:
    """The shading <l, Y(z)> of surfaces `[B, S, S, 1]` under light `[B, 4]`: `[B, S, S, 1]`."""
    return tf.einsum("bhwk,bk->bhw", harmonics(heights), light)[..., None]


def harmonics(heights: tf.Tensor) -> tf.Tensor:
    """Y(z) = (1, n_x, n_y, n_z) of eq. (9), `[B, S, S, 4]`."""
    normals = height_normals(heights)
    return tf.concat([tf.ones_like(normals[..., :1]), normals], axis=-1)


def height_normals(heights: tf.Tensor) -> tf.Tensor:
    """Unit normals `[B, S, S, 3]` in camera space of surfaces `[B, S, S, 1]`.

    By central differences; at the border of the picture by one-sided ones of half the slope.
    """
    right, down = slopes(heights)
    normals = tf.concat([-right, down, tf.ones_like(right)], axis=-1)  # y is up
    return normals / tf.norm(normals, axis=-1, keepdims=True)


def slopes(heights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """dz/dx to the right and dz/dy down, `[B, S, S, 1]` each."""
    left, right, above, below = _neighbours(heights)
    return (right - left) / 2, (below - above) / 2


def laplacian(heights: tf.Tensor) -> tf.Tensor:
    """The discrete Laplacian (four neighbours) of `[B, S, S, 1]`."""
    return tf.add_n(_neighbours(heights)) - 4 * heights


def interior(heights: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The pixels of a mask `[B, S, S, 1]` whose neighbours are in it and that are not steep."""
    steepest = tf.maximum(*map(tf.abs, slopes(heights)))
    flat = tf.cast(steepest < _STEEPEST, heights.dtype)
    return flat * within(tf.cast(mask > 0.5, heights.dtype))


def within(mask: tf.Tensor) -> tf.Tensor:
    """The pixels of a mask `[B, S, S, 1]` whose four neighbours are in it."""
    return tf.reduce_prod(tf.stack([mask, *_neighbours(mask)]), axis=0)


def _mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted means of `[B, S, S, 1]`, `[B]`; zero where all weights are."""
    total = tf.reduce_sum(weights * values, axis=[1, 2, 3])
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=[1, 2, 3]))


def _neighbours(values: tf.Tensor) -> Sequence[tf.Tensor]:
    """Those to the left, to the right, above and below; at the border the pixel itself."""
    padded = tf.pad(values, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    return (
        padded[:, 1:-1, :-2],
        padded[:, 1:-1, 2:],
        padded[:, :-2, 1:-1],
        padded[:, 2:, 1:-1],
    )


def _least_squares(columns: tf.Tensor, goal: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Coefficients `[B, K]` of `[B, S, S, K]` that come nearest to `[B, S, S, 1]` on the mask."""
    masked = columns * mask
    gram = tf.einsum("bhwk,bhwl->bkl", masked, columns)
    size = gram.shape[-1]
    ridge = _RIDGE * tf.linalg.trace(gram) / max(size, 1) + _NOTHING
    gram += ridge[:, None, None] * tf.eye(size, dtype=gram.dtype)
    right = tf.einsum("bhwk,bhwl->bkl", masked, goal)
    return tf.linalg.solve(gram, right)[..., 0]
