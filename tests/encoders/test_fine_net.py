"""FineNet: its size, what it leaves as it is, any size of picture, and published weights."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.encoders.caffe_files import random_vgg_face, write_caffemodel
from tfface.encoders import WeightsError
from tfface.encoders.fine_net import FineNet

RANDOM = np.random.default_rng(0)


def _inputs(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    images = RANDOM.random((2, height, width, 3), np.float32)
    heights = 20.0 * RANDOM.random((2, height, width, 1), np.float32)
    hints = 0.1 * RANDOM.standard_normal((2, height, width, 2), np.float32)
    mask = np.zeros((2, height, width, 1), np.float32)
    mask[:, 4:-4, 4:-4] = 1.0
    return images, heights, hints, mask


def _trained(stages: str = "compact") -> FineNet:
    net = FineNet(stages)
    net.build()
    net.regressor.kernel.assign(0.1 * RANDOM.standard_normal(net.regressor.kernel.shape))
    return net


@pytest.fixture(scope="module")
def net() -> FineNet:
    return _trained()


@pytest.mark.parametrize(("stages", "channels"), [("compact", 114), ("vgg_face", 450)])
def test_hypercolumns_have_the_channels_of_the_paper(stages: str, channels: int) -> None:
    images, heights, hints, _ = _inputs(16, 16)
    assert FineNet(stages).hypercolumn(images, heights, hints).shape == (2, 16, 16, channels)


def test_before_training_the_surface_stays() -> None:
    images, heights, hints, mask = _inputs(16, 16)
    np.testing.assert_array_equal(FineNet()(images, heights, hints, mask), heights)


def test_only_the_mask_is_refined(net: FineNet) -> None:
    images, heights, hints, mask = _inputs(24, 24)
    change = net(images, heights, hints, mask) - heights
    assert np.abs(change[mask == 0]).max() == 0
    assert np.abs(change[mask == 1]).min() > 0


@pytest.mark.parametrize("size", [(20, 20), (40, 40), (23, 30)])
def test_pictures_of_any_size(net: FineNet, size: tuple[int, int]) -> None:
    images, heights, hints, mask = _inputs(*size)
    assert net(images, heights, hints, mask).shape == (2, *size, 1)


def test_a_part_of_a_picture_is_refined_alike(net: FineNet) -> None:
    """It is fully convolutional: what is far from the border does not know the picture's size."""
    images, heights, hints, mask = _inputs(80, 80)
    flat, everywhere = 0 * heights, 1 + 0 * mask  # heights count in sides of the picture
    whole = net(images, flat, hints, everywhere)
    part = net(*(values[:, 8:72, 8:72] for values in (images, flat, hints, everywhere)))
    np.testing.assert_allclose(part[:, 24:40, 24:40], whole[:, 32:48, 32:48], atol=1e-3)


def test_colours_slopes_and_hints_count(net: FineNet) -> None:
    images, heights, hints, mask = _inputs(24, 24)
    with tf.GradientTape() as tape:
        values = [tf.constant(images), tf.constant(heights), tf.constant(hints)]
        tape.watch(values)
        total = tf.reduce_sum(tf.square(net(*values, mask) - heights))
    for gradient in tape.gradient(total, values):
        assert float(tf.reduce_mean(tf.abs(gradient))) > 0


def test_it_is_saved_and_loaded(net: FineNet) -> None:
    again = FineNet.from_config(net.get_config())
    again.build()
    again.set_weights(net.get_weights())
    inputs = _inputs(16, 16)
    np.testing.assert_allclose(again(*inputs), net(*inputs), atol=1e-6)


def test_heights_stay_exact_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = _trained()
        images, heights, hints, mask = _inputs(16, 16)
        refined = net(images, heights, hints, 0 * mask)
    finally:
        keras.config.set_dtype_policy("float32")
    assert refined.dtype == tf.float32
    np.testing.assert_array_equal(refined, heights)


def test_vgg_face_weights_are_loaded(tmp_path: Path) -> None:
    published = random_vgg_face(1)
    path = tmp_path / "vgg_face.caffemodel"
    write_caffemodel(path, published, 2)
    net = FineNet("vgg_face")
    slopes = net.columns.get_layer("slopes1_1").kernel.numpy()
    net.load_vgg_face(path)
    first = published["conv1_1"][0].transpose(2, 3, 1, 0)[:, :, ::-1]  # of BGR pictures
    np.testing.assert_array_equal(net.columns.get_layer("conv1_1").kernel, first)
    deep = published["conv3_3"][0].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(net.columns.get_layer("conv3_3").kernel, deep)
    np.testing.assert_array_equal(net.columns.get_layer("slopes1_1").kernel, slopes)


def test_compact_stages_have_no_published_weights(tmp_path: Path) -> None:
    path = tmp_path / "vgg_face.caffemodel"
    write_caffemodel(path, random_vgg_face(1), 2)
    with pytest.raises(WeightsError, match="not for compact"):
        FineNet().load_vgg_face(path)


def test_unknown_stages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"stages: expected one of vgg_face, compact, got 'big'"):
        FineNet("big")
