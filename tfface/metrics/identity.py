"""How recognisable reconstructions are, by the embeddings of a recognition network.

Genova et al. 2018, section 4: the similarity of a photo and a picture of its reconstruction, how
near the distribution of these is to that of photos of one person, and whether the picture recalls
the photo among others.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import wasserstein_distance


def cosine_similarities(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The cosines of all pairs of embeddings.

    Args:
        first: `(M, D)`, of any length but zero.
        second: `(N, D)`, likewise.

    Returns:
        `(M, N)` in [-1, 1].

    Raises:
        ValueError: an embedding is zero or not finite, or the sizes differ.
    """
    units = []
    for name, embeddings in (("first", first), ("second", second)):
        values = np.asarray(embeddings, np.float64)
        if values.ndim != 2 or not np.isfinite(values).all() or not values.any(axis=1).all():
            raise ValueError(f"{name}: expected (N, D) finite, not zero, got {values.shape}")
        units.append(values / np.linalg.norm(values, axis=1, keepdims=True))
    if units[0].shape[1] != units[1].shape[1]:
        raise ValueError(f"second: expected size {units[0].shape[1]}, got {units[1].shape[1]}")
    return units[0] @ units[1].T


def earth_movers_distance(first: np.ndarray, second: np.ndarray) -> float:
    """How far the mass of one distribution of similarities is from another, in their units.

    Args:
        first: Numbers, of any shape; finite, not empty.
        second: As well.

    Raises:
        ValueError: one is empty, or not finite.
    """
    for name, values in (("first", first), ("second", second)):
        if not np.size(values) or not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers, got {np.size(values)} numbers")
    return float(wasserstein_distance(np.ravel(first), np.ravel(second)))


def recall(queries: np.ndarray, gallery: np.ndarray, persons: np.ndarray, best: int = 1) -> float:
    """The share of pictures whose own person is among the most similar photos.

    Args:
        queries: `(M, D)` embeddings of the pictures, of the persons `persons[:M]`.
        gallery: `(N, D)` embeddings of the photos, N >= M, those of the pictures first.
        persons: `(N,)` who is in each photo.
        best: How many photos may be looked at (top-1, top-5).

    Raises:
        ValueError: the sizes do not fit, or `best` is not from 1 to N.
    """
    if len(queries) > len(gallery):
        raise ValueError(f"queries: expected at most {len(gallery)}, got {len(queries)}")
    if len(persons) != len(gallery):
        raise ValueError(
            f"persons: expected {len(gallery)}, one for each photo, got {len(persons)}"
        )
    if not 1 <= best <= len(gallery):
        raise ValueError(f"best: expected 1 to {len(gallery)}, got {best}")
    scores = cosine_similarities(queries, gallery)
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :best]
    found = np.asarray(persons)[nearest] == np.asarray(persons)[: len(queries), None]
    return float(found.any(axis=1).mean())
