"""Results as numbers, tables and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from identity_regression_evaluation.faces import frontal_chips, mean_codes, neutral_codes
from identity_regression_evaluation.measures import MEAN, Numbers
from identity_regression_evaluation.photos import Portraits
from tfface.exported_model import ExportedModel
from tfface.morphable.model import MorphableModel
from tfface.visualization.overlay import write_png

TITLES = {
    "altered_photos": "the photo, altered",
    "other_people": "photos of other people",
    MEAN: "mean face",
    "mofa": "MoFA",
    "shipped": "identity regression",
    "full": "shorter training",
    "no_batch_distribution": "without batch distribution",
    "no_loopback": "without loopback",
    "one_view": "one view",
}
COLUMNS = {
    "cosine": "cosine",
    "emd_same": "EMD to the photo, altered",
    "emd_different": "EMD to other people",
    "top1": "top-1",
    "top5": "top-5",
}
_SHOWN = 8


def recognisability_table(title: str, results: Mapping[str, Numbers]) -> str:
    """A row for each system, a column for each measure."""
    lines = [f"| {title} | " + " | ".join(COLUMNS.values()) + " |"]
    lines.append("|---|" + "--:|" * len(COLUMNS))
    for name, numbers in results.items():
        cells = [f"{numbers[column]:.3f}" if column in numbers else "" for column in COLUMNS]
        lines.append(f"| {TITLES[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def stability_table(results: Mapping[str, Numbers]) -> str:
    """A row for each kind of change, a column for each system."""
    lines = [
        "| shapes, mm from their mean | " + " | ".join(TITLES[name] for name in results) + " |"
    ]
    lines.append("|---|" + "--:|" * len(results))
    for kind in next(iter(results.values())):
        title = {"all": "all versions together", "people": "different people"}.get(kind, kind)
        cells = [f"{numbers[kind]:.2f}" for numbers in results.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def step_table(times: Numbers) -> str:
    """Where the time of a step goes."""
    lines = ["| a step of the second stage | ms | share |", "|---|--:|--:|"]
    for name, milliseconds in times.items():
        lines.append(f"| {name} | {milliseconds:.0f} | {milliseconds / times['step']:.2f} |")
    return "\n".join(lines)


def draw_faces(
    model: MorphableModel, systems: Mapping[str, ExportedModel], faces: Portraits, file: Path
) -> None:
    """Writes a picture: a row for each of some photos, beside it the mean face and the systems'."""
    (size, chips), *_ = faces.chips.items()
    some = Portraits({s: c[:_SHOWN] for s, c in faces.chips.items()}, faces.crops[:_SHOWN])
    codes = [neutral_codes(system, some) for system in systems.values()]
    columns = [frontal_chips(model, c, size) for c in (mean_codes(codes[0]), *codes)]
    rows = np.concatenate([chips[:_SHOWN] / 255.0, *columns], axis=2)
    write_png(file, np.round(255 * rows.reshape(-1, *rows.shape[2:])).astype(np.uint8))
