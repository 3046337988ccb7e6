"""The measurements behind the identity regression's figures."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.fake_export import IMAGE_SIZE, write_fake_export
from tfface.config import ConfigError
from tfface.exported_model import ExportedModel
from tfface.morphable.default import load_default_face_model


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


def write_tfjs(folder, kernel):
    """A TensorFlow.js graph: the mean over a picture, times a kernel that lies there as float16."""
    axes = {"name": "axes", "shape": [2], "dtype": "int32"}
    half = {"dtype": "float16", "original_dtype": "float32"}
    weight = {"name": "kernel", "shape": [3, 2], "dtype": "float32", "quantization": half}
    real = {"T": {"type": "DT_FLOAT"}}
    nodes = [
        {"name": "pictures", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        {"name": "axes", "op": "Const", "attr": {"dtype": {"type": "DT_INT32"}}},
        {"name": "kernel", "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        {"name": "mean", "op": "Mean", "input": ["pictures", "axes"],
         "attr": {**real, "Tidx": {"type": "DT_INT32"}, "keep_dims": {"b": False}}},
        {"name": "end", "op": "MatMul", "input": ["mean", "kernel"], "attr": real},
    ]  # fmt: skip
    manifest = [{"paths": ["some.bin"], "weights": [axes, weight]}]
    (folder / "some.bin").write_bytes(
        np.array([1, 2], np.int32).tobytes() + kernel.astype(np.float16).tobytes()
    )
    graph = {"modelTopology": {"node": nodes}, "weightsManifest": manifest}
    (folder / "some.json").write_text(json.dumps(graph))
    return folder / "some.json"


def test_a_tensorflow_js_graph_is_read(tools, tmp_path):
    from identity_regression_evaluation.networks import second_judge, tfjs_function

    random = np.random.default_rng(0)
    kernel = random.integers(-8, 8, (3, 2)) / 4
    file = write_tfjs(tmp_path, kernel)
    pictures = random.random((5, 4, 6, 3)).astype(np.float32)
    found = tfjs_function(file, "end:0")(tf.constant(pictures))
    np.testing.assert_allclose(found, pictures.mean(axis=(1, 2)) @ kernel, rtol=1e-5)
    with pytest.raises(ValueError, match="expected a TensorFlow.js graph"):
        second_judge(file)  # has not the tensor
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="other.json: expected a TensorFlow.js graph"):
        second_judge(tmp_path / "other.json")


def test_spread_is_the_distance_from_the_mean(tools, model):
    from identity_regression_evaluation.faces import differences, spread

    modes = model.identity.shape[-1]
    one = {"identity": np.zeros((2, modes), np.float32)}
    other = {"identity": np.zeros((2, modes), np.float32)}
    other["identity"][1, 0] = 2.0
    apart = np.linalg.norm(model.identity[model.regions["face"] > 0.5][..., 0], axis=-1).mean()
    np.testing.assert_allclose(spread(model, [one, other]), [0, apart], rtol=1e-4, atol=1e-6)
    assert differences(model, other) == pytest.approx(apart, rel=1e-4)


def test_recognisability_of_perfect_and_of_no_reconstructions(tools, model, monkeypatch):
    """A judge that sees the mean colour: renders are the photos themselves, or all alike."""
    from identity_regression_evaluation import measures
    from identity_regression_evaluation.networks import Judge
    from identity_regression_evaluation.photos import VERSIONS, Portraits

    random = np.random.default_rng(0)
    colours = random.random((6, 1, 1, 3)).astype(np.float32)
    chips = np.tile(colours, (1, 8, 8, 1))
    judge = Judge("colours", 8, lambda pictures: tf.reduce_mean(pictures, axis=(1, 2)) - 0.5)
    faces = Portraits({8: chips}, chips)
    versions = dict.fromkeys(("photo", *VERSIONS), faces)
    codes = {"right": {"identity": np.arange(6.0)[:, None]}}
    monkeypatch.setattr(measures, "neutral_codes", lambda system, _: codes[system])

    def draw(_, seen, size):
        return chips if seen["identity"].any() else np.full_like(chips, 0.9)

    monkeypatch.setattr(measures, "frontal_chips", draw)
    found = measures.recognisability(judge, model, {"mofa": "right"}, versions)
    assert found["mofa"]["cosine"] == pytest.approx(1.0)
    assert found["mofa"]["top1"] == found["mofa"]["top5"] == 1.0
    assert found["mofa"]["emd_same"] == pytest.approx(0.0, abs=1e-6)
    assert found["mean_face"]["top1"] == pytest.approx(1 / 6)
    assert found["mean_face"]["emd_same"] > 0.1
    assert found["altered_photos"]["cosine"] == pytest.approx(1.0)


def test_versions_of_a_photo_show_the_same_person(tools, shared):
    from identity_regression_evaluation.photos import VERSIONS, read_portraits
    from mofa_evaluation.photos import held_out_photos

    portraits = read_portraits(held_out_photos(shared / "photos")[:2], [64], 32)
    assert set(portraits) == {"photo", *VERSIONS}
    photo = portraits["photo"]
    assert photo.chips[64].shape == (2, 64, 64, 3)
    assert photo.crops.shape == (2, 32, 32, 3)
    for name in VERSIONS:
        difference = np.abs(portraits[name].chips[64].astype(float) - photo.chips[64]).mean()
        assert 0.5 < difference < 60, name


@pytest.mark.slow
def test_the_whole_tool_with_trainings_that_learn_nothing(
    tools, model, tmp_path, monkeypatch, capsys, shared
):
    import reproduce_identity_regression as tool
    from identity_regression_evaluation import ablations, measures, networks
    from mofa_evaluation import photos

    mean = write_fake_export(tmp_path / "mean", model)
    neutral = write_fake_export(tmp_path / "neutral", model, "identity_regression")
    some = photos.held_out_photos(shared / "photos")[:5]
    monkeypatch.setattr(photos, "held_out_photos", lambda folder: some)
    monkeypatch.setattr("tfface.data.prepare.main", lambda arguments: 0)
    monkeypatch.setattr(ablations.Ablations, "run", lambda self: {"full": neutral})
    monkeypatch.setattr("tfface.shipped_model_path", lambda name: mean)
    monkeypatch.setattr(measures, "step_times", lambda config: {"render": 1.0, "step": 4.0})
    judge = networks.Judge(
        "colours", IMAGE_SIZE, lambda p: tf.reshape(p[:, ::16, ::16], [len(p), -1])
    )
    monkeypatch.setattr(networks, "training_judge", lambda: judge)
    arguments = ["--output", str(tmp_path / "out"), "--model", str(neutral)]
    monkeypatch.setattr(sys, "argv", ["reproduce_identity_regression.py", *arguments])
    assert tool.main() == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert f"| MoFA | {results['first.mofa.cosine']:.3f} |" in printed
    # MoFA's face is the mean face here.
    assert results["first.mofa.cosine"] == pytest.approx(
        results["first.mean_face.cosine"], rel=1e-4
    )
    assert results["stability.mofa.all"] == results["stability.mofa.people"] == 0.0
    assert results["stability.shipped.other light"] > 0
    assert "| render | 1 | 0.25 |" in printed
    assert (tmp_path / "out" / "faces.png").is_file()
    configuration = json.loads((tmp_path / "out" / "configuration.json").read_text())
    assert configuration["config"]["unsupervised"]["records"] == [str(tmp_path / "out" / "records")]


def test_ablations_share_their_first_stage(tools, tmp_path, monkeypatch):
    from identity_regression_evaluation import ablations
    from tfface.training.run import RunFolder

    trained = []

    def train(config, resume):
        folder = RunFolder(tmp_path / config.output)
        trained.append((folder.root.name, config.losses.views, config.unsupervised.epochs))
        for part in ("checkpoints", "features"):
            (folder.root / part).mkdir(parents=True, exist_ok=True)
            (folder.root / part / folder.root.name).touch()
        folder.export.mkdir()
        folder.config.write_text(config.to_yaml())

    monkeypatch.setattr(ablations, "train", train)
    runs = ablations.Ablations(tmp_path, ["some"], ["unsupervised.epochs=2"], seed=1)
    assert set(runs.run()) == set(ablations.VARIANTS)
    assert trained[0] == ("first_stage", 3, 0)
    assert ("one_view", 1, 2) in trained
    assert (tmp_path / "no_loopback" / "checkpoints" / "first_stage").is_file()
    count = len(trained)
    runs.run()
    assert len(trained) == count
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    ablations.Ablations(tmp_path / "elsewhere", [], ["unsupervised.epochs=2"], seed=1).run()
    assert len(trained) == count
    for overrides, seed in ((["unsupervised.epochs=3"], 1), (["unsupervised.epochs=2"], 2)):
        with pytest.raises(ConfigError, match="holds other runs; choose another folder"):
            ablations.Ablations(tmp_path, ["some"], overrides, seed).run()


def test_the_models_of_both_kinds_take_their_own_crops(tools, model, tmp_path):
    from identity_regression_evaluation.faces import neutral_codes
    from identity_regression_evaluation.photos import Portraits

    exported = ExportedModel(write_fake_export(tmp_path / "neutral", model, "identity_regression"))
    white = np.full((2, IMAGE_SIZE, IMAGE_SIZE, 3), 255, np.uint8)
    faces = Portraits({IMAGE_SIZE: white}, 0 * white)
    codes = neutral_codes(exported, faces)
    assert set(codes) == {"identity", "albedo"}
    np.testing.assert_allclose(codes["identity"][:, 0], 1.0)  # of the white chips
