"""InverseFaceNet: its loss, and the rounds of self-supervised bootstrapping."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfface.config import (
    ConfigError,
    DataConfig,
    InverseFaceNetConfig,
    InverseFaceNetLossesConfig,
    SyntheticConfig,
    load_config,
)
from tfface.data.corpus import write_corpus
from tfface.morphable.default import load_default_face_model
from tfface.systems.bootstrapping import histograms
from tfface.systems.inverse_facenet import InverseFaceNet
from tfface.training import run

pytestmark = pytest.mark.slow

SIZE = 64


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def system(model) -> InverseFaceNet:
    return InverseFaceNet.of_model(model, SIZE)


@pytest.fixture(scope="module")
def batch(system: InverseFaceNet) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    data = DataConfig(synthetic=SyntheticConfig(corpus=16, supersampling=1))
    return next(iter(system.training_batches(data, 16, seed=0)))


def test_the_truth_has_no_loss(system, batch) -> None:
    images, targets = batch
    truth = system.layout.split(targets["code"])
    untrained = system.loss_terms(images, targets, system(images))
    for name, value in system.loss_terms(images, targets, truth).items():
        assert value == 0.0
        assert untrained[name] > 0.1


def test_the_terms_are_mean_squared_distances_of_the_faces(system, batch, model) -> None:
    images, targets = batch
    truth = system.layout.split(targets["code"])
    parts = {**truth, "expression": tf.zeros_like(truth["expression"])}
    terms = system.loss_terms(images, targets, parts)
    moved = np.einsum("vck,bk->bvc", model.expression, truth["expression"])
    squared = np.square(moved).sum(axis=-1) @ system.compared / system.compared.sum()
    expected = system.losses_config.expression * squared.mean()
    assert float(terms["expression"]) == pytest.approx(expected, rel=1e-3)
    assert all(value == 0.0 for name, value in terms.items() if name != "expression")


def test_plain_parameters_are_another_loss(model, batch) -> None:
    losses = InverseFaceNetLossesConfig(space="parameters", identity=1.0)
    plain = InverseFaceNet.of_model(model, SIZE, losses=losses)
    images, targets = batch
    terms = plain.loss_terms(images, targets, plain(images))
    squared = np.square(plain.layout.split(targets["code"])["identity"]).sum(axis=-1)
    assert float(terms["identity"]) == pytest.approx(squared.mean(), rel=1e-4)


@pytest.fixture(scope="module")
def photos(repository: Path, model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records to bootstrap on: faces all turned to one side."""
    folder = tmp_path_factory.mktemp("photos") / "corpus"
    turned = "data.synthetic.yaw={distribution: constant, value: 30}"
    file = repository / "configs" / "inverse_facenet_quickstart.yaml"
    config = load_config(file, [turned, "model.image_size=64", "data.synthetic.supersampling=1"])
    write_corpus(folder, config, model, 24)
    return folder


@pytest.fixture(scope="module")
def config(
    repository: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> InverseFaceNetConfig:
    file = repository / "configs" / "inverse_facenet_quickstart.yaml"
    config = load_config(
        file,
        [
            "model.image_size=64",
            "data.synthetic.supersampling=1",
            "data.synthetic.corpus=16",
            "seed=0",
            "training.batch_size=8",
            "training.epochs=1",
            "training.steps_per_epoch=2",
            "training.validation_steps=1",
            "bootstrapping.rounds=2",
            "bootstrapping.epochs=2",
            "bootstrapping.faces=16",
            "bootstrapping.kept=0.25",
            f"bootstrapping.records=[{photos}]",
            f"output={tmp_path_factory.mktemp('bootstrapped') / 'run'}",
        ],
    )
    assert isinstance(config, InverseFaceNetConfig)
    return config


@pytest.fixture(scope="module")
def bootstrapped(config: InverseFaceNetConfig, without_export: None) -> list[dict[str, float]]:
    """The history of a run whose rounds were asked for when it was over, as its file offers."""
    first = {"rounds": 0, "records": ["photos to come"]}
    changes = {"bootstrapping": config.bootstrapping.model_copy(update=first)}
    assert len(run.train(config.model_copy(update=changes))) == 1
    return run.train(config, resume=True)


def test_a_run_goes_through_its_rounds(config, bootstrapped) -> None:
    assert [epoch["epoch"] for epoch in bootstrapped] == [1, 2, 3, 4, 5]
    rounds = sorted((Path(config.output) / "rounds").iterdir())
    assert [path.name for path in rounds] == ["round-01.npz", "round-02.npz"]
    for path in rounds:
        assert np.load(path)["codes"].shape == (24, 257)


def test_tensorboard_shows_the_corpus_of_every_round(config, bootstrapped) -> None:
    events = EventAccumulator(
        str(Path(config.output) / "logs" / "rounds"), size_guidance={"tensors": 0}
    )
    events.Reload()
    for part in ("identity", "expression_mode_1", "albedo", "rotation_y", "illumination_red"):
        assert [e.step for e in events.Tensors(f"{part}/corpus")] == [0, 1, 2]
        assert [e.step for e in events.Tensors(f"{part}/photos")] == [1, 2]


def test_a_killed_round_is_drawn_again_alike(config, bootstrapped, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(config.output, copy)
    (copy / "checkpoints" / "epoch-0005.npz").unlink()  # the second half of the last round
    resumed = run.train(config.model_copy(update={"output": str(copy)}), resume=True)
    for name in ("loss", "val_loss"):
        expected = [epoch[name] for epoch in bootstrapped]
        np.testing.assert_allclose([epoch[name] for epoch in resumed], expected, rtol=1e-3)


def test_a_round_whose_codes_are_lost(config, bootstrapped, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(config.output, copy)
    (copy / "checkpoints" / "epoch-0005.npz").unlink()
    (copy / "rounds" / "round-02.npz").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"round-02\.npz: expected the codes"):
        run.train(config.model_copy(update={"output": str(copy)}), resume=True)


def test_histograms_show_one_kind_of_number_each(system) -> None:
    codes = np.zeros((5, system.layout.size), np.float32)
    codes[:, system.layout.parts["rotation"].slice] = [0.0, np.pi / 6, 0.0]
    codes[:, system.layout.parts["expression"].slice][:, 1] = 2.0
    codes[:, system.layout.parts["illumination"].slice][:, :3] = [1.0, 2.0, 3.0]
    shown = histograms(codes, system.layout)
    np.testing.assert_allclose(shown["rotation_y"], 30.0, rtol=1e-5)
    np.testing.assert_array_equal(shown["expression_mode_2"], 2.0)
    np.testing.assert_array_equal(shown["illumination_green"], 2.0)
    assert shown["expression"].shape == (5, 64)
    light = codes[:, system.layout.parts["illumination"].slice]
    light[:, 3 * 3 : 3 * 3 + 3] = 0.5  # along x, in every channel
    shown = histograms(codes, system.layout)
    np.testing.assert_array_equal(shown["illumination_x"], 0.5)
    np.testing.assert_array_equal(shown["illumination_z"], 0.0)


class _Known(keras.layers.Layer):
    """An encoder that sees one face in every picture."""

    def __init__(self, code: np.ndarray) -> None:
        super().__init__()
        self.code = tf.constant(code)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return tf.tile(self.code[None], [tf.shape(images)[0], 1])


def test_a_round_draws_what_the_network_sees(model, config, tmp_path: Path) -> None:
    system = InverseFaceNet.of_model(model, SIZE)
    code = np.zeros(system.layout.size, np.float32)
    parts = system.layout.parts
    code[parts["expression"].slice] = 2.0
    code[parts["translation"].slice] = system.decoder.initial_translation
    images = keras.Input((SIZE, SIZE, 3))
    system.encoder = keras.Model(images, _Known(code)(images))
    settings = config.bootstrapping.model_copy(update={"kept": 0.0})
    config = config.model_copy(update={"bootstrapping": settings})
    _, first, _ = system.stages(config, tmp_path)
    _, targets = next(iter(first.make_batches(0)))
    drawn = targets["code"].numpy()
    assert drawn[:, parts["expression"].slice].mean() == pytest.approx(2.0, abs=0.1)
    assert drawn[:, parts["identity"].slice].std() == pytest.approx(0.2, abs=0.05)
    assert (targets["has_code"].numpy() == 1.0).all()
