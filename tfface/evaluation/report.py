"""What was measured: tables, curves, and a page of the worst results."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfface.config import EvaluationConfig
from tfface.data.crop import crop_image
from tfface.evaluation.measures import FOUND, TITLES, YAW, nearest_face
from tfface.evaluation.run import Found, Measured
from tfface.evaluation.systems import open_system
from tfface.evaluation.test_sets import open_test_set
from tfface.files import write_text
from tfface.metrics import cumulative_curve, mean_by_yaw
from tfface.visualization.overlay import write_png
from tfface.visualization.views import PANEL, draw_views

_JUDGED_BY = ("scan_to_mesh_mm", "landmark_box_nme", "photometric")  # the first that is known
_GROUP = "landmark_box_nme_yaw_"

Table = dict[str, dict[str, float]]  # system -> measure -> number


def mean_errors(systems: Mapping[str, Measured]) -> Table:
    """Means over the pictures in which a face was found, and their share.

    Where the yaw is known, AFLW2000-3D's groups of poses are added.

    Args:
        systems: The errors of each picture, of each system.
    """
    table: Table = {}
    for system, pictures in systems.items():
        found = [errors for errors in pictures.values() if errors]
        row = {FOUND: len(found) / max(len(pictures), 1)}
        for measure in TITLES:
            values = [errors[measure] for errors in found if measure in errors]
            if values:
                row[measure] = float(np.nanmean(values)) if np.any(np.isfinite(values)) else np.nan
        turned = [errors for errors in found if YAW in errors]
        if turned:
            errors, yaws = (np.array([e[k] for e in turned]) for k in ("landmark_box_nme", YAW))
            groups = mean_by_yaw(errors, yaws).items()
            row |= {_GROUP + name.replace(" to ", "_"): error for name, error in groups}
        table[system] = row
    return table


def markdown(
    corner: str,
    rows: Mapping[str, Mapping[str, float]],
    titles: Mapping[str, str],
    columns: Sequence[str] | None = None,
) -> str:
    """A Markdown table; cells may be empty.

    Args:
        corner: Title of the first column.
        rows: Numbers by name, by name.
        titles: Of names, where they are to be others.
        columns: Their order, if not that in which they come.
    """
    found = dict.fromkeys(name for numbers in rows.values() for name in numbers)
    columns = [name for name in columns or found if name in found]
    lines = [f"| {corner} | " + " | ".join(titles.get(name, name) for name in columns) + " |"]
    lines.append("|---|" + "--:|" * len(columns))
    for name, numbers in rows.items():
        cells = [f"{numbers[column]:.4g}" if column in numbers else "" for column in columns]
        lines.append(f"| {titles.get(name, name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_report(config: EvaluationConfig, found: Found) -> str:
    """Writes report.md, results.csv, results.json, curves_SET.png and worst.html.

    Args:
        config: Of the evaluation.
        found: All errors.

    Returns:
        The text of report.md.

    Raises:
        OSError: a file cannot be written.
    """
    output = Path(config.output)
    tables = {name: mean_errors(systems) for name, systems in found.items()}
    parts = [
        f"## {name}\n\n{markdown('system', table, TITLES, tuple(TITLES))}\n"
        for name, table in tables.items()
    ]
    text = "\n".join(parts)
    write_text(output / "report.md", text)
    numbers = {
        f"{measure}.{test_set}.{system}": number
        for test_set, table in tables.items()
        for system, row in table.items()
        for measure, number in row.items()
    }
    finite = {name: n if np.isfinite(n) else None for name, n in numbers.items()}
    write_text(output / "results.json", json.dumps(finite, indent=1) + "\n")
    write_text(output / "results.csv", _csv(found))
    for name, systems in found.items():
        _plot(systems, output / f"curves_{name}.png")
    write_text(output / "worst.html", _worst_page(config, found, output))
    return text


def _csv(found: Found) -> str:
    """A line for each number, as spreadsheets like it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("test_set", "system", "picture", "measure", "error"))
    for test_set, systems in found.items():
        for system, pictures in systems.items():
            for picture, errors in pictures.items():
                writer.writerows((test_set, system, picture, key, e) for key, e in errors.items())
    return stream.getvalue()


def _plot(systems: Mapping[str, Measured], file: Path) -> None:
    """The cumulative curve of every measure, a line for each system."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    measures = [
        name for name in TITLES if any(name in e for p in systems.values() for e in p.values())
    ]
    columns = min(4, max(len(measures), 1))
    rows = -(-len(measures) // columns) or 1
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.4 * columns, 2.8 * rows), squeeze=False, layout="constrained"
    )
    for axis, measure in zip(axes.flat, measures, strict=False):
        errors = {
            name: np.array([e.get(measure, np.nan) for e in pictures.values()])
            for name, pictures in systems.items()
        }
        known = np.concatenate(list(errors.values()))
        limit = float(np.nanpercentile(known, 95)) if np.any(np.isfinite(known)) else 0.0
        for name, values in errors.items():
            if limit > 0 and np.any(np.isfinite(values)):
                curve = cumulative_curve(values, limit)
                axis.plot(curve.thresholds, curve.shares, label=name)
        axis.set_xlabel(TITLES[measure], fontsize=8)
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
    axes.flat[0].set_ylabel("share of pictures", fontsize=8)
    lines = axes.flat[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside upper center", ncols=4, fontsize=8)
    for axis in axes.flat[len(measures) :]:
        axis.set_axis_off()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _worst_page(config: EvaluationConfig, found: Found, output: Path) -> str:
    """Pictures of the worst results of each system, by the first measure that is known."""
    parts = ["<!doctype html><meta charset=utf-8><title>Worst results</title>"]
    for test_set, systems in found.items():
        samples = open_test_set(config.test_sets[test_set], config.seed)
        for system, pictures in systems.items():
            parts.append(f"<h2>{test_set}: {system}</h2>")
            missed = [name for name, errors in pictures.items() if not errors]
            if missed:
                parts.append(f"<p>no face found: {html.escape(', '.join(missed))}</p>")
            if not config.worst:
                continue
            reconstruct = open_system(system, config.systems[system])
            for number, (name, measure, error) in enumerate(_worst(pictures, config.worst)):
                sample = samples.read(name)
                face = nearest_face(reconstruct(sample.image, name), sample.landmarks)
                if face is None:
                    continue
                scale = PANEL / (face.box[2] - face.box[0])
                crop = crop_image(face.image, face.box, PANEL)
                place = Path("worst") / test_set / f"{system}_{number + 1}.png"
                (output / place).parent.mkdir(parents=True, exist_ok=True)
                views = draw_views(crop, face.posed().cropped(face.box[:2], scale))
                write_png(output / place, views)
                told = html.escape(f"{name}: {TITLES[measure]} {error:.4g}")
                image = f"<img src='{place.as_posix()}' style='max-width: 100%'>"
                parts.append(f"<p>{told}<br>{image}</p>")
    return "\n".join(parts) + "\n"


def _worst(pictures: Measured, count: int) -> Iterator[tuple[str, str, float]]:
    """Names, the measure and errors, the largest first."""
    for measure in _JUDGED_BY:
        known = {name: errors.get(measure, np.nan) for name, errors in pictures.items()}
        errors = {name: error for name, error in known.items() if np.isfinite(error)}
        if errors:
            ordered = sorted(errors.items(), key=lambda item: -item[1])
            yield from ((name, measure, error) for name, error in ordered[:count])
            return
