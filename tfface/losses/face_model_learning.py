"""The regularisers of a face model that is learned (FML, Tewari et al. 2019, section 3.5)."""

from __future__ import annotations

import tensorflow as tf
from numpy.typing import ArrayLike

SPARSITY_POWER, CHROMA_SHARPNESS = 0.9, 80.0  # p and eta, the paper's
_TINY = 1e-10  # of a squared colour difference: where equal, p < 1 has no gradient


def graph_smoothness(displacements: tf.Tensor, neighbours: ArrayLike) -> tf.Tensor:
    """The linearised membrane energy of a deformation graph, eq. (10).

    Args:
        displacements: `[B, G, 3]` t_i of the nodes, mm.
        neighbours: `(E, 2)` int32, each pair of neighbouring nodes once.

    Returns:
        `[B]` sum of squares, mm^2; every pair counts twice, once from each of its nodes.
    """
    first, second = _ends(displacements, neighbours)
    return 2.0 * tf.reduce_sum(tf.square(first - second), axis=[1, 2])


def appearance_sparsity(
    colours: tf.Tensor, edges: ArrayLike, weights: tf.Tensor, power: float = SPARSITY_POWER
) -> tf.Tensor:
    """Prefers reflectance in patches of one colour, eq. (11).

    Args:
        colours: `[B, V, 3]` reflectance r_i.
        edges: `(E, 2)` int32, each pair of neighbouring vertices once.
        weights: `[B, E]` w_ij of `chroma_weights`.
        power: p.

    Returns:
        `[B]` sum; every pair counts twice. Its gradient is finite where colours are equal.
    """
    first, second = _ends(colours, edges)
    squared = tf.reduce_sum(tf.square(first - second), axis=-1)
    distance = tf.pow(squared + _TINY, power / 2) - _TINY ** (power / 2)
    return 2.0 * tf.reduce_sum(weights * distance, axis=-1)


def chroma_weights(
    colours: tf.Tensor, edges: ArrayLike, sharpness: float = CHROMA_SHARPNESS
) -> tf.Tensor:
    """w_ij = exp(-eta |h_i - h_j|): how alike neighbours' chromas are. No gradient.

    Args:
        colours: `[B, V, 3]` c_i of the last forward pass; chroma h is a colour over its sum.
        edges: `(E, 2)` int32, each pair of neighbouring vertices once.
        sharpness: eta.

    Returns:
        `[B, E]` in (0, 1].
    """
    total = tf.reduce_sum(tf.abs(colours), axis=-1, keepdims=True)
    chroma = tf.math.divide_no_nan(colours, total)
    first, second = _ends(chroma, edges)
    return tf.stop_gradient(tf.exp(-sharpness * tf.norm(first - second, axis=-1)))


def _ends(values: tf.Tensor, pairs: ArrayLike) -> tuple[tf.Tensor, tf.Tensor]:
    """`[B, N, 3]` at both ends of pairs `(E, 2)`."""
    first, second = tf.unstack(tf.convert_to_tensor(pairs, tf.int32), axis=1)
    return tf.gather(values, first, axis=1), tf.gather(values, second, axis=1)
