"""Results as numbers, tables, and curves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mofa_evaluation.measures import Errors
from results import Rows, flattened
from tfface.evaluation.report import markdown

METHODS = {
    "mofa": "MoFA (shipped)",
    "mean_face": "mean face, placed",
    "untrained": "untrained",
    "fitted": "code fitted to the photo",
}
# Table 1, figures 12 and 14 of high-fidelity MoFA (Tewari et al. 2018).
PAPER = {
    "landmark_px_of_240": "3.2 to 3.7",
    "photometric": "0.065 to 0.078",
    "synthetic_geometric_mm": "21.6 before, 4.5 after",
    "synthetic_photometric": "0.33 before, 0.05 after",
    "synthetic_landmark_px_of_240": "31.6 before, 3.9 after",
}
TITLES = {
    "landmark_nme": "held-out photos: landmark error / outer eye corner distance",
    "landmark_px_of_240": "held-out photos: landmark error, px of 240",
    "photometric": "held-out photos: photometric error, RGB distance",
    "synthetic_geometric_mm": "synthetic faces: geometric error, mm",
    "synthetic_photometric": "synthetic faces: photometric error, RGB distance",
    "synthetic_landmark_px_of_240": "synthetic faces: landmark error, px of 240",
    "synthetic_landmark_nme": "synthetic faces: landmark error / outer eye corner distance",
    "scan_to_mesh_mm": "independent heads: scan to mesh, mm",
}
# Rows and columns of the tables of section 9.
FITS = {
    "fits": "drawn faces, with their true landmarks",
    "vertices": "vertices compared",
    "refinement": "held-out photos",
    "mofa": "MoFA",
    "mean": "mean face, lit",
    "mofa_opt": "Opt, from MoFA",
    "mean_opt": "Opt, from the mean face",
    "mofa_opt_no_landmarks": "Opt, from MoFA, without landmarks",
    "mean_opt_no_landmarks": "Opt, from the mean face, without landmarks",
    "mofa_opt_paper_weights": "Opt, from MoFA, weights of section 9.1",
    "opt": "Opt",
    "detail": "Refine",
    "landmark_nme": "landmark error / outer eye corner distance",
    "landmark_px_of_240": "landmark error, px of 240",
    "photometric": "photometric error, RGB distance",
    "grid_photometric": "photometric error on the even grid, RGB distance",
    "geometric_mm": "geometric error, mm",
    "seconds": "seconds a face",
    "energy": "energy of all vertices",
    "gauss_newton": "Gauss-Newton",
    "gradient_descent": "gradient descent, to the same energy",
    "adam": "Adam, to the same energy",
    "share_not_reached": "share of faces whose energy was not reached",
    "five_steps": "five steps",
    "five_steps_every_vertex": "five steps, with all vertices of the head",
    "alexnet_pass": "a pass of AlexNet",
    "alexnet_passes": "passes of AlexNet",
}


class Report:
    """Gathers the samples of every measure.

    Attributes:
        samples: measure -> method -> one number a face.
        tables: Of section 9, by name.
        skipped: What was left out and why, a line each.
    """

    def __init__(self) -> None:
        self.samples: dict[str, dict[str, np.ndarray]] = {}
        self.tables: dict[str, Rows] = {}
        self.skipped: list[str] = []

    def add(self, errors: dict[str, Errors], prefix: str = "") -> None:
        """Adds `{method: {measure: samples}}`."""
        for method, measures in errors.items():
            for name, values in measures.items():
                self.samples.setdefault(prefix + name, {})[method] = values

    def results(self) -> dict[str, float]:
        """Flat names to means: "landmark_nme.mofa", and "geometric_mm.mofa" for the synthetic
        faces, whose other measures begin with "synthetic_"."""
        flat = {}
        for name, methods in self.samples.items():
            short = name.replace("synthetic_geometric_mm", "geometric_mm")
            for method, values in methods.items():
                flat[f"{short}.{method}"] = round(float(np.nanmean(values)), 5)
        return {**flat, **flattened(self.tables)}

    def table(self) -> str:
        """The Markdown tables."""
        lines = ["| measure | " + " | ".join(METHODS.values()) + " | paper | faces |"]
        lines.append("|---|" + "--:|" * (len(METHODS) + 2))
        for name, title in TITLES.items():
            methods = self.samples.get(name)
            if methods is None:
                continue
            cells = [
                f"{np.nanmean(methods[method]):.3f}" if method in methods else ""
                for method in METHODS
            ]
            count = str(np.isfinite(methods["mofa"]).sum())
            lines.append("| " + " | ".join([title, *cells, PAPER.get(name, ""), count]) + " |")
        for line in self.skipped:
            lines.append(f"| skipped: {line} |" + " |" * (len(METHODS) + 2))
        parts = ["\n".join(lines)]
        parts += [markdown(FITS.get(name, name), rows, FITS) for name, rows in self.tables.items()]
        return "\n\n".join(parts)

    def write(self, folder: Path) -> None:
        """Writes results.json and curves.png."""
        text = json.dumps(self.results(), indent=1, sort_keys=True)
        (folder / "results.json").write_text(text + "\n")
        self._plot(folder / "curves.png")

    def _plot(self, path: Path) -> None:
        """Cumulative error curves, one axis a measure."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        names = [name for name in TITLES if name in self.samples]
        if not names:
            return
        columns = min(3, len(names))
        rows = -(-len(names) // columns)
        size = (5 * columns, 3.6 * rows)
        figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
        for axis, name in zip(axes.ravel(), names, strict=False):
            for method, label in METHODS.items():
                if method in self.samples[name]:
                    values = np.sort(
                        self.samples[name][method][np.isfinite(self.samples[name][method])]
                    )
                    axis.plot(values, (np.arange(len(values)) + 1) / len(values), label=label)
            axis.set_title(TITLES[name], fontsize=9)
            axis.set_ylabel("share of faces below")
            axis.set_ylim(0, 1)
            axis.grid(alpha=0.3)
        axes[0, 0].legend(fontsize=8)
        for axis in axes.ravel()[len(names) :]:
            axis.set_axis_off()
        figure.tight_layout()
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
