"""The ablations of the paper's figure 3: trainings that go without one loss, or with one view."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfface.config import Config, ConfigError, IdentityRegressionConfig, load_config
from tfface.training.run import RunFolder, train

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "identity_regression.yaml"
# What each changes; "full" changes nothing, and trains as long as the others.
VARIANTS: dict[str, Sequence[str]] = {
    "full": (),
    "no_batch_distribution": ("losses.batch_distribution=0",),
    "no_loopback": ("losses.loopback=0",),
    "one_view": ("losses.views=1",),
}


class Ablations:
    """Trainings in one folder that share the first stage; what is there is not done again.

    Args:
        folder: To write.
        records: Patterns of the training photos' records.
        overrides: Of the configuration, `section.key=value`.
        seed: Of all.
    """

    def __init__(
        self, folder: Path, records: Sequence[str], overrides: Sequence[str], seed: int
    ) -> None:
        self.folder, self.seed = folder, seed
        patterns = ", ".join(f'"{pattern}"' for pattern in records)
        self.overrides = [*overrides, f"unsupervised.records=[{patterns}]", f"seed={seed}"]

    def run(self) -> dict[str, Path]:
        """Trains what is missing; returns the exported models.

        Raises:
            ConfigError: the folder holds trainings of other settings.
        """
        begun = self._train("first_stage", ["unsupervised.epochs=0"])
        exports = {}
        for name, changes in VARIANTS.items():
            folder = RunFolder(self.folder / name)
            if not folder.root.exists():
                _fork(begun, folder)
            exports[name] = self._train(name, changes).export
        return exports

    def _train(self, name: str, changes: Sequence[str]) -> RunFolder:
        config, folder = self.config(name, changes), RunFolder(self.folder / name)
        if folder.config.exists() and _settings(load_config(folder.config)) != _settings(config):
            raise ConfigError(f"{self.folder}: holds other runs; choose another folder")
        if not folder.export.exists():
            train(config, resume=True)
        return folder

    def config(self, name: str, changes: Sequence[str] = ()) -> IdentityRegressionConfig:
        """The configuration of a training."""
        output = f"output={self.folder / name}"
        config = load_config(CONFIG, [*self.overrides, *changes, output])
        assert isinstance(config, IdentityRegressionConfig)
        return config


def _settings(config: Config) -> dict[str, Any]:
    """What makes a training another one: not where it lies."""
    return config.model_dump(exclude={"output": True, "unsupervised": {"records": True}})


def _fork(begun: RunFolder, folder: RunFolder) -> None:
    """Lets a run begin where another ended, with the features that it has."""
    half = folder.root.with_name(f".{folder.root.name}")
    shutil.rmtree(half, ignore_errors=True)
    for part in ("checkpoints", "features"):
        shutil.copytree(begun.root / part, half / part)
    half.rename(folder.root)
