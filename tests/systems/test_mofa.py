"""MoFA: its first prediction, its losses, and what it learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.config import DataConfig, MoFALossesConfig, SyntheticConfig, load_config
from tfface.data.crop import crop_box
from tfface.exported_model import ExportedModel
from tfface.morphable.default import load_default_face_model
from tfface.rendering.spherical_harmonics import SH_CONSTANTS
from tfface.systems.export import export_system
from tfface.systems.mofa import MoFA

SIZE = 64


@pytest.fixture(scope="module")
def system() -> MoFA:
    model = load_default_face_model("coarse")
    return MoFA.of_model(model, SIZE, losses=MoFALossesConfig(landmark=1.0, supervision=0.1))


@pytest.fixture(scope="module")
def batch(system: MoFA) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    data = DataConfig(synthetic=SyntheticConfig(corpus=8, supersampling=1))
    return next(iter(system.training_batches(data, 8, seed=0)))


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
    assert truth["photometric"] < 0.3 * untrained["photometric"]


@pytest.mark.slow
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
def test_a_face_model_without_some_parts_trains_and_exports(tmp_path) -> None:
    """As the Basel model of 2009 has no expressions and FLAME no reflectance of its own."""
    model, lacking = load_default_face_model("coarse"), ("expression", "albedo")
    nothing = {name: getattr(model, name)[..., :0] for name in lacking}
    samples = {f"{name}_samples": None for name in lacking}
    model = dataclasses.replace(model, control=None, **nothing, **samples)
    system = MoFA.of_model(model, SIZE, losses=MoFALossesConfig(supervision=1.0))
    system.compile(optimizer=keras.optimizers.Adam(1e-3))
    data = DataConfig(synthetic=SyntheticConfig(corpus=4, supersampling=1))
    history = system.fit(system.training_batches(data, 4, seed=0).take(2), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    export_system(system, tmp_path / "model")
    parts = ExportedModel(tmp_path / "model").regress(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    assert all(parts[name].shape == (1, 0) for name in lacking)


def test_the_papers_optimizer_slows_the_depth(repository: Path, system: MoFA) -> None:
    """0.0005 instead of 0.1: the first step of the depth alone is 200 times less."""
    config = load_config(repository / "configs" / "mofa_paper.yaml")
    plain = config.optimizer.model_copy(update={"multipliers": {}})
    heads = {part.name: part.bias for part in system.encoder.get_layer("code").parts}
    before, steps = {name: bias.numpy() for name, bias in heads.items()}, []
    for settings in (config, config.model_copy(update={"optimizer": plain})):
        optimizer = system.make_optimizer(settings)
        optimizer.apply([tf.ones_like(bias) for bias in heads.values()], list(heads.values()))
        steps.append({name: bias.numpy() - before[name] for name, bias in heads.items()})
        for name, bias in heads.items():
            bias.assign(before[name])
    for name, step in steps[0].items():
        scale = 0.0005 / 0.1 if name == "translation_z" else 1.0
        np.testing.assert_allclose(step, scale * steps[1][name], rtol=1e-3, atol=1e-9)
        assert np.abs(step).max() > 0


def test_a_term_with_weight_zero_is_not_computed(batch) -> None:
    images, targets = batch
    losses = MoFALossesConfig(landmark=0.0, supervision=0.0, photometric=1.0)
    system = MoFA.of_model(load_default_face_model("coarse"), SIZE, losses=losses)
    spoilt = {name: tf.fill(value.shape, np.nan) for name, value in targets.items()}
    terms = system.loss_terms(images, spoilt, system(images))
    assert terms["landmark"] == terms["supervision"] == 0.0
    assert np.isfinite(sum(terms.values()))


@pytest.mark.slow
def test_training_lowers_every_error(batch) -> None:
    model = load_default_face_model("coarse")
    system = MoFA.of_model(model, SIZE, losses=MoFALossesConfig(landmark=10.0, supervision=0.1))
    system.compile(optimizer=keras.optimizers.Adam(1e-3))
    before = system.evaluate(*batch, verbose=0, return_dict=True)
    system.fit(tf.data.Dataset.from_tensors(batch).repeat(90), verbose=0)
    after = system.evaluate(*batch, verbose=0, return_dict=True)
    assert after["landmark"] < 0.5 * before["landmark"]
    assert after["photometric"] < 0.8 * before["photometric"]
