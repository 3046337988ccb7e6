"""A training run in this process: what it leaves, how devices share it, how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfface.export as export_command
from tests.tiny_system import build_tiny_system
from tfface.config import Config, ConfigError, load_config
from tfface.data.records import damaged_file
from tfface.training import run
from tfface.training.checkpoints import CheckpointError, DivergedError, latest_checkpoint


@pytest.fixture
def config(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(run, "build_system", build_tiny_system)
    return load_config(config_file)


def _change(config: Config, **sections: dict) -> Config:
    changed = config.model_dump()
    for name, values in sections.items():
        changed[name] |= values
    return type(config)(**changed)


def _losses(history: list[dict[str, float]]) -> list[float]:
    return [epoch["loss"] for epoch in history]


def test_a_run_learns_and_leaves_what_it_promises(config: Config) -> None:
    history = run.train(config)
    folder = Path(config.output)
    assert _losses(history)[-1] < _losses(history)[0]
    assert json.loads((folder / "history.json").read_text()) == history
    assert load_config(folder / "config.yaml") == config
    assert latest_checkpoint(folder / "checkpoints").name == "epoch-0004.npz"
    assert len(list((folder / "checkpoints").iterdir())) == 2
    assert np.asarray(Image.open(folder / "pictures" / "epoch-0001.png")).shape == (4 * 32, 64, 3)
    assert (folder / "export" / "saved_model.pb").is_file()
    assert not list(folder.rglob(".*"))


def test_tensorboard_has_scalars_pictures_and_meshes(config: Config) -> None:
    run.train(config)
    logs = Path(config.output) / "logs"
    scalars = EventAccumulator(str(logs / "train")).Reload().Tags()["tensors"]
    assert {"epoch_loss", "epoch_colour"} <= set(scalars)
    pictures = EventAccumulator(str(logs / "pictures")).Reload()
    assert {"faces", "meshes_VERTEX", "meshes_FACE", "meshes_COLOR"} <= set(
        pictures.Tags()["tensors"]
    )
    assert [event.step for event in pictures.Tensors("faces")] == [1, 2, 3, 4]
    vertices = tf.make_ndarray(pictures.Tensors("meshes_VERTEX")[0].tensor_proto)
    assert vertices.shape == (4, 5, 3)


@pytest.mark.slow
def test_a_continued_run_repeats_the_losses_of_one_that_never_stopped(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "build_system", partial(build_tiny_system, random_weight=1.0))
    whole = run.train(config)
    short = config.model_copy(update={"output": str(tmp_path / "short")})
    run.train(_change(short, training={"epochs": 2}))
    continued = run.train(short, resume=True)
    assert [epoch["epoch"] for epoch in continued] == [1, 2, 3, 4]
    np.testing.assert_allclose(_losses(continued), _losses(whole), rtol=1e-6)


@pytest.mark.slow
def test_two_devices_give_the_losses_of_one(config: Config, tmp_path: Path) -> None:
    one = run.train(config)
    mirrored = config.model_copy(update={"output": str(tmp_path / "mirrored")})
    two = run.train(
        _change(mirrored, training={"strategy": "mirrored", "devices": ["CPU:0", "CPU:1"]})
    )
    np.testing.assert_allclose(_losses(two), _losses(one), rtol=1e-5)


def test_mixed_precision_trains_and_exports_float32(config: Config) -> None:
    history = run.train(
        _change(config, training={"mixed_precision": True}, optimizer={"learning_rate": 0.02})
    )
    assert np.isfinite(_losses(history)).all()
    assert _losses(history)[-1] < _losses(history)[0]
    loaded = tf.saved_model.load(str(Path(config.output) / "export"))
    parts = loaded.serve(tf.zeros((1, 32, 32, 3)))
    assert {tensor.dtype for tensor in parts.values()} == {tf.float32}


def test_a_second_run_in_the_same_folder_needs_a_word(config: Config) -> None:
    run.train(config)
    with pytest.raises(ConfigError, match=r"output: .* add --resume"):
        run.train(config)


def test_a_checkpoint_of_another_shape_is_told(config: Config) -> None:
    run.train(config)
    wider = _change(config, face_model={"identity": 6})
    with pytest.raises(CheckpointError, match=r"epoch-0004.npz: .*code/kernel.*\(4, 9\).*\(4, 7\)"):
        run.train(wider, resume=True)
    assert load_config(Path(config.output) / "config.yaml") == config  # it can still be exported


def test_a_damaged_checkpoint_is_told(config: Config) -> None:
    run.train(config)
    path = latest_checkpoint(Path(config.output) / "checkpoints")
    assert path is not None
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"epoch-0004.npz: expected"):
        run.train(config, resume=True)


def test_a_diverging_run_stops_before_it_spoils_the_checkpoints(config: Config) -> None:
    with pytest.raises(DivergedError, match="epoch 1; try a lower optimizer.learning_rate"):
        run.train(_change(config, optimizer={"learning_rate": 1e30}))
    assert latest_checkpoint(Path(config.output) / "checkpoints") is None


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"devices": ["GPU:7"]}, r"training\.devices: .*CPU:0.* got GPU:7"),
        ({"devices": ["CPU:0", "CPU:1"]}, "one_device expects one"),
        (
            {"strategy": "mirrored", "devices": ["CPU:0", "CPU:1"], "batch_size": 3},
            r"training\.batch_size: expected a multiple of the 2 replicas, got 3",
        ),
        ({"strategy": "multi_worker"}, "TF_CONFIG.* got None"),
    ],
)
def test_devices_that_do_not_fit(
    config: Config, training: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match=message):
        run.train(_change(config, training=training))
    assert not Path(config.output).exists()


@pytest.mark.parametrize("cluster", ["{", "[]", '{"cluster": {}}'])
def test_a_wrong_cluster_is_told(
    config: Config, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(ConfigError, match="TF_CONFIG to hold JSON"):
        run.train(_change(config, training={"strategy": "multi_worker"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [([], "expected faces, got empty files"), ([b"something else"], "Could not parse")],
)
def test_records_of_nothing_and_of_something_else(
    config: Config, content: list[bytes], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "part.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in content:
            writer.write(record)
    with pytest.raises(ConfigError, match=rf"data\.records: .*{message}"):
        run.train(_change(config, data={"records": [str(path)]}))


def test_records_that_are_cut_short_are_named(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "part.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (b"first", b"second"):
            writer.write(record)
    assert "expected whole records, got a damaged one" in damaged_file([str(path)])
    path.write_bytes(path.read_bytes()[:-3])
    assert damaged_file([str(path)]) == (
        f"{path}: expected whole records, got a damaged one after 1"
    )

    def cut(*_: object) -> None:
        raise tf.errors.DataLossError(None, None, "corrupted")

    config = _change(config, data={"records": [str(path)]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_check_records", lambda _: None)
        patch.setattr(run, "_fit", cut)
        with pytest.raises(ConfigError, match=rf"{path}: expected whole records"):
            run.train(config)


@pytest.mark.parametrize("key", ["records", "validation_records"])
def test_missing_records_are_told(config: Config, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{key}: /nowhere/\*"):
        run.train(_change(config, data={key: ["/nowhere/*"]}))
    assert not Path(config.output).exists()


@pytest.mark.slow
def test_the_export_of_a_run(config: Config, tmp_path: Path) -> None:
    run.train(config)
    for _ in range(2):  # an exported model is replaced
        arguments = [config.output, "--output", str(tmp_path / "again")]
        assert export_command.main(arguments) == 0
    images = tf.random.stateless_uniform((2, 32, 32, 3), [1, 2])
    models = [
        tf.saved_model.load(str(path))
        for path in (Path(config.output) / "export", tmp_path / "again")
    ]
    first, second = (model.serve(images)["colour"] for model in models)
    np.testing.assert_allclose(first, second)


def test_only_fml_learns_a_face_model(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.train(config)
    capsys.readouterr()
    assert export_command.main([config.output, "--face-model", str(tmp_path / "m.npz")]) == 2
    assert "expected a run of fml, which learns a face model, got one of" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        export_command.main([config.output])
    assert "expected --output, --face-model or both" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_an_export_replaces_nothing_but_an_export(
    config: Config, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run.train(config)
    target = tmp_path / "thesis"
    precious = target / "chapter.txt" if kind == "folder" else target
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("precious")
    capsys.readouterr()
    assert export_command.main([config.output, "--output", str(target)]) == 2
    assert precious.read_text() == "precious"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfface.export: {target}: expected a new folder or an exported model")


def test_validation_batches_are_drawn_once_however_they_are_read() -> None:
    drawn = []

    def draw() -> Iterator[int]:
        for number in range(5):
            drawn.append(number)
            yield number

    batches = tf.data.Dataset.from_generator(
        draw, output_signature=tf.TensorSpec([], tf.int32)
    ).prefetch(2)
    kept = run._kept(batches)
    assert drawn == [0, 1, 2, 3, 4]
    next(iter(kept))  # as for the pictures of a run
    assert [list(kept.as_numpy_iterator()) for _ in range(2)] == [[0, 1, 2, 3, 4]] * 2
    assert len(drawn) == 5
