"""Published files give the encoder what the published network computes; bad ones, an error."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.encoders.caffe_files import (
    Network,
    alexnet_features,
    random_alexnet,
    random_vgg_face,
    vgg_face_features,
    write_caffemodel,
    write_matconvnet,
    write_npy,
)
from tfface.encoders import WeightsError, build_encoder, load_published_weights
from tfface.encoders.alexnet import MEAN_RGB as ALEXNET_MEAN
from tfface.encoders.vgg_face import MEAN_RGB as VGG_FACE_MEAN

# The smallest images with a 2 x 2 map before fc6, in which the order of flattening shows.
SIZES = {"alexnet": 99, "vgg_face": 64}


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return {"alexnet": random_alexnet(2), "vgg_face": random_vgg_face(2)}


@pytest.fixture(scope="module")
def encoders() -> dict[str, keras.Model]:
    return {name: build_encoder(name, size) for name, size in SIZES.items()}


def check_features(name: str, encoder: keras.Model, network: Network) -> None:
    image = np.random.default_rng(1).random((SIZES[name], SIZES[name], 3), np.float32)
    mean = ALEXNET_MEAN if name == "alexnet" else VGG_FACE_MEAN
    bgr = (255.0 * image - np.asarray(mean, np.float32))[..., ::-1].transpose(2, 0, 1)
    features = alexnet_features if name == "alexnet" else vgg_face_features
    expected = features(network, bgr)
    found = np.asarray(encoder(image[None], training=False))[0]
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def forget(encoder: keras.Model) -> None:
    for variable in encoder.variables:
        variable.assign(np.zeros(variable.shape))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["alexnet", "vgg_face"])
def test_caffemodel(tmp_path, networks, encoders, name, version):
    path = tmp_path / "published.caffemodel"
    write_caffemodel(path, networks[name], version)
    forget(encoders[name])
    load_published_weights(encoders[name], path)
    check_features(name, encoders[name], networks[name])


def test_npy(tmp_path, networks, encoders):
    path = tmp_path / "bvlc_alexnet.npy"
    write_npy(path, networks["alexnet"], 2)
    forget(encoders["alexnet"])
    load_published_weights(encoders["alexnet"], path)
    check_features("alexnet", encoders["alexnet"], networks["alexnet"])


@pytest.mark.parametrize("form", [{}, {"old": True}, {"inside_net": True}])
def test_matconvnet(tmp_path, networks, encoders, form):
    path = tmp_path / "vgg_face.mat"
    write_matconvnet(path, networks["vgg_face"], 2, **form)
    forget(encoders["vgg_face"])
    load_published_weights(encoders["vgg_face"], path)
    check_features("vgg_face", encoders["vgg_face"], networks["vgg_face"])


def test_another_shape_names_file_layer_and_shapes(tmp_path, networks, encoders):
    network = dict(networks["alexnet"])
    network["fc6"] = (np.zeros((4096, 9216), np.float32), network["fc6"][1])
    write_caffemodel(tmp_path / "large.caffemodel", network)
    before = encoders["alexnet"].get_layer("conv1").kernel.numpy()
    with pytest.raises(WeightsError) as error:
        load_published_weights(encoders["alexnet"], tmp_path / "large.caffemodel")
    for part in ("large.caffemodel", "fc6", "(4096, 256, 2, 2)", "(1, 1, 4096, 9216)"):
        assert part in str(error.value)
    np.testing.assert_array_equal(before, encoders["alexnet"].get_layer("conv1").kernel.numpy())


def test_a_missing_layer_is_named(tmp_path, networks, encoders):
    network = {name: arrays for name, arrays in networks["alexnet"].items() if name != "conv4"}
    write_caffemodel(tmp_path / "a.caffemodel", network)
    with pytest.raises(WeightsError, match="a.caffemodel: expected a layer conv4, found conv1"):
        load_published_weights(encoders["alexnet"], tmp_path / "a.caffemodel")


def test_not_a_number(tmp_path, networks, encoders):
    network = dict(networks["alexnet"])
    network["conv1"] = (network["conv1"][0] * np.nan, network["conv1"][1])
    write_npy(tmp_path / "a.npy", network, 2)
    with pytest.raises(WeightsError, match="layer conv1: expected finite kernel"):
        load_published_weights(encoders["alexnet"], tmp_path / "a.npy")


def test_truncated_files(tmp_path, networks, encoders):
    files = [tmp_path / name for name in ("a.caffemodel", "a.npy", "a.mat")]
    small = {"conv1": networks["alexnet"]["conv1"]}
    write_caffemodel(files[0], small)
    write_npy(files[1], small, 2)
    write_matconvnet(files[2], small, 2)
    for path in files:
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(WeightsError, match=path.name):
            load_published_weights(encoders["alexnet"], path)
    for path in files:
        path.write_bytes(b"<!DOCTYPE html><html><body>404 Not Found</body></html>")
        with pytest.raises(WeightsError, match=path.name):
            load_published_weights(encoders["alexnet"], path)
    for path in files:
        path.write_bytes(b"")
        with pytest.raises(WeightsError, match=path.name):
            load_published_weights(encoders["alexnet"], path)


class Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.witness),)


def test_code_in_a_pickle_is_not_run(tmp_path, encoders):
    witness = tmp_path / "witness"
    np.save(tmp_path / "evil.npy", np.array({"conv1": Evil(witness)}), allow_pickle=True)
    with pytest.raises(WeightsError, match="evil.npy: .*mkdir, which was not run"):
        load_published_weights(encoders["alexnet"], tmp_path / "evil.npy")
    assert not witness.exists()


def test_other_files_and_encoders(tmp_path, encoders):
    with pytest.raises(WeightsError, match="expected one of .caffemodel, .npy, .mat, .dat, got"):
        load_published_weights(encoders["alexnet"], tmp_path / "weights.h5")
    with pytest.raises(FileNotFoundError):
        load_published_weights(encoders["alexnet"], tmp_path / "none.caffemodel")
    with pytest.raises(FileNotFoundError):
        load_published_weights(encoders["vgg_face"], tmp_path / "none.mat")
    with pytest.raises(
        WeightsError, match="alexnet, vgg_face, recognition_resnet, not for compact"
    ):
        load_published_weights(build_encoder("compact", 32), tmp_path / "x.caffemodel")
