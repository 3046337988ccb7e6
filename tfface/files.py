"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def write_by_rename(path: str | os.PathLike[str], write: Callable[[Path], Any]) -> None:
    """Calls `write(temporary path)` and gives the result its name, or leaves nothing."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.writing")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file by rename."""
    write_by_rename(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def kept(file: Path, settings: str, chief: bool, make: Callable[[], Arrays]) -> Arrays:
    """What a file holds, or what `make` returns, which the file then keeps.

    Args:
        file: A `.npz` file. One that is damaged or of other settings is made anew.
        settings: All that the arrays depend on.
        chief: Whether this process writes.
        make: Makes the arrays.
    """
    try:
        with np.load(file, allow_pickle=False) as saved:
            arrays = dict(saved)
            if str(arrays.pop("settings")) == settings:
                return arrays
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        pass
    arrays = make()
    if chief:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_by_rename(file, partial(_save, arrays={**arrays, "settings": np.array(settings)}))
    return arrays


def _save(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
