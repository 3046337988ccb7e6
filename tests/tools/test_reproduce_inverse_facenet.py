"""The experiment on bootstrapping: its corpora, its measure, its report."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.fake_export import IMAGE_SIZE, write_fake_export
from tfface.config import ConfigError, InverseFaceNetLossesConfig, SyntheticConfig
from tfface.data.code_samplers import FaceSampler
from tfface.exported_model import ModelError
from tfface.files import write_text
from tfface.morphable.default import load_default_face_model
from tfface.systems.code_regressor import compared_vertices
from tfface.systems.inverse_facenet import InverseFaceNet
from tfface.training.run import RunFolder


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


def test_the_bias_of_the_wide_corpora_opens_the_mouth(tools, model):
    from inverse_facenet_evaluation.corpora import narrow, wide

    bias = np.array(wide(model).expression.bias)
    upper, lower = (model.mean + model.expression @ bias)[model.landmarks[[62, 66]]]
    closed = model.mean[model.landmarks[[62, 66]]]
    assert upper[1] - lower[1] > (closed[0] - closed[1])[1] + 3.0  # mm
    assert narrow().expression.bias == []


@pytest.mark.slow
def test_the_plain_loss_weighs_parts_as_the_model_space_does(tools, model, tmp_path):
    from inverse_facenet_evaluation.corpora import narrow
    from inverse_facenet_evaluation.experiment import SIZES, Experiment

    experiment = Experiment(SIZES["small"], tmp_path, 1)
    losses = experiment.balanced_plain_losses()
    assert losses.space == "parameters"
    sampler = FaceSampler(model, experiment.decoder, narrow())
    codes = sampler.draw(4096, tf.constant([5, 0], tf.int64)).numpy()
    part = experiment.layout.parts["expression"]
    plain = losses.expression * np.square(codes[:, part.slice]).sum(axis=1).mean()
    moved = np.einsum("vck,bk->bvc", model.expression, codes[:256, part.slice])
    face = compared_vertices(model, experiment.decoder)
    there = (np.square(moved).sum(axis=-1) @ face / face.sum()).mean()
    assert plain == pytest.approx(InverseFaceNetLossesConfig().expression * there, rel=0.15)


@pytest.mark.slow
def test_the_whole_experiment_with_trainings_that_learn_nothing(
    tools, model, tmp_path, monkeypatch, capsys
):
    import reproduce_inverse_facenet
    from inverse_facenet_evaluation import experiment

    exported = write_fake_export(tmp_path / "model", model)

    def train(config, resume, callbacks):
        folder = RunFolder(Path(config.output))
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(folder.config, config.to_yaml())
        shutil.copytree(exported, folder.export)
        for measure in callbacks:
            write_text(measure.file, json.dumps([[10, 2.0], [20, 1.0]]))

    tiny = experiment.Size(IMAGE_SIZE, 8, 6, 5, 1, 2, 2, 8)
    monkeypatch.setitem(experiment.SIZES, "small", tiny)
    monkeypatch.setattr(experiment, "train", train)
    monkeypatch.setenv("TFFACE_SHARED", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tfface.shipped_model_path", lambda name: exported)
    output = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["reproduce_inverse_facenet.py", "--output", str(output)])
    assert reproduce_inverse_facenet.main() == 0
    assert "skipped: held-out photos" in capsys.readouterr().out
    results = json.loads((output / "results.json").read_text())
    # All networks show the mean face.
    assert results["hausdorff_mm.ratio"] == results["photometric_l1.ratio"] == 1.0
    assert results["geometric_mm.start"] > 1.0
    assert 0 < results["narrow_geometric_mm.start"] < results["geometric_mm.start"]
    columns = cv2.imread(str(output / "faces.png")).shape[1] // IMAGE_SIZE
    assert columns == 5  # input, three networks, truth
    configuration = json.loads((output / "configuration.json").read_text())
    assert configuration["runs"]["baseline"]["bootstrapping"]["kept"] == 1.0
    assert configuration["corpora"]["test"]["data"]["synthetic"]["expression"]["bias"]
    # Another size in the same folder would mix networks.
    longer = dataclasses.replace(tiny, rounds=3)
    with pytest.raises(ConfigError, match="holds other runs"):
        experiment.Experiment(longer, output, 1).run()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--model", str(tmp_path / "nowhere")])
    assert reproduce_inverse_facenet.main() == 2


@pytest.mark.slow  # builds the system
def test_the_measured_loss_is_that_of_the_training(tools, model):
    from inverse_facenet_evaluation.loss_curve import model_space_loss
    from tfface.config import DataConfig

    system = InverseFaceNet.of_model(model, 64)
    data = DataConfig(synthetic=SyntheticConfig(corpus=16, supersampling=1, hair=0.0))
    images, targets = next(iter(system.training_batches(data, 16, seed=0)))
    codes = system.encoder(images)
    expected = sum(system.loss_terms(images, targets, system(images)).values())
    found = model_space_loss(system, codes, targets["code"].numpy())
    assert found == pytest.approx(float(expected), rel=1e-4)


def test_a_curve_goes_on_where_it_was(tools, tmp_path):
    from inverse_facenet_evaluation.corpora import Truth
    from inverse_facenet_evaluation.loss_curve import MeasureLoss, read_curve

    class Nothing:
        encoder = staticmethod(lambda images, training: tf.zeros([len(images), 4]))
        grams, layout, losses_config = {}, None, None

    truth = Truth(np.zeros((3, 8, 8, 3), np.uint8), np.zeros((3, 4), np.float32))
    for epochs in ((0, 1, 2), (1, 2, 3)):  # the second run was resumed after one epoch
        measure = MeasureLoss(truth, tmp_path / "curve.json")
        measure.set_model(Nothing())
        measure.set_params({"steps": 10})
        for epoch in epochs:
            measure.on_epoch_end(epoch)
    steps = [step for step, _ in read_curve(tmp_path / "curve.json")]
    assert steps == [10, 20, 30, 40]


def test_the_report_compares_with_the_baseline(tools, tmp_path):
    from inverse_facenet_evaluation.report import Report

    names = ("photometric_l1", "hausdorff_mm", "geometric_mm", "albedo_l1", "rotation_degrees")

    def errors(value):
        return {name: np.full(4, value) for name in names}

    report = Report(
        wide={"start": errors(5.0), "baseline": errors(4.0), "bootstrapped": errors(3.0)},
        narrow={"start": errors(1.0), "plain_parameters": errors(2.0)},
        curves={"baseline": [[10, 4.0], [20, 4.5]], "bootstrapped": [[10, 4.0], [20, 2.0]]},
    )
    report.wide["start"]["photometric_l1"][0] = np.nan
    report.photos = {"after": {"landmark_nme": np.array([0.1, 0.3])}}
    table = report.tables()
    assert "| photometric L1, of 255 | 5.00 | 4.00 | 3.00 | 0.75 | 16.74 -> 12.11: 0.72 |" in table
    assert "\nPredictions that lie outside their pictures, of all networks: 1.\n" in table
    assert "| mean vertex distance after scaling, mm | 1.00 | 2.00 |" in table
    assert "| 20 | 4.50 | 2.00 |" in table
    assert "| landmark error / outer eye corner distance | 0.200 |" in table
    report.write(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["hausdorff_mm.bootstrapped"] == 3.0
    assert results["hausdorff_mm.ratio"] == 0.75
    assert results["narrow_geometric_mm.plain_parameters"] == 2.0
    assert results["model_space_loss.bootstrapped.iteration_20"] == 2.0
    assert (tmp_path / "loss.png").stat().st_size > 1000


@pytest.mark.slow
def test_photos_are_measured_with_every_model(tools, shared, model, tmp_path):
    from inverse_facenet_evaluation.photos import evaluate_photos, load_models
    from mofa_evaluation.photos import held_out_photos

    same = write_fake_export(tmp_path / "same", model)
    models = load_models({"before": None, "after": same, "mofa": same})
    assert list(models) == ["after", "mofa"]
    photos = held_out_photos(shared / "photos")[:2]
    errors = evaluate_photos(models, photos)
    assert errors["after"]["landmark_px_of_240"].shape == (2,)
    for measure, values in errors["after"].items():
        assert (values > 0).all()
        np.testing.assert_array_equal(errors["mofa"][measure], values)
    assert evaluate_photos(models, []) == {}


def test_models_of_two_sizes_cannot_see_the_same_pictures(tools, monkeypatch):
    from inverse_facenet_evaluation import photos

    sizes = {"mofa": 64, "after": 112}
    monkeypatch.setattr(
        photos, "ExportedModel", lambda folder: SimpleNamespace(image_size=sizes[folder.name])
    )
    with pytest.raises(ModelError, match="expected one image size, got .*112"):
        photos.load_models({name: Path(name) for name in sizes})
