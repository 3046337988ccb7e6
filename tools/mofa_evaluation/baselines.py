"""What a reconstruction is compared with.

It must beat the network before training and the mean face put in place; the code fitted to each
picture shows what the face model and the losses leave for a network to reach.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from tfface.data.framing import centring_translation
from tfface.exported_model import ExportedModel
from tfface.morphable.model import MorphableModel
from tfface.rendering.spherical_harmonics import ambient_illumination, sh_basis
from tfface.systems.mofa import MoFA
from tfface.visualization.posed_face import PhotoCamera

PAPER_AMBIENT = 0.7
# How a code is fitted; the rate decays to zero.
FIT: dict[str, Any] = {"optimizer": "adam", "steps": 200, "learning_rate": 0.03}
_UNITS = {"translation": 30.0}  # mm that weigh as much as one unit of the other parts
Parts = dict[str, np.ndarray]


def untrained(model: ExportedModel, face_model: MorphableModel, count: int) -> Parts:
    """What the network predicts before training: the lit mean face in the middle of the crop.

    Args:
        model: Gives the sizes of the code and the camera.
        face_model: Its face model.
        count: B.
    """
    parts = {name: np.zeros((count, size), np.float32) for name, (_, size) in model.layout.items()}
    parts["translation"] += centring_translation(face_model, model.focal_length).astype(np.float32)
    parts["illumination"] = np.tile(ambient_illumination(PAPER_AMBIENT), (count, 1, 1))
    return parts


def placed_mean_face(
    model: ExportedModel, face_model: MorphableModel, landmarks: np.ndarray, crops: np.ndarray
) -> Parts:
    """The mean face in the pose that fits the landmarks best, in the light that fits best.

    Args:
        model: Gives the camera.
        face_model: Its face model.
        landmarks: `(B, 68, 2)` pixels of the crops.
        crops: `(B, S, S, 3)` uint8.
    """
    parts = untrained(model, face_model, len(crops))
    points = face_model.mean[face_model.landmarks].astype(np.float64)
    centre = np.full(2, model.image_size / 2)
    camera = PhotoCamera(model.focal_length * model.image_size, centre)
    for i, target in enumerate(landmarks):
        pose = _fit_pose(points, target, camera, parts["translation"][i])
        parts["rotation"][i], parts["translation"][i] = pose[:3], pose[3:]
    parts["illumination"] = _fit_light(model, parts, crops)
    return parts


def fitted(mofa: MoFA, parts: Parts, crops: np.ndarray, landmarks: np.ndarray) -> Parts:
    """The codes that gradient descent on the training's losses makes of `parts`.

    Args:
        mofa: Its losses are minimised; its encoder is not used.
        parts: Where the descent starts.
        crops: `(B, S, S, 3)` uint8.
        landmarks: `(B, 68, 2)` pixels of the crops.
    """
    images = tf.constant(crops / 255.0, tf.float32)
    targets = {
        "landmarks": tf.constant(landmarks, tf.float32),
        "confidence": tf.ones(landmarks.shape[:2]),
        "code": tf.zeros([len(crops), mofa.layout.size]),
        "has_code": tf.zeros([len(crops)]),
    }
    unknown = {n: tf.Variable(v / _UNITS.get(n, 1.0), dtype=tf.float32) for n, v in parts.items()}
    rate = keras.optimizers.schedules.CosineDecay(FIT["learning_rate"], FIT["steps"])
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(list(unknown.values()))

    def code() -> dict[str, tf.Tensor]:
        return {name: value * _UNITS.get(name, 1.0) for name, value in unknown.items()}

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.add_n(list(mofa.loss_terms(images, targets, code()).values()))
        variables = list(unknown.values())
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(FIT["steps"]):
        step()
    return {name: value.numpy() for name, value in code().items()}


def _fit_pose(
    points: np.ndarray, target: np.ndarray, camera: PhotoCamera, translation: np.ndarray
) -> np.ndarray:
    """Axis-angle and translation `(6,)` of least squared pixel distance."""
    scale = np.array([1.0, 1, 1, 100, 100, 1000])  # radians and millimetres of one importance

    def residuals(unknown: np.ndarray) -> np.ndarray:
        turn = Rotation.from_rotvec(unknown[:3]).as_matrix()
        return (camera.project(points @ turn.T + (unknown * scale)[3:]) - target).ravel()

    start = np.concatenate([np.zeros(3), translation / scale[3:]])
    return least_squares(residuals, start).x * scale


def _fit_light(model: ExportedModel, parts: Parts, crops: np.ndarray) -> np.ndarray:
    """Spherical-harmonics coefficients `(B, 9, 3)` of least squared colour distance."""
    faces = model.pose(parts)
    observed = model.observe(faces, crops)
    normals = faces.normals @ faces.rotation.transpose(0, 2, 1)
    basis = sh_basis(normals).numpy()
    light = np.zeros((len(crops), 9, 3), np.float32)
    for i in range(len(crops)):
        used = faces.visible[i] & (model.compared > 0.5)
        for channel in range(3):
            columns = basis[i, used] * faces.albedo[i, used, channel, None]
            light[i, :, channel] = np.linalg.lstsq(columns, observed[i, used, channel])[0]
    return light
