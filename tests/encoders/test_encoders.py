"""Shapes, precision, saving, export and GPU readiness of every encoder."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.encoders.caffe_files import convolve, normalize_response
from tests.gpu_kernels import assert_gpu_kernels
from tfface.encoders import ENCODERS, build_encoder
from tfface.encoders.caffe_layers import convolution
from tfface.encoders.l2_pooling import L2Pooling
from tfface.encoders.local_response_normalization import LocalResponseNormalization
from tfface.systems.export import _convert_to_tflite, _run_tflite

SMALL = {"compact": 32, "alexnet": 67, "vgg_face": 32, "facenet": 64, "recognition_resnet": 103}
WIDTHS = {
    "compact": 384,
    "alexnet": 4096,
    "vgg_face": 4096,
    "facenet": 1024,
    "recognition_resnet": 128,
}


@pytest.fixture(scope="module", params=list(SMALL))
def encoder(request) -> keras.Model:
    keras.utils.set_random_seed(2)
    return build_encoder(request.param, SMALL[request.param])


def test_all_encoders_but_keras_own_are_held_to_this() -> None:
    assert set(ENCODERS) == {*SMALL, "resnet50"}


def test_resnet50() -> None:
    """Keras's own network: only what was added to it is tested."""
    network = build_encoder("resnet50", 32, channels=7)
    assert network(np.zeros((2, 32, 32, 7), np.float32)).shape == (2, 2048)
    layers = network._flatten_layers()
    norms = [k for k in layers if isinstance(k, keras.layers.BatchNormalization)]
    assert len(norms) == 53
    assert all(norm.synchronized for norm in norms)


def images(encoder: keras.Model, count: int = 2) -> np.ndarray:
    shape = (count, *encoder.input_shape[1:])
    return np.random.default_rng(0).random(shape, np.float32)


def test_features(encoder):
    features = np.asarray(encoder(images(encoder)))
    assert features.shape == (2, WIDTHS[encoder.name])
    assert 0.01 < features.std() < 10.0  # images in 0..255 do not give features of that size


@pytest.mark.parametrize(("name", "pool"), [("alexnet", (6, 6, 256)), ("vgg_face", (7, 7, 512))])
def test_the_published_fc6_fits_mofas_images(monkeypatch, name, pool):
    module = f"tfface.encoders.{name}.fully_connected"
    monkeypatch.setattr(module, lambda x, *_: x)
    smallest, largest = (227, 258) if name == "alexnet" else (224, 255)
    for size in (smallest, 240, largest):
        assert build_encoder(name, size).output_shape == (None, *pool)
    for size in (smallest - 1, largest + 1):
        assert build_encoder(name, size).output_shape != (None, *pool)


def test_alexnet_has_krizhevskys_parameters(monkeypatch):
    """60.97 million of bvlc_alexnet, less fc6, fc7 and the classifier."""
    monkeypatch.setattr("tfface.encoders.alexnet.fully_connected", lambda x, *_: x)
    assert build_encoder("alexnet", 227).count_params() == 60_965_224 - 37_752_832 - 16_781_312 - (
        4_097_000
    )


def test_facenet_has_the_parameters_of_its_table():
    """Thousands of parameters and side of the map, Schroff et al. 2015, table 2 (NN2)."""
    network = build_encoder("facenet", 224)
    table = {
        "conv1": (9, 112), "inception2": (115, 56), "3a": (164, 28), "3b": (228, 28),
        "3c": (398, 14), "4a": (545, 14), "4b": (595, 14), "4c": (654, 14), "4d": (722, 14),
        "4e": (717, 7), "5a": (1600, 7), "5b": (1600, 7),
    }  # fmt: skip
    for name, (thousands, side) in table.items():
        layers = [x for x in network.layers if x.name.startswith((name, f"inception{name}"))]
        kernels = sum(np.prod(x.kernel.shape) for x in layers if x.weights)
        assert kernels / 1000 == pytest.approx(thousands, rel=0.05), name
        assert layers[-1].output.shape[1] == side, name
    embedding = build_encoder("facenet", 224, embedding=True)
    assert embedding.count_params() == pytest.approx(7.5e6, rel=0.02)


def test_facenets_embedding_has_unit_length():
    embedded = build_encoder("facenet", 64, embedding=True)(np.ones((2, 64, 64, 3)))
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=-1), 1.0, rtol=1e-5)


def test_l2_pooling_is_the_root_of_the_mean_square():
    pixels = np.random.default_rng(0).standard_normal((1, 3, 3, 2)).astype(np.float32)
    pooled = np.asarray(L2Pooling(3)(pixels))
    np.testing.assert_allclose(pooled[0, 1, 1], np.sqrt((pixels**2).mean((0, 1, 2))), rtol=1e-5)
    corner = np.sqrt((pixels[:, :2, :2] ** 2).mean((0, 1, 2)))  # what is padded does not count
    np.testing.assert_allclose(pooled[0, 0, 0], corner, rtol=1e-5)


def test_compact_is_small():
    assert 2e6 < build_encoder("compact", 112).count_params() < 5e6


def test_dropout_is_optional():
    model = build_encoder("alexnet", 67, dropout=0.5)
    x = images(model, 1)
    assert np.mean(model(x, training=True) == 0.0) > 1.3 * np.mean(model(x, training=False) == 0.0)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="name: expected one of compact, alexnet.*got 'resnet'"):
        build_encoder("resnet", 112)
    with pytest.raises(ValueError, match="image_size: expected at least 67 pixels, got 64"):
        build_encoder("alexnet", 64)


def test_local_response_normalization_is_caffes():
    x = 60.0 * np.random.default_rng(0).standard_normal((1, 3, 4, 9)).astype(np.float32)
    expected = normalize_response(x[0].transpose(2, 0, 1)).transpose(1, 2, 0)
    found = LocalResponseNormalization()(x)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(expected / x[0]).min() < 0.9  # constants at which it does something
    other = LocalResponseNormalization(size=3, alpha=0.1, beta=0.5)
    again = LocalResponseNormalization.from_config(other.get_config())
    np.testing.assert_array_equal(other(x), again(x))
    assert not np.allclose(other(x), found, rtol=0.1, atol=0)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="size: expected an odd number of channels, got 4"):
        LocalResponseNormalization(size=4)


def test_groups_are_grouped_convolutions():
    inputs = keras.Input((7, 7, 8))
    model = keras.Model(inputs, convolution(inputs, 6, 3, "conv", groups=2))
    kernels = [model.get_layer(f"conv_group{i}").kernel.numpy() for i in (1, 2)]
    kernel = np.concatenate([part.transpose(3, 2, 0, 1) for part in kernels])
    x = np.random.default_rng(0).standard_normal((1, 7, 7, 8)).astype(np.float32)
    expected = convolve(x[0].transpose(2, 0, 1), kernel, np.zeros(6), padding=1, groups=2)
    expected = np.maximum(expected, 0.0).transpose(1, 2, 0)
    np.testing.assert_allclose(model(x)[0], expected, atol=1e-5)


def test_saved_and_loaded(encoder, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    x = images(encoder)
    np.testing.assert_allclose(again(x), encoder(x), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_exported(encoder, tmp_path):
    """A SavedModel computes the same, and so does its float16 TFLite, within its precision."""

    @tf.function(input_signature=[tf.TensorSpec([None, *encoder.input_shape[1:]], name="images")])
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": encoder(images, training=False)}

    assert_gpu_kernels(serve.get_concrete_function())
    archive = keras.export.ExportArchive()
    archive.track(encoder)
    archive.add_endpoint("serve", serve)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    x = images(encoder, 1)
    expected = np.asarray(encoder(x, training=False))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(saved.serve(x)["features"], expected, rtol=1e-4, atol=1e-5)
    lite = tmp_path / "encoder.tflite"
    lite.write_bytes(_convert_to_tflite(tmp_path / "saved"))
    found = _run_tflite(lite, x)["features"]
    np.testing.assert_allclose(found, expected, atol=5e-3 * expected.max())


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("name", list(SMALL))
def test_training_step(name, precision):
    """Gradients reach every variable, by operations that have GPU kernels, in both precisions."""
    keras.config.set_dtype_policy(precision)
    try:
        model = build_encoder(name, SMALL[name])
    finally:
        keras.config.set_dtype_policy("float32")

    @tf.function
    def gradients(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            features = tf.cast(model(x, training=True), tf.float32)
            loss = tf.reduce_mean(tf.square(features - 1.0))
        return tape.gradient(loss, model.trainable_variables)

    x = tf.constant(images(model, 4))
    assert_gpu_kernels(gradients.get_concrete_function(x))
    for variable, gradient in zip(model.trainable_variables, gradients(x), strict=True):
        gradient = gradient.numpy()
        assert variable.dtype == "float32"
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0.0, variable.path
