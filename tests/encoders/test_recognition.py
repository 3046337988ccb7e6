"""Recognition networks in two: features and embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfface.encoders.errors import WeightsError
from tfface.encoders.facenet import facenet_encoder
from tfface.encoders.recognition import recognition_network
from tfface.encoders.recognition_resnet import load_recognition_resnet


def test_both_parts_together_are_the_network() -> None:
    features, embedding = recognition_network("recognition_resnet", 112)
    chips = np.random.default_rng(0).random((2, 112, 112, 3)).astype(np.float32)
    pooled = features(chips)
    assert pooled.shape == (2, 256)
    whole = load_recognition_resnet(112)(chips)
    np.testing.assert_allclose(embedding(pooled), whole, atol=1e-5)
    assert not features.trainable_variables
    assert not embedding.trainable_variables


def test_the_features_of_vgg_face_are_its_embedding() -> None:
    features, embedding = recognition_network("vgg_face", 32)
    pooled = features(np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32))
    assert pooled.shape == (2, 4096)
    np.testing.assert_array_equal(embedding(pooled), pooled)


@pytest.mark.slow
def test_facenet_takes_a_file_of_keras(tmp_path: Path) -> None:
    trained = facenet_encoder(96, embedding=True)
    trained.get_layer("pool")  # the paper's features
    for variable in trained.variables[:3]:
        variable.assign(variable + 0.1)
    trained.save_weights(tmp_path / "mine.weights.h5")
    features, embedding = recognition_network("facenet", 96, str(tmp_path / "mine.weights.h5"))
    chips = np.random.default_rng(0).random((1, 96, 96, 3)).astype(np.float32)
    pooled = features(chips)
    assert pooled.shape == (1, 1024)
    np.testing.assert_allclose(embedding(pooled), trained(chips, training=False), atol=1e-5)
    with pytest.raises(WeightsError, match=r"expected \.weights\.h5 of facenet"):
        recognition_network("facenet", 96, str(tmp_path / "other.dat"))
