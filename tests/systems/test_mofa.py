"""MoFA: its first prediction, its losses, and what it learns."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.config import DataConfig, LossesConfig, SyntheticConfig
from tfface.data.crop import crop_box
from tfface.morphable.default import load_default_face_model
from tfface.rendering.spherical_harmonics import SH_CONSTANTS
from tfface.systems.mofa import MoFA

SIZE = 64


@pytest.fixture(scope="module")
def system() -> MoFA:
    model = load_default_face_model("coarse")
    return MoFA.of_model(model, SIZE, losses=LossesConfig(landmark=1.0, supervision=0.1))


@pytest.fixture(scope="module")
def batch(system: MoFA) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    data = DataConfig(synthetic=SyntheticConfig(corpus=8, supersampling=1))
    return next(iter(system.make_datasets(data, 8, seed=0)[0]))


def test_first_prediction_is_the_lit_mean_face_in_the_middle(system: MoFA) -> None:
    """Section 8: the last layer starts at zero, with an ambient offset of 0.7."""
    images = np.random.default_rng(0).uniform(size=(2, SIZE, SIZE, 3)).astype(np.float32)
    parts, face = system(images), system.reconstruct(images)
    for name in ("identity", "expression", "albedo", "rotation"):
        np.testing.assert_array_equal(parts[name], 0.0)
    np.testing.assert_allclose(parts["illumination"][:, 0] * SH_CONSTANTS[0], 0.7, rtol=1e-6)
    np.testing.assert_array_equal(parts["illumination"][:, 1:], 0.0)
    np.testing.assert_allclose(face["shading"], 0.7, rtol=1e-5)
    # In the middle as the crop rule understands it: the face's own crop is the whole picture.
    np.testing.assert_allclose(crop_box(face["landmarks"][0].numpy()), [0, 0, SIZE, SIZE], atol=0.2)


def test_the_truth_has_the_least_loss(system: MoFA, batch) -> None:
    """With the true code only hair, clipping and the picture's resolution are left."""
    images, targets = batch
    truth = system.loss_terms(images, targets, system.layout.split(targets["code"]))
    untrained = system.loss_terms(images, targets, system(images))
    assert truth["landmark"] < 1e-8 < untrained["landmark"]
    assert truth["supervision"] < 0.05 * untrained["supervision"]
    assert truth["photometric"] < 0.25 * untrained["photometric"]


def test_photos_without_a_code_are_not_supervised(system: MoFA, batch) -> None:
    images, targets = batch
    unknown = {**targets, "has_code": tf.zeros_like(targets["has_code"])}
    unknown["code"] = tf.zeros_like(targets["code"])
    assert system.loss_terms(images, unknown, system(images))["supervision"] == 0.0


def test_sampled_vertices_estimate_the_full_photometric_loss(batch) -> None:
    """Section 7: the sample's mean is the mean over all compared vertices."""
    model = load_default_face_model("coarse")
    sampled = MoFA.of_model(model, SIZE, sampled_vertices=500)
    images, targets = batch
    parts = sampled.layout.split(targets["code"] + 0.1)
    draws = [sampled.loss_terms(images, targets, parts)["photometric"] for _ in range(20)]
    sampled.sampled_vertices = None
    everything = sampled.loss_terms(images, targets, parts)["photometric"]
    assert np.std(draws) > 0
    np.testing.assert_allclose(np.mean(draws), everything, rtol=0.05)


@pytest.mark.parametrize("part", ["identity", "expression", "albedo", "rotation", "translation"])
def test_the_loss_reaches_every_part_of_the_code(system: MoFA, batch, part: str) -> None:
    images, targets = batch
    parts = system.layout.split(0.9 * targets["code"])
    unsupervised = {**targets, "has_code": tf.zeros_like(targets["has_code"])}
    with tf.GradientTape() as tape:
        tape.watch(parts[part])
        loss = tf.add_n(list(system.loss_terms(images, unsupervised, parts).values()))
    gradient = tape.gradient(loss, parts[part]).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(axis=-1) > 0).all()


def test_a_keras_file_restores_the_whole_system(system: MoFA, batch, tmp_path) -> None:
    system.save(tmp_path / "mofa.keras")
    restored = keras.saving.load_model(tmp_path / "mofa.keras")
    images = batch[0]
    expected, found = system.reconstruct(images), restored.reconstruct(images)
    for name in ("code", "vertices", "colours", "landmarks"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    terms, again = (s.loss_terms(*batch, s(images)) for s in (system, restored))
    for name, value in terms.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-4)


@pytest.mark.slow
def test_training_lowers_every_error(batch) -> None:
    model = load_default_face_model("coarse")
    system = MoFA.of_model(model, SIZE, losses=LossesConfig(landmark=10.0, supervision=0.1))
    system.compile(optimizer=keras.optimizers.Adam(1e-3))
    before = system.evaluate(*batch, verbose=0, return_dict=True)
    system.fit(tf.data.Dataset.from_tensors(batch).repeat(60), verbose=0)
    after = system.evaluate(*batch, verbose=0, return_dict=True)
    assert after["landmark"] < 0.5 * before["landmark"]
    assert after["photometric"] < 0.8 * before["photometric"]
