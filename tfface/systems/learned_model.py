"""What FML has learned, as a face model for every other system (supplement, section 1.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from tfface.morphable.model import MorphableModel
from tfface.systems.fml import FML


def learned_morphable_model(system: FML, codes: np.ndarray) -> MorphableModel:
    """Principal components of reconstructions by a trained system.

    Its expressions, landmarks and regions are those of the model that the system began with; the
    means of shape and reflectance are those of the reconstructions.

    Args:
        system: Trained.
        codes: `(N, K)` codes of different persons, N at least 2, as the encoder gives them.

    Raises:
        ValueError: there are fewer than two codes.
    """
    if len(codes) < 2:
        raise ValueError(f"codes: expected at least 2 persons, got {len(codes)}")
    source, face_model = system.morphable_model, system.face_model
    parts = {k: v.numpy() for k, v in system.layout.split(tf.constant(codes, tf.float32)).items()}
    count, (size, _, colours) = source.vertex_count, face_model.modes
    nodes = face_model.complement(tf.convert_to_tensor(face_model.node_basis))
    columns = tf.reshape(tf.transpose(nodes), [size, -1, 3])
    shape = tf.transpose(face_model.skinning(columns), [1, 2, 0]).numpy()  # (V, 3, K)
    albedo = face_model.albedo_basis.numpy().reshape(count, 3, colours)
    mean, identity, samples = _principal_components(shape, parts["identity"])
    tone, tones, tone_samples = _principal_components(albedo, parts["albedo"])
    return replace(
        source,
        name=f"FML, from {source.name}",
        source=f"learned by tfface's FML from {len(codes)} persons; {source.source}",
        mean=source.mean + mean,
        identity=identity,
        identity_samples=samples,
        albedo_mean=face_model.albedo_mean.numpy() + tone,
        albedo=tones,
        albedo_samples=tone_samples,
        control=None,
    )


def _principal_components(
    basis: np.ndarray, coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of `basis @ c`: mean `(V, 3)`, modes `(V, 3, M)` of one sigma, and the samples in sigmas.

    Args:
        basis: `(V, 3, K)`.
        coefficients: c, `(N, K)`.
    """
    middle = coefficients.mean(axis=0)
    rows = coefficients - middle
    left, sizes, right = np.linalg.svd(rows / np.sqrt(len(rows) - 1), full_matrices=False)
    del left
    flat = basis.reshape(-1, basis.shape[-1]).astype(np.float64)
    modes, deviations, turn = np.linalg.svd(flat @ (right.T * sizes), full_matrices=False)
    kept = deviations > 1e-6 * deviations.max(initial=1e-30)
    found = modes[:, kept] * deviations[kept]
    samples = rows @ np.linalg.pinv(right.T * sizes).T @ turn[kept].T
    shape = (*basis.shape[:-1], int(kept.sum()))
    return (
        (basis @ middle).astype(np.float32),
        found.reshape(shape).astype(np.float32),
        samples.astype(np.float32),
    )
