"""What a reproduction found, for programs: results.json and configuration.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, float]]
Tables = dict[str, Rows]


def write_results(folder: Path, tables: Tables, configuration: Mapping[str, Any]) -> None:
    """Writes both files.

    Args:
        folder: Of the files.
        tables: By name, rows by name, numbers by name; flat in the file: "passes.0.posed_mm".
        configuration: What was measured, and how.
    """
    _write(folder / "results.json", flattened(tables))
    _write(folder / "configuration.json", configuration)


def flattened(tables: Tables) -> dict[str, float]:
    """Numbers by "table.row.column"."""
    return {
        ".".join((table, row, column)): round(float(value), 6)
        for table, rows in tables.items()
        for row, numbers in rows.items()
        for column, value in numbers.items()
    }


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
