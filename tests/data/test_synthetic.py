"""Drawn faces: true to their codes, framed as photos are, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.config import SyntheticConfig
from tfface.data.crop import crop_box
from tfface.data.synthetic import FaceSampler, synthetic_faces
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.rendering.spherical_harmonics import sh_shading

SIZE = 64
SETTINGS = SyntheticConfig(supersampling=1)


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def decoder(model) -> FaceDecoder:
    return FaceDecoder.of_model(model, SIZE)


@pytest.fixture(scope="module")
def codes(model, decoder) -> np.ndarray:
    settings = SyntheticConfig(crop_scale=0.0, crop_shift=0.0, yaw=15.0)
    return FaceSampler(model, decoder, settings).draw(128, (0, 0)).numpy()


def test_codes_are_in_sigmas(codes) -> None:
    identity, expression, albedo = codes[:, :80], codes[:, 80:144], codes[:, 144:224]
    assert identity.std() == pytest.approx(1.0, abs=0.05)
    assert 0.1 < expression.std() < 1.5
    assert 0.5 < albedo.std() < 1.6


def test_faces_are_framed_by_the_crop_rule(codes, decoder) -> None:
    parts = {k: tf.constant(v) for k, v in decoder_parts(decoder, codes).items()}
    boxes = np.stack([crop_box(points) for points in decoder.landmarks(parts).numpy()])
    assert np.abs(boxes - [0, 0, SIZE, SIZE]).max() < 0.02 * SIZE


def test_light_is_not_negative_where_the_face_is(codes, decoder) -> None:
    directions = np.random.default_rng(0).standard_normal((128, 400, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    light = decoder_parts(decoder, codes)["illumination"]
    shading = sh_shading(tf.constant(directions, tf.float32), tf.constant(light)).numpy()
    assert shading.min() > 0.2
    assert 0.4 < np.median(shading) < 1.3


@pytest.mark.slow
def test_the_stream_is_a_function_of_its_seed(model, decoder) -> None:
    first, again, other = (
        list(synthetic_faces(model, decoder, SETTINGS, seed).take(3)) for seed in (1, 1, 2)
    )
    for (image, targets), (same, same_targets) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image, same)
        np.testing.assert_array_equal(targets["code"], same_targets["code"])
    assert np.abs(first[0][0] - other[0][0]).max() > 0.1


@pytest.mark.slow
def test_a_resumed_stream_goes_on_where_it_was(model, decoder) -> None:
    whole = synthetic_faces(model, decoder, SETTINGS, seed=1).skip(256).take(2)
    resumed = synthetic_faces(model, decoder, SETTINGS, seed=1, first=256).take(2)
    for (image, _), (same, _) in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(image, same)


def decoder_parts(decoder: FaceDecoder, codes: np.ndarray) -> dict[str, np.ndarray]:
    from tfface.code import CodeLayout

    parts = CodeLayout(decoder.code_sizes).split(tf.constant(codes))
    return {name: part.numpy() for name, part in parts.items()}
