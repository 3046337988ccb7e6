"""A training command line with the tiny system, for tests that need a process of their own.

Environment:
    TINY_KILL_EPOCH: kills the process in the middle of that epoch (from 1), as a power cut would.
    TINY_FILE_LIMIT: limits the size of files, in bytes, as a full disk would.
    TINY_PLAIN_LOSS: leaves random numbers out of the loss.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

from tfface.command_line import load_tensorflow_quietly

load_tensorflow_quietly()

from tests.tiny_system import build_tiny_system
from tfface.train import main
from tfface.training import run
from tfface.training.checkpoints import RunCheckpoint


class KilledCheckpoint(RunCheckpoint):
    """Dies after the first step of the epoch given by TINY_KILL_EPOCH."""

    _epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._epoch == int(os.environ.get("TINY_KILL_EPOCH", 0)):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if limit := os.environ.get("TINY_FILE_LIMIT"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    weight = 0.0 if "TINY_PLAIN_LOSS" in os.environ else 1.0
    run.build_system = lambda config: build_tiny_system(config, random_weight=weight)
    run.RunCheckpoint = KilledCheckpoint  # type: ignore[misc]
    sys.exit(main(sys.argv[1:]))
