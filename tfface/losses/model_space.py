"""Coefficient errors measured on the face they make: for training faces with known truth."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def gram_matrix(basis: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Returns G with d' G d = the mean squared length of the displacements `basis @ d`.

    Args:
        basis: `(V, 3, K)`.
        weights: `(V,)` weight of each vertex in the mean; None weights all alike.

    Returns:
        `(K, K)` in squared units of the basis.
    """
    weights = np.ones(len(basis)) if weights is None else np.asarray(weights, np.float64)
    basis = np.asarray(basis, np.float64)
    weighted = basis * (weights / weights.sum())[:, None, None]
    return np.einsum("vck,vcl->kl", weighted, basis, optimize=True)


def model_space_distance(predicted: tf.Tensor, truth: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    """Returns the `[B]` mean squared vertex distance between codes `[B, K]`, d' G d."""
    difference = predicted - truth
    return tf.reduce_sum(difference * tf.matmul(difference, gram), axis=-1)
