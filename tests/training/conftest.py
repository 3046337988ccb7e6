"""A run of the tiny system, in this process or in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """\
system: mofa
output: {output}
model: {{image_size: 32}}
face_model: {{identity: 4}}
optimizer: {{learning_rate: 0.01}}
training: {{batch_size: 4, epochs: 4, steps_per_epoch: 3}}
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG.format(output=tmp_path / "run"))
    return path


@pytest.fixture
def start(repository: Path, config_file: Path) -> Callable[..., subprocess.Popen]:
    """Starts `run_tiny.py` with the configuration and more arguments; keywords: environment."""

    def start_process(*arguments: str, **environment: str) -> subprocess.Popen:
        paths = [str(repository), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        script = repository / "tests" / "training" / "run_tiny.py"
        return subprocess.Popen(
            [sys.executable, str(script), "--config", str(config_file), *arguments],
            env={**inherited, "PYTHONPATH": os.pathsep.join(paths), **environment},
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start_process
