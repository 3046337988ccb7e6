"""Repeats the supplement's experiment on bootstrapping, and measures the shipped InverseFaceNet.

    python tools/reproduce_inverse_facenet.py --size small --output DIR [--seed N]
        [--model PATH] [--before PATH]

A narrow training corpus, wider ones without labels: the baseline and the bootstrapped network on
the wide test corpus, and the model-space loss beside a plain one. Then, where they are (the folder
`TFFACE_SHARED`, by default `../shared`), held-out photos with the shipped model, the one before
bootstrapping (`--before`, an export of the first stage) and MoFA. Prints Markdown tables and
writes DIR/results.json, loss.png, faces.png and configuration.json. A run that was
stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import tfface
from tfface.command_line import fail, load_tensorflow_quietly, whole_number

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad model or output folder."""
    parser = argparse.ArgumentParser(description="Repeat the experiments of InverseFaceNet.")
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of all that is drawn")
    parser.add_argument("--model", type=Path, metavar="PATH", help="another exported model")
    parser.add_argument("--before", type=Path, metavar="PATH", help="one before bootstrapping")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        folders = {
            "before": options.before,
            "after": options.model or tfface.shipped_model_path("inverse_facenet"),
            "mofa": tfface.shipped_model_path("mofa"),
        }
    except OSError as error:
        return fail("reproduce_inverse_facenet", error)
    load_tensorflow_quietly()
    from inverse_facenet_evaluation.experiment import CORPORA, NETWORKS, SIZES, Experiment
    from inverse_facenet_evaluation.photos import evaluate_photos, load_models
    from inverse_facenet_evaluation.report import Report, draw_faces
    from mofa_evaluation.photos import held_out_photos
    from tfface.exported_model import ModelError
    from tfface.training.run import USER_ERRORS

    size = SIZES[options.size]
    shared = Path(os.environ.get("TFFACE_SHARED", SHARED))
    photos = held_out_photos(shared / "photos")
    try:
        models = load_models(folders)
        experiment = Experiment(size, options.output, options.seed)
        report = Report(**experiment.run())
        if photos:
            report.photos = evaluate_photos(models, photos)
        print(report.tables())
        if not photos:
            print(f"\nskipped: held-out photos (no {shared / 'photos'})")
        report.write(options.output)
        networks = [experiment.export(name) for name in ("start", "baseline", "bootstrapped")]
        truth = experiment.truth("test")
        draw_faces(experiment, truth, networks, options.output / "faces.png")
        configuration = {"size": options.size, **asdict(size), "seed": options.seed}
        configuration["corpora"] = {n: experiment.corpus_config(n).model_dump() for n in CORPORA}
        configuration["runs"] = {name: experiment.config(name).model_dump() for name in NETWORKS}
        configuration["models"] = {name: str(path) for name, path in folders.items()}
        text = json.dumps(configuration, indent=1)
        (options.output / "configuration.json").write_text(text + "\n")
    except (*USER_ERRORS, ModelError) as error:
        return fail("reproduce_inverse_facenet", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
