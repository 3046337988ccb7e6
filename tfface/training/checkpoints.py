"""Checkpoints from which a killed run goes on to the same losses."""

from __future__ import annotations

import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.files import write_by_rename, write_text

FORMAT = "tfface-checkpoint-1"
KEPT = 2

History = list[dict[str, float]]
Variables = dict[str, Any]  # name in the file -> variable of Keras


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or that was made by another model."""


class DivergedError(ArithmeticError):
    """A loss that is no longer a finite number; the checkpoints hold the epochs before."""


class RunCheckpoint(keras.callbacks.Callback):
    """Writes `epoch-0003.npz` after every third, sixth, ... epoch and the history after each.

    A file holds every variable of the model (its random generators too) and of the optimiser, and
    the history. It appears by rename, so that a kill leaves the one before.

    Args:
        folder: Of the checkpoints; `history.json` goes beside it.
        every: Epochs between two checkpoints.
        history: Of the epochs before, when a run goes on.
        chief: False on the workers that write nothing (they still read their variables, as
            reading may be a collective step).
    """

    def __init__(self, folder: Path, every: int, history: History, chief: bool = True) -> None:
        super().__init__()
        self.folder, self.every, self.chief = folder, every, chief
        self.history = list(history)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(values["loss"]):
            raise DivergedError(
                f"the loss became {values['loss']} in epoch {epoch + 1}; try a lower "
                f"optimizer.learning_rate (last checkpoints: {self.folder})"
            )
        self.history.append({"epoch": epoch + 1, **values})
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            arrays = {
                name: tf.convert_to_tensor(v).numpy() for name, v in _variables(self.model).items()
            }
            if self.chief:
                self._write(epoch + 1, arrays)
        if self.chief:
            text = json.dumps(self.history, indent=1)
            write_text(self.folder.parent / "history.json", text)

    def _write(self, epoch: int, arrays: dict[str, np.ndarray]) -> None:
        state = json.dumps({"format": FORMAT, "epoch": epoch, "history": self.history})

        def save(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, state=np.array(state), **arrays)  # type: ignore[arg-type]

        write_by_rename(self.folder / f"epoch-{epoch:04d}.npz", save)
        for old in sorted(self.folder.glob("epoch-*.npz"))[:-KEPT]:
            old.unlink()


def latest_checkpoint(folder: Path) -> Path | None:
    """Returns the newest checkpoint of a folder, or None."""
    return max(folder.glob("epoch-*.npz"), default=None)


def restore_checkpoint(path: Path, model: keras.Model) -> tuple[int, History]:
    """Fills a built and compiled model; returns the epochs done and their history.

    Nothing is changed when the file does not fit.

    Raises:
        CheckpointError: the file is damaged, or its variables have other names or shapes.
    """
    arrays, state = _load(path)
    _assign(path, _variables(model), arrays)
    return int(state["epoch"]), state["history"]


def restore_weights(path: Path, model: keras.Model) -> None:
    """Fills a built model, compiled or not; the optimiser's state is left out.

    Raises:
        CheckpointError: as `restore_checkpoint`.
    """
    arrays, _ = _load(path)
    arrays = {name: value for name, value in arrays.items() if name.startswith("model/")}
    _assign(path, _model_variables(model), arrays)


def _load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        state = json.loads(str(arrays.pop("state")))
        if state["format"] != FORMAT:
            raise ValueError(state["format"])
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a {FORMAT} file, got: {error}") from None
    return arrays, state


def _assign(path: Path, variables: Variables, arrays: dict[str, np.ndarray]) -> None:
    differing = sorted(set(variables) ^ set(arrays))
    if differing:
        where = "lacks" if differing[0] in variables else "has"
        raise CheckpointError(f"{path}: made by another model: it {where} {differing[0]}")
    for name, variable in variables.items():
        if tuple(variable.shape) != arrays[name].shape:
            raise CheckpointError(
                f"{path}: made by another model: {name}: expected shape "
                f"{tuple(variable.shape)}, got {arrays[name].shape}"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _model_variables(model: keras.Model) -> Variables:
    return _named("model", model.variables)


def _variables(model: keras.Model) -> Variables:
    return {**_model_variables(model), **_named("optimizer", model.optimizer.variables)}


def _named(owner: str, variables: list[Any]) -> Variables:
    # Numbered, as two layers may share a path; without the counters that Keras appends to names,
    # which depend on what else the process has built.
    paths = [re.sub(r"_\d+(?=[/_]|$)", "", variable.path) for variable in variables]
    return {
        f"{owner}/{i} {path}": v for i, (path, v) in enumerate(zip(paths, variables, strict=True))
    }
