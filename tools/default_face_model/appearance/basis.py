"""A linear basis of painted faces: principal components, layer by layer.

Skin, scalp hair and facial hair vary in different ways: a beard is there or not, skin is one
continuum. One PCA of everything mixes them, and Gaussian coefficients then draw "negative beards".
So each layer has its own components, uncorrelated with those of the layers below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Modes of the lower layers with which an upper layer may go together (dark hair with dark skin).
LINKED = 8
# A layer's coefficients may have heavy tails: sigma is that of the bulk, at least this fraction.
LEAST_SIGMA = 0.4


@dataclass(frozen=True)
class Layer:
    """What one layer adds to the colours, for N people.

    Attributes:
        added: (N, M, 3) colours, or changes of colour.
        vertices: (M,) the vertices they belong to.
        modes: number of components.
        heavy_tails: measure sigma on the bulk of the people instead of by the second moment.
    """

    added: np.ndarray
    vertices: np.ndarray
    modes: int
    heavy_tails: bool = False


def layered_components(
    layers: list[Layer], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns mean (V, 3), basis (V, 3, K) scaled to one sigma, coefficients (N, K) in sigmas.

    Args:
        layers: from the lowest to the uppermost.
        weights: (V,) importance of each vertex (an area, more where it matters).
    """
    people, total = len(layers[0].added), len(weights)
    mean = np.zeros((total, 3))
    bases: list[np.ndarray] = []
    coefficients: list[np.ndarray] = []
    for layer in layers:
        centre = layer.added.mean(0)
        mean[layer.vertices] += centre
        rest = layer.added - centre.astype(layer.added.dtype)
        for basis, score in zip(bases, coefficients, strict=True):
            linked = score[:, :LINKED]
            trend = np.einsum("nvc,nk->vck", rest, linked) / (people - 1)
            rest = rest - np.einsum("vck,nk->nvc", trend, linked)
            basis[layer.vertices, :, :LINKED] += trend
        basis, score = _components(rest, weights[layer.vertices], layer.modes)
        if layer.heavy_tails:
            low, high = np.quantile(score, (0.16, 0.84), axis=0)
            sigma = np.clip(0.5 * (high - low), LEAST_SIGMA, 1.0)
            basis, score = basis * sigma, score / sigma
        full = np.zeros((total, 3, layer.modes))
        full[layer.vertices] = basis
        bases.append(full)
        coefficients.append(score)
    return mean, np.concatenate(bases, axis=2), np.concatenate(coefficients, axis=1)


def _components(
    centred: np.ndarray, weights: np.ndarray, modes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted PCA of centred colours (N, V, 3): basis (V, 3, K), scores (N, K) of variance 1."""
    people = len(centred)
    root = np.sqrt(weights / weights.sum()).astype(centred.dtype)
    flat = (centred * root[:, None]).reshape(people, -1)
    values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    order = np.argsort(values)[::-1][:modes]
    scores = vectors[:, order] * np.sqrt(people - 1)
    # Regression on uncorrelated scores of unit variance gives the components at one sigma.
    basis = np.einsum("nvc,nk->vck", centred, scores) / (people - 1)
    sign = np.where(basis.sum((0, 1)) < 0, -1.0, 1.0)
    return basis * sign, scores * sign
