"""The trainings that are compared: numbers of frames, and of learned vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfface.config import ConfigError, FMLConfig, load_config
from tfface.training.run import RunFolder, train

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FRAMES = (1, 2, 4)


class Trainings:
    """Runs in one folder that differ in one setting; what is there is not done again.

    Args:
        folder: To write.
        config: Name of the configuration that all share.
        overrides: Of it, `section.key=value`.
        seed: Of all.
    """

    def __init__(self, folder: Path, config: str, overrides: Sequence[str], seed: int) -> None:
        self.folder, self.file = folder, CONFIGS / config
        self.overrides = [*overrides, f"seed={seed}"]

    def with_frames(self, frames: int, people: bool = False) -> Path:
        """The run that sees so many pictures of a person together; all see the same ones.

        Args:
            frames: The number.
            people: As many people a step as with all frames, or else as many pictures: then it
                sees more people.

        Raises:
            ConfigError: the folder holds runs of other settings.
        """
        whole = self.config("unused")
        persons = whole.training.batch_size
        if not people:
            persons = persons * whole.model.frames // frames
        changes = [
            f"model.frames={frames}",
            f"model.drawn_frames={whole.model.frames}",
            f"training.batch_size={persons}",
        ]
        return self._train(f"frames_{frames}{'_people' if people else ''}", changes)

    def with_vectors(self, vectors: int) -> Path:
        """The run that learns so many vectors of shape and of reflectance.

        Without any, codes of identity and reflectance stay zero, and the rest is learned alike.

        Raises:
            ConfigError: as `with_frames`.
        """
        if vectors:
            changes = [f"model.identity={vectors}", f"model.albedo={vectors}"]
        else:
            changes = ["optimizer.multipliers.identity_head=0"]
        return self._train(f"vectors_{vectors}", changes)

    def _train(self, name: str, changes: Sequence[str]) -> Path:
        config, folder = self.config(name, changes), RunFolder(self.folder / name)
        if folder.config.exists():
            before = load_config(folder.config)
            if before.model_copy(update={"output": config.output}) != config:
                raise ConfigError(f"{folder.root}: holds another run; choose another folder")
        if not folder.export.exists():
            train(config, resume=True)
        return folder.root

    def config(self, name: str, changes: Sequence[str] = ()) -> FMLConfig:
        """The configuration of a training."""
        output = f"output={self.folder / name}"
        config = load_config(self.file, [*self.overrides, *changes, output])
        assert isinstance(config, FMLConfig)
        return config
