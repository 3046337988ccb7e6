"""Pose and expression are found again from the landmarks of drawn faces."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import SyntheticConfig
from tfface.data.code_samplers import FaceSampler
from tfface.fitting.landmarks import LandmarkModel, fit_landmarks
from tfface.fitting.light import fit_light
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.spherical_harmonics import ambient_illumination, sh_shading

SIZE, COUNT = 120, 8


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def decoder(model) -> FaceDecoder:
    return FaceDecoder.of_model(model, SIZE)


@pytest.fixture(scope="module")
def parts(model, decoder) -> dict[str, tf.Tensor]:
    codes = FaceSampler(model, decoder, SyntheticConfig()).draw(COUNT, (0, 1))
    return CodeLayout(decoder.code_sizes).split(codes)


def landmark_model(model, decoder, parts) -> LandmarkModel:
    neutral = decoder.face_model.vertices(parts["identity"], tf.zeros_like(parts["expression"]))
    every = np.concatenate([model.landmarks, model.contour.ravel()])
    vertices, local = np.unique(every, return_inverse=True)
    basis = tf.constant(model.expression[vertices][None], tf.float32)
    return LandmarkModel(
        tf.gather(neutral, vertices, axis=1),
        tf.gather(decoder.normals(neutral), vertices, axis=1),
        tf.tile(basis, [COUNT, 1, 1, 1]),
        tf.constant(local[:68], tf.int32),
        tf.constant(local[68:].reshape(model.contour.shape), tf.int32),
    )


@pytest.mark.slow
def test_drawn_faces_are_put_back(model, decoder, parts) -> None:
    landmarks = decoder.landmarks(parts).numpy()
    focal = decoder.focal_length * SIZE
    faces = landmark_model(model, decoder, parts)
    fit = fit_landmarks(faces, landmarks, focal, (SIZE / 2, SIZE / 2))
    assert fit.errors.mean() < 0.004 * SIZE  # a pixel of 240
    turn = rotation_matrix(tf.constant(fit.rotation)).numpy()
    truth = rotation_matrix(parts["rotation"]).numpy()
    cosine = (np.einsum("bij,bij->b", turn, truth) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2.0
    np.testing.assert_allclose(fit.translation, parts["translation"], atol=25, rtol=0.03)


@pytest.mark.slow
def test_expression_explains_what_pose_cannot(model, decoder, parts) -> None:
    landmarks = decoder.landmarks(parts).numpy()
    focal = decoder.focal_length * SIZE
    faces = landmark_model(model, decoder, parts)
    fit = fit_landmarks(faces, landmarks, focal, (SIZE / 2, SIZE / 2))
    moved = faces.expression.numpy()
    found = np.einsum("bpce,be->bpc", moved, fit.expression)
    truth = np.einsum("bpce,be->bpc", moved, parts["expression"])
    lips = faces.landmarks.numpy()[48:]
    apart = np.linalg.norm((found - truth)[:, lips], axis=-1).mean()
    assert apart < 0.5 * np.linalg.norm(truth[:, lips], axis=-1).mean()


def test_landmarks_of_another_shape(model, decoder, parts) -> None:
    faces = landmark_model(model, decoder, parts)
    for bad in (np.zeros((COUNT, 5, 2)), np.full((COUNT, 68, 2), np.nan)):
        with pytest.raises(ValueError, match=r"landmarks: expected \(8, 68, 2\)"):
            fit_landmarks(faces, bad, 500.0, (60.0, 60.0), steps=1)
    with pytest.raises(ValueError, match="spread over a face"):
        fit_landmarks(faces, np.full((COUNT, 68, 2), 7.0), 500.0, (60.0, 60.0), steps=1)


def test_light_is_found_again() -> None:
    random = np.random.default_rng(0)
    normals = random.standard_normal((2, 400, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    albedo = random.uniform(0.2, 0.9, (2, 400, 3))
    light = np.tile(ambient_illumination(0.6), (2, 1, 1)) + 0.1 * random.standard_normal((2, 9, 3))
    light = light.astype(np.float32)
    observed = albedo * sh_shading(tf.constant(normals), tf.constant(light)).numpy()
    weights = (random.random((2, 400)) < 0.7).astype(float)
    observed[weights == 0] = 5.0
    found = fit_light(normals, albedo, observed, weights)
    shading = sh_shading(tf.constant(normals), tf.constant(found)).numpy()
    truth = sh_shading(tf.constant(normals), tf.constant(light)).numpy()
    assert np.abs(shading - truth).mean() < 0.02
    np.testing.assert_array_equal(fit_light(normals, albedo, observed, 0 * weights), 0)
