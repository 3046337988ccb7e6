"""Results as numbers, tables, a plot and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from inverse_facenet_evaluation.corpora import Truth
from inverse_facenet_evaluation.experiment import Experiment
from mofa_evaluation.measures import Errors
from tfface.exported_model import ExportedModel
from tfface.systems.pictures import draw_columns
from tfface.visualization.overlay import write_png

# Supplement of Kim et al., figure 3: baseline and bootstrapped.
PAPER = {"photometric_l1": (16.74, 12.11), "hausdorff_mm": (2.56, 2.01)}
TITLES = {
    "photometric_l1": "photometric L1, of 255",
    "hausdorff_mm": "Hausdorff distance, mm",
    "geometric_mm": "mean vertex distance after scaling, mm",
    "albedo_l1": "reflectance L1, of 255",
    "rotation_degrees": "rotation, degrees",
    "landmark_px_of_240": "landmark error, px of 240",
    "landmark_nme": "landmark error / outer eye corner distance",
    "photometric": "photometric error, RGB distance",
}
PHOTOS = {
    "before": "InverseFaceNet before bootstrapping",
    "after": "InverseFaceNet after bootstrapping",
    "mofa": "MoFA",
}
_SHOWN = 6


class Report:
    """Gathers what was measured.

    Args:
        wide: network -> errors on the wide test corpus.
        narrow: `start` and `plain_parameters` -> errors on faces like those of the training.
        curves: network -> `[[iteration, model-space loss], ...]` on the wide test corpus.

    Attributes:
        photos: model -> errors on held-out photos; empty without photos.
    """

    def __init__(
        self,
        wide: Mapping[str, Errors],
        narrow: Mapping[str, Errors],
        curves: Mapping[str, Sequence[Sequence[float]]],
    ) -> None:
        self.wide, self.narrow, self.curves = wide, narrow, curves
        self.photos: dict[str, Errors] = {}

    def results(self) -> dict[str, float]:
        """Flat names to means: "hausdorff_mm.bootstrapped", "hausdorff_mm.ratio", "narrow_...",
        "photos_..." and "model_space_loss.bootstrapped.iteration_1000"; and how many predictions,
        "faces_out_of_picture", have no photometric error and are left out of its means."""
        flat = {}
        for prefix, networks in (
            ("", self.wide),
            ("narrow_", self.narrow),
            ("photos_", self.photos),
        ):
            for network, errors in networks.items():
                for measure, values in errors.items():
                    flat[f"{prefix}{measure}.{network}"] = float(np.nanmean(values))
        for measure in self.wide["baseline"]:
            flat[f"{measure}.ratio"] = flat[f"{measure}.bootstrapped"] / flat[f"{measure}.baseline"]
        for network, curve in self.curves.items():
            for iteration, loss in curve:
                flat[f"model_space_loss.{network}.iteration_{iteration}"] = loss
        flat["faces_out_of_picture"] = sum(
            int(np.isnan(errors["photometric_l1"]).sum()) for errors in self.wide.values()
        )
        return {name: round(value, 5) for name, value in flat.items()}

    def tables(self) -> str:
        """The Markdown tables."""
        found = self.results()
        lines = [
            "| wide test corpus | start | baseline | bootstrapped | ratio | paper |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        for measure in self.wide["baseline"]:
            cells = [
                f"{found[f'{measure}.{n}']:.2f}" for n in ("start", "baseline", "bootstrapped")
            ]
            paper = ""
            if measure in PAPER:
                before, after = PAPER[measure]
                paper = f"{before} -> {after}: {after / before:.2f}"
            cells += [f"{found[f'{measure}.ratio']:.2f}", paper]
            lines.append(f"| {TITLES[measure]} | " + " | ".join(cells) + " |")
        if found["faces_out_of_picture"]:
            count = found["faces_out_of_picture"]
            lines += ["", f"Predictions that lie outside their pictures, of all networks: {count}."]
        lines += ["", "| iteration | model-space loss, baseline | bootstrapped |", "|--:|--:|--:|"]
        pairs = zip(self.curves["baseline"], self.curves["bootstrapped"], strict=True)
        lines += [f"| {step} | {one:.2f} | {other:.2f} |" for (step, one), (_, other) in pairs]
        lines += ["", "| faces like those of the training | model-space loss | plain loss |"]
        lines.append("|---|--:|--:|")
        for measure in self.narrow["start"]:
            cells = [f"{found[f'narrow_{measure}.{n}']:.2f}" for n in ("start", "plain_parameters")]
            lines.append(f"| {TITLES[measure]} | " + " | ".join(cells) + " |")
        if self.photos:
            names = [name for name in PHOTOS if name in self.photos]
            lines += ["", "| held-out photos | " + " | ".join(PHOTOS[n] for n in names) + " |"]
            lines.append("|---|" + "--:|" * len(names))
            for measure in self.photos[names[0]]:
                cells = [f"{found[f'photos_{measure}.{name}']:.3f}" for name in names]
                lines.append(f"| {TITLES[measure]} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Writes results.json and loss.png."""
        text = json.dumps(self.results(), indent=1, sort_keys=True)
        (folder / "results.json").write_text(text + "\n")
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axis = pyplot.subplots(figsize=(7, 4))
        for network, curve in self.curves.items():
            axis.plot(*np.transpose(curve), marker="o", markersize=3, label=network)
        axis.set_xlabel("iteration")
        axis.set_ylabel("model-space loss on the wide test corpus")
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.legend()
        figure.tight_layout()
        figure.savefig(folder / "loss.png", dpi=110)
        pyplot.close(figure)


def draw_faces(experiment: Experiment, truth: Truth, folders: Sequence[Path], file: Path) -> None:
    """Writes a picture: a row for each of some test faces, input, networks and truth beside it."""
    images = tf.cast(truth.images[:_SHOWN], tf.float32) / 255.0
    columns = [images]
    for folder in folders:
        parts = ExportedModel(folder).regress(truth.images[:_SHOWN])
        columns.append(draw_columns(experiment.decoder, parts, images)["overlay"])
    codes = tf.constant(truth.codes[:_SHOWN])
    parts = experiment.layout.split(codes)
    columns.append(draw_columns(experiment.decoder, parts, images)["overlay"])
    rows = np.concatenate(columns, axis=2).reshape(-1, len(columns) * images.shape[2], 3)
    write_png(file, np.round(255 * rows).astype(np.uint8))
