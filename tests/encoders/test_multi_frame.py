"""FML's network: the sizes of the paper's tables, and one identity for any number of frames."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.encoders.errors import ImageSizeError
from tfface.encoders.multi_frame import IDENTITY_PARTS, MultiFrameEncoder

SIZES = {
    "identity": 5, "expression": 3, "albedo": 4, "rotation": 3, "translation": 3,
    "illumination": 27,
}  # fmt: skip
LAYOUT = CodeLayout(SIZES)
RANDOM = np.random.default_rng(3)


def make(network: str = "compact", size: int = 64) -> MultiFrameEncoder:
    """Its heads, which start at zero, know a little."""
    encoder = MultiFrameEncoder(network, size, SIZES, [0.0, 0.0, -900.0])
    encoder(np.zeros((1, 1, size, size, 3), np.float32))
    for head in (encoder.identity_head, encoder.frame_head):
        for part in head.parts:
            part.kernel.assign(0.01 * RANDOM.normal(size=part.kernel.shape))
    return encoder


@pytest.fixture(scope="module")
def encoder() -> MultiFrameEncoder:
    return make()


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return RANDOM.uniform(size=(2, 3, 64, 64, 3)).astype(np.float32)


def shared(codes: tf.Tensor) -> np.ndarray:
    parts = LAYOUT.split(codes)
    return np.concatenate([parts[name] for name in IDENTITY_PARTS], axis=-1)


def test_sizes_are_those_of_the_tables() -> None:
    """At 240 pixels, with 500 + 500 identity parameters and 64 expressions."""
    sizes = {**SIZES, "identity": 500, "albedo": 500, "expression": 64}
    encoder = MultiFrameEncoder("fml", 240, sizes, [0.0, 0.0, -900.0])
    assert encoder.low.output_shape == (None, 14, 14, 384)
    assert encoder.medium.output_shape == (None, 4, 4, 256)
    assert encoder.identity.output_shape == (None, 1000)
    assert encoder.frame.input_shape == [(None, 14, 14, 384), (None, 1000)]
    assert encoder.frame.output_shape == (None, 2048)
    shapes = {tuple(layer.output.shape[1:]) for layer in encoder.low.layers}
    assert {(60, 60, 96), (29, 29, 96), (14, 14, 256)} <= shapes
    shapes = {tuple(layer.output.shape[1:]) for layer in encoder.frame.layers}
    assert {(14, 14, 1), (14, 14, 768), (6, 6, 256)} <= shapes


def test_before_training_it_gives_the_mean_face(frames: np.ndarray) -> None:
    codes = MultiFrameEncoder("compact", 64, SIZES, [1.0, 2.0, -900.0])(frames)
    parts = LAYOUT.split(tf.reshape(codes, [6, -1]))
    np.testing.assert_array_equal(parts["identity"], np.zeros((6, 5)))
    np.testing.assert_array_equal(parts["translation"], np.tile([1.0, 2.0, -900.0], (6, 1)))
    assert parts["illumination"].numpy()[:, 0].min() > 0


def test_a_person_has_one_identity_and_each_frame_its_own_pose(encoder, frames) -> None:
    codes = encoder(frames)
    assert codes.shape == (2, 3, LAYOUT.size)
    identity = shared(codes)
    np.testing.assert_array_equal(identity, np.broadcast_to(identity[:, :1], identity.shape))
    assert np.abs(identity[0] - identity[1]).max() > 1e-4
    pose = codes.numpy()[..., LAYOUT.parts["rotation"].slice]
    assert np.abs(pose[:, 0] - pose[:, 1]).min() > 1e-6


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_frames(encoder, frames, count: int) -> None:
    some = np.concatenate([frames, frames], axis=1)[:, :count]
    assert encoder(some).shape == (2, count, LAYOUT.size)


def test_the_order_of_frames_does_not_matter(encoder, frames) -> None:
    turned = encoder(frames[:, ::-1]).numpy()[:, ::-1]
    np.testing.assert_allclose(turned, encoder(frames), rtol=1e-4, atol=1e-4)


def test_the_same_photo_twice_is_one_photo(encoder, frames) -> None:
    twice = encoder(np.repeat(frames[:, :1], 2, axis=1))
    np.testing.assert_allclose(twice[:, :1], encoder(frames[:, :1]), rtol=1e-4, atol=1e-4)


def test_a_missing_frame_tells_nothing(encoder, frames) -> None:
    """Whatever is in its place."""
    spoilt = frames.copy()
    spoilt[:, 1] = 1.0
    found = encoder(spoilt, present=np.array([[1, 0, 1], [1, 0, 1]], np.float32)).numpy()
    expected = encoder(frames[:, [0, 2]]).numpy()
    np.testing.assert_allclose(found[:, [0, 2]], expected, rtol=1e-4, atol=1e-4)
    assert np.abs(shared(encoder(spoilt)) - shared(found)).max() > 1e-4


def test_identity_learns_from_every_frame(encoder, frames) -> None:
    images = tf.constant(frames)
    with tf.GradientTape() as tape:
        tape.watch(images)
        identity = tf.reduce_sum(tf.square(encoder(images)[:, 0, :5]))
    gradient = np.abs(tape.gradient(identity, images)).max(axis=(2, 3, 4))
    assert gradient.min() > 0


def test_saved_and_restored(encoder, frames, tmp_path: Path) -> None:
    images = keras.Input((None, 64, 64, 3))
    model = keras.Model(images, encoder(images))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(restored(frames), encoder(frames), rtol=1e-5, atol=1e-5)


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="network: expected one of fml, compact, got 'vgg'"):
        MultiFrameEncoder("vgg", 64, SIZES, [0.0] * 3)
    with pytest.raises(ImageSizeError, match="image_size: expected at least 64 pixels, got 32"):
        MultiFrameEncoder("fml", 32, SIZES, [0.0] * 3)


def test_units_of_the_identity_outlive_a_drift_of_their_weights() -> None:
    """Inputs are positive: weights that fall together would silence a unit for everyone."""
    encoder = make()
    for layer in encoder.identity.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.assign_sub(tf.ones_like(layer.kernel))
    pooled = RANDOM.uniform(size=(8, *encoder.identity.input_shape[1:])).astype(np.float32)
    features = encoder.identity(pooled, training=True).numpy()
    assert (features.std(axis=0) > 0.1).all()  # across people
