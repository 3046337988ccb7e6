"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
