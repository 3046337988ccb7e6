"""Training runs in processes of their own: killed, distributed, and without room to write."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfface.data.face_records import FaceRecord
from tfface.data.records import write_shard
from tfface.train import main

Start = Callable[..., subprocess.Popen]
pytestmark = pytest.mark.slow


def _losses(folder: Path) -> list[float]:
    return [epoch["loss"] for epoch in json.loads((folder / "history.json").read_text())]


def _finish(process: subprocess.Popen) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def test_a_killed_run_resumes_to_the_same_losses(start: Start, tmp_path: Path) -> None:
    whole = start(f"output={tmp_path / 'whole'}")
    killed = start(f"output={tmp_path / 'killed'}", TINY_KILL_EPOCH="3")
    assert _finish(whole)[0] == 0
    assert _finish(killed)[0] == -signal.SIGKILL
    status, output, errors = _finish(start(f"output={tmp_path / 'killed'}", "--resume"))
    assert status == 0, errors
    assert str(tmp_path / "killed" / "export") in output
    np.testing.assert_allclose(_losses(tmp_path / "killed"), _losses(tmp_path / "whole"), rtol=1e-6)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def test_two_workers_on_loopback_train_as_one_process(start: Start, tmp_path: Path) -> None:
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    records = tmp_path / "part.tfrecord"  # looked at before anything is trained
    picture = tf.io.encode_png(np.zeros((48, 48, 3), np.uint8)).numpy()
    points, crop = np.zeros((68, 2)), np.arange(4)
    write_shard(records, [FaceRecord(picture, 1.5, points, np.ones(68), crop, "", "", (9, 9))])
    shared = ["training.strategy=multi_worker", f"output={tmp_path / 'two'}"]
    shared.append(f"data.records=[{records}]")
    processes = []
    for index in range(2):
        cluster = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(start(*shared, TF_CONFIG=json.dumps(cluster), TINY_PLAIN_LOSS="1"))
    for process in processes:
        status, _, errors = _finish(process)
        assert status == 0, errors[-2000:]
    one = _finish(start(f"output={tmp_path / 'one'}", TINY_PLAIN_LOSS="1"))
    assert one[0] == 0, one[2]
    np.testing.assert_allclose(_losses(tmp_path / "two"), _losses(tmp_path / "one"), rtol=1e-5)
    assert (tmp_path / "two" / "export" / "saved_model.pb").is_file()


def test_a_full_disk_is_one_line_and_leaves_no_half_file(start: Start, tmp_path: Path) -> None:
    status, _, errors = _finish(start(TINY_FILE_LIMIT="1000"))
    assert status == 2
    assert len(errors.strip().splitlines()) == 1
    assert errors.startswith("tfface.train: ")
    left = [path for path in (tmp_path / "run").rglob("*") if path.suffix in (".npz", ".writing")]
    assert left == []
    assert not (tmp_path / "run" / "export").exists()


def test_an_output_that_cannot_be_written_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, _, errors = _finish(start(f"output={tmp_path / 'file' / 'run'}"))
    assert status == 2
    assert len(errors.strip().splitlines()) == 1
    assert str(tmp_path / "file") in errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_output_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    status, _, errors = _finish(start(f"output={tmp_path / 'locked' / 'run'}"))
    assert status == 2
    assert len(errors.strip().splitlines()) == 1
    assert "locked" in errors


def test_a_wrong_key_is_one_line(config_file: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--config", str(config_file), "training.epochz=3"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("tfface.train: command line: training.epochz: unknown key")
    assert errors.count("\n") == 1
    assert not (config_file.parent / "run").exists()
