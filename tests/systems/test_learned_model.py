"""What FML has learned, as a morphable model: its faces, its modes, its file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import shipped_model_path
from tfface.config import DataConfig, MoFALossesConfig, SyntheticConfig
from tfface.morphable.default import load_default_face_model
from tfface.morphable.load import load_face_model
from tfface.morphable.model import MorphableModel
from tfface.systems.fml import FML
from tfface.systems.learned_model import learned_morphable_model
from tfface.systems.mofa import MoFA

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> FML:
    """As though it had been trained: its bases are of millimetres and colours."""
    model = load_default_face_model("coarse")
    return FML.of_model(model, 64, nodes=64, identity=4, albedo=3, frames=2)


@pytest.fixture(scope="module")
def codes(system: FML) -> np.ndarray:
    """Of forty persons; their parameters depend on each other, and are not around zero."""
    random, layout = np.random.default_rng(0), system.layout
    codes = np.zeros((40, layout.size), np.float32)
    for name in ("identity", "albedo"):
        part = layout.parts[name]
        mixing = random.normal(size=(part.size, part.size))
        codes[:, part.slice] = 1.0 + random.normal(size=(40, part.size)) @ mixing
    return codes


@pytest.fixture(scope="module")
def model(system: FML, codes: np.ndarray) -> MorphableModel:
    return learned_morphable_model(system, codes)


def test_its_samples_are_the_reconstructions(system, codes, model) -> None:
    faces = system.decode(tf.constant(codes[:3]))
    for number in range(3):
        vertices = model.vertices(model.identity_samples[number])
        np.testing.assert_allclose(vertices, faces["vertices"][number], atol=1e-3)
        colours = model.albedo_colours(model.albedo_samples[number])
        np.testing.assert_allclose(colours, faces["albedo"][number], atol=1e-4)


def test_its_modes_are_those_of_the_faces(system, codes, model) -> None:
    """Singular values of the meshes themselves; modes are orthogonal, in order, of one sigma."""
    meshes = system.decode(tf.constant(codes))["vertices"].numpy().reshape(40, -1)
    sizes = np.linalg.svd(meshes - meshes.mean(axis=0), compute_uv=False) / np.sqrt(39)
    modes = model.identity.reshape(-1, model.identity.shape[-1])
    np.testing.assert_allclose(np.linalg.norm(modes, axis=0), sizes[:4], rtol=1e-3)
    products = modes.T @ modes
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-3 * products.max())
    np.testing.assert_allclose(model.identity_samples.std(axis=0, ddof=1), 1.0, rtol=1e-4)


def test_expressions_are_those_it_began_with(system, model) -> None:
    np.testing.assert_array_equal(model.expression, system.morphable_model.expression)
    assert model.control is None
    assert model.name.startswith("FML")


def test_its_file_is_a_face_model(model, tmp_path: Path) -> None:
    model.save(tmp_path / "learned.npz")
    again = load_face_model(tmp_path / "learned.npz")
    np.testing.assert_array_equal(again.identity, model.identity)
    np.testing.assert_array_equal(again.triangles, model.triangles)


def test_mofa_learns_faces_of_the_model_that_ships() -> None:
    """Of its own drawings, with as many modes as the default face model."""
    model = load_face_model(shipped_model_path("fml") / "face_model.npz")
    system = MoFA.of_model(model, 64, losses=MoFALossesConfig(supervision=1.0))
    system.compile(optimizer=keras.optimizers.Adam(1e-3))
    data = DataConfig(synthetic=SyntheticConfig(corpus=4, supersampling=1))
    batches = system.training_batches(data, 4, seed=0)
    history = system.fit(batches, steps_per_epoch=1, epochs=10, shuffle=False, verbose=0)
    sizes, losses = system.layout.sizes(), history.history["loss"]
    assert [sizes[name] for name in ("identity", "expression", "albedo")] == [80, 64, 80]
    assert losses[-1] < 0.9 * losses[0]


def test_one_person_has_no_modes(system, codes) -> None:
    with pytest.raises(ValueError, match="codes: expected at least 2 persons, got 1"):
        learned_morphable_model(system, codes[:1])
