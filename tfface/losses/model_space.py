"""The model-space parameter loss (InverseFaceNet, Kim et al. 2018).

Codes are compared by what they make: |A (theta - theta_gt)|^2, where A stacks, for each part of the
code, the vertices that it moves or the colours that it changes. As A is fixed, d' A'A d needs only
the small Gram matrix A'A of each part. For a basis with orthogonal modes that is diagonal: each
coefficient is weighted by its standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfface.code import UNIT_TRANSLATION
from tfface.morphable.model import MorphableModel


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


def model_space_grams(
    model: MorphableModel, weights: np.ndarray, distance: float
) -> dict[str, np.ndarray]:
    """The Gram matrices of all parts of a face's code.

    Identity, expression, rotation and translation are measured in squared mm on the mesh, albedo
    and illumination in squared colour. A small rotation w moves a vertex p by w x p; that also
    stands for the difference of two axis-angle vectors, a fixed scale as in the paper. An error of
    depth is measured by the change of the face's size that hides it. Light changes the shading
    of a direction by its spherical harmonics, which are orthonormal over the sphere.

    Args:
        model: The face model.
        weights: `(V,)` weight of each vertex.
        distance: Of the mean face from the camera, mm.
    """
    mean = np.asarray(model.mean, np.float64)
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    moment = np.einsum("v,vc,vd->cd", weights, mean, mean)
    radius = np.sqrt(np.trace(moment))
    return {
        "identity": gram_matrix(model.identity, weights),
        "expression": gram_matrix(model.expression, weights),
        "albedo": gram_matrix(model.albedo, weights),
        "rotation": np.trace(moment) * np.eye(3) - moment,
        "translation": np.diag([1.0, 1.0, (radius / distance) ** 2]),
        "illumination": np.eye(27) / (4 * np.pi),
    }


def parameter_grams(sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """What makes the same loss a plain one, which compares coefficient by coefficient.

    Args:
        sizes: name -> size of the code's parts. Translations count in units of 100 mm.
    """
    units = {"translation": UNIT_TRANSLATION}
    return {name: np.eye(size) / units.get(name, 1.0) ** 2 for name, size in sizes.items()}


def model_space_distance(predicted: tf.Tensor, truth: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    """Returns d' G d of codes `[B, K]`, `[B]`: for the Gram matrix of a basis the mean squared
    distance of what the codes make."""
    difference = predicted - truth
    return tf.reduce_sum(difference * tf.matmul(difference, gram), axis=-1)
