"""Condenses samples of shapes into modes: alignment, weights, principal components."""

from __future__ import annotations

import numpy as np

from default_face_model.geometry import INNER_MOUTH, TEETH

# Distance from the nose within which the shape counts fully.
FACE_RADIUS_MM = 95.0


def face_weights(vertices: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Returns weights (V,): 1 on the face, little on skull, neck and in the mouth."""
    tip = vertices[vertices[:, 2].argmax()]
    distance = np.linalg.norm(vertices - tip - [0.0, 15.0, -20.0], axis=1)
    weights = 0.04 + 0.96 / (1.0 + np.exp((distance - FACE_RADIUS_MM) / 10.0))
    return np.where((part == TEETH) | (part == INNER_MOUTH), 0.1, 1.0) * weights


def similarity(
    points: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns s, R, t with s R p + t nearest to the target (Umeyama 1991), points (V, 3)."""
    w = weights / weights.sum()
    mean, target_mean = w @ points, w @ target
    x, y = points - mean, target - target_mean
    u, singular, vt = np.linalg.svd((y * w[:, None]).T @ x)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = float((singular * signs).sum() / (w @ (x**2).sum(1)))
    return scale, rotation, target_mean - scale * rotation @ mean


def align(heads: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the heads (N, V, 3) moved by similarities onto the target (V, 3)."""
    aligned = np.empty_like(heads)
    for i, vertices in enumerate(heads):
        scale, rotation, translation = similarity(vertices, target, weights)
        aligned[i] = scale * vertices @ rotation.T + translation
    return aligned


def principal_modes(
    deviations: np.ndarray, weights: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns modes (V, 3, K), one standard deviation long, and the samples' coefficients (N, K).

    The modes are those of the weighted vertices; each is then the regression of all vertices on
    its coefficient, so that skull and neck follow the face.
    """
    flat = deviations.reshape(len(deviations), -1)
    weighted = flat * np.repeat(np.sqrt(weights), 3)
    # Fewer samples than coordinates: their Gram matrix has the same left singular vectors.
    _, vectors = np.linalg.eigh(weighted @ weighted.T)
    u = vectors[:, ::-1][:, :count]
    # Fix the sign: linear algebra libraries differ in it.
    u = u * np.sign(u[abs(u).argmax(0), np.arange(count)])
    coefficients = u * np.sqrt(len(flat))
    modes = flat.T @ coefficients / len(flat)
    return modes.reshape(*deviations.shape[1:], count), coefficients


def residual_rms(deviations: np.ndarray, modes: np.ndarray, weights: np.ndarray) -> float:
    """Returns the weighted rms distance (mm) between deviations (N, V, 3) and their best fits."""
    scale = np.repeat(np.sqrt(weights / weights.sum()), 3)
    flat = deviations.reshape(len(deviations), -1) * scale
    basis = modes.reshape(-1, modes.shape[-1]) * scale[:, None]
    coefficients = np.linalg.lstsq(basis, flat.T, rcond=None)[0]
    return float(np.sqrt(((flat.T - basis @ coefficients) ** 2).sum(0).mean()))


def expression_modes(
    units: np.ndarray, strengths: np.ndarray, weights: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns modes (V, 3, K) and the coefficients (N, K) of the drawn expressions.

    Second moments about the neutral face, not about the mean expression: zero is neutral, and one
    is the root mean square over the draws.

    Args:
        units: (U, V, 3) displacements, mm.
        strengths: (N, U).
        weights: (V,) importance of the vertices.
        count: K.
    """
    scale = np.repeat(np.sqrt(weights), 3)
    flat = units.reshape(len(units), -1)
    moments = strengths.T @ strengths / len(strengths)
    values, vectors = np.linalg.eigh(moments)
    root = vectors * np.sqrt(values.clip(0.0))  # moments = root root^T
    u, _, _ = np.linalg.svd(root.T @ (flat * scale), full_matrices=False)
    u = u[:, :count] * np.sign(u[abs(u).argmax(0), np.arange(u.shape[1])])[:count]
    # deviation = strengths @ flat; its coefficients c = strengths @ decode have unit moments.
    inverse = vectors / np.sqrt(values.clip(values.max() * 1e-12))
    coefficients = strengths @ inverse @ u
    modes = (flat.T @ (root @ u)).reshape(*units.shape[1:], count)
    return modes, coefficients
