"""Which epochs of a run are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tiny_system import TinySystem
from tfface.visualization.tensorboard import FacePictures


@pytest.mark.parametrize(("every", "shown"), [(2, [2, 4, 5]), (1000, [5])])
def test_every_so_many_epochs_and_the_last_of_all_stages(
    tmp_path: Path, every: int, shown: list[int]
) -> None:
    system = TinySystem(32, 4, seed=0, random_weight=0.0)
    images = np.zeros((1, 32, 32, 3), np.float32)
    callback = FacePictures(images, tmp_path / "logs", tmp_path / "pictures", every, last=5)
    callback.set_model(system)
    for stage in (range(3), range(3, 5)):
        callback.set_params({"epochs": stage.stop})
        callback.on_train_begin()
        for epoch in stage:
            callback.on_epoch_end(epoch)
        callback.on_train_end()
    files = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert files == [f"epoch-{number:04d}.png" for number in shown]
