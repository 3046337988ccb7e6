"""Puts neutral faces into pictures: pose, expression and light, for an overlay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfface.exported_model import ExportedModel
from tfface.fitting.landmarks import LandmarkModel, fit_landmarks
from tfface.fitting.light import fit_light

Parts = dict[str, np.ndarray]


def place_faces(
    model: ExportedModel, parts: Mapping[str, np.ndarray], crops: np.ndarray, landmarks: np.ndarray
) -> Parts:
    """Adds `expression`, `rotation`, `translation` and `illumination` to what a model regressed.

    Args:
        model: Gives the faces and the camera of the crops.
        parts: `identity` and `albedo` `(B, K)`.
        crops: `(B, S, S, 3)` uint8, of the usual rule, of any size.
        landmarks: `(B, 68, 2)` pixels of the crops.
    """
    size = crops.shape[1]
    fit = fit_landmarks(
        landmark_model(model, parts), landmarks, model.focal_length * size, (size / 2, size / 2)
    )
    placed = {
        **parts,
        "expression": fit.expression,
        "rotation": fit.rotation,
        "translation": fit.translation,
    }
    return light_faces(model, placed, crops)


def light_faces(model: ExportedModel, parts: Mapping[str, np.ndarray], crops: np.ndarray) -> Parts:
    """Adds `illumination` to posed faces.

    Args:
        model, crops: As of `place_faces`.
        parts: All others.
    """
    faces = model.pose(parts)
    normals = faces.normals @ faces.rotation.transpose(0, 2, 1)
    seen = faces.visible * model.compared
    light = fit_light(normals, faces.albedo, model.observe(faces, crops), seen)
    return {**parts, "illumination": light}


def landmark_model(model: ExportedModel, parts: Mapping[str, np.ndarray]) -> LandmarkModel:
    """The vertices of B faces that landmarks may lie on, and how expressions move them."""
    every = np.concatenate([model.landmarks, model.contour.ravel()])
    vertices, local = np.unique(every, return_inverse=True)
    count = len(parts["identity"])
    modes = model.layout["expression"][1]
    neutral = model.decode({**parts, "expression": np.zeros((count, modes), np.float32)})
    normals = model.normals(neutral["vertices"])
    # The model is linear: how a mode moves one face is how it moves all.
    first = {name: np.repeat(parts[name][:1], modes + 1, axis=0) for name in ("identity", "albedo")}
    one_each = np.concatenate([np.zeros((1, modes)), np.eye(modes)]).astype(np.float32)
    moved = model.decode({**first, "expression": one_each})["vertices"][:, vertices]
    basis = np.moveaxis(moved[1:] - moved[0], 0, -1)
    return LandmarkModel(
        tf.constant(neutral["vertices"][:, vertices]),
        tf.constant(normals[:, vertices]),
        tf.tile(tf.constant(basis[None]), [count, 1, 1, 1]),
        tf.constant(local[:68], tf.int32),
        tf.constant(local[68:].reshape(model.contour.shape), tf.int32),
    )
