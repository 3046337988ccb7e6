"""Measures the shipped identity regression, and the ablations of Genova et al. 2018, figure 3.

    python tools/reproduce_identity_regression.py --size small --output DIR [--seed N]
        [--model PATH] [--second FILE]

On held-out photos (the folder `TFFACE_SHARED`, by default `../shared`; without it nothing can be
measured but the time of a step): how recognisable the pictures of reconstructions are, beside those
of MoFA and of the mean face, and how steady the shapes are when a photo is altered. `--second` is
the other recognition network, `faceres.json` of the npm package @vladmandic/human; without it the
judge is the network that training asked, of which only the ranks mean something. `full` trains the
ablations for minutes each, `small` for a moment. A run that was stopped goes on where it was.
Prints Markdown tables and writes DIR/results.json, faces.png and configuration.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import tfface
from tfface.command_line import fail, load_tensorflow_quietly, whole_number

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@dataclass(frozen=True)
class Size:
    """How many held-out photos are measured, and how long the ablations are trained.

    Attributes:
        photos: At most.
        drawn: Drawn faces.
        first: Epochs of the first stage.
        second: Epochs of the second.
        steps: Of an epoch.
    """

    photos: int
    drawn: int
    first: int
    second: int
    steps: int


SIZES = {"small": Size(40, 512, 3, 1, 40), "full": Size(1000, 8192, 3, 2, 250)}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad model, file or output folder."""
    parser = argparse.ArgumentParser(description="Measure the identity regression.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of the ablations")
    parser.add_argument("--model", type=Path, metavar="PATH", help="another exported model")
    parser.add_argument("--second", type=Path, metavar="FILE", help="faceres.json")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        model = options.model or tfface.shipped_model_path("identity_regression")
        mofa = tfface.shipped_model_path("mofa")
    except OSError as error:
        return fail("reproduce_identity_regression", error)
    load_tensorflow_quietly()
    from identity_regression_evaluation.ablations import Ablations
    from identity_regression_evaluation.measures import recognisability, stability, step_times
    from identity_regression_evaluation.networks import second_judge, training_judge
    from identity_regression_evaluation.photos import read_portraits
    from identity_regression_evaluation.report import (
        draw_faces,
        recognisability_table,
        stability_table,
        step_table,
    )
    from mofa_evaluation.photos import held_out_photos
    from results import write_results
    from tfface.data import prepare
    from tfface.exported_model import ExportedModel, ModelError
    from tfface.morphable.load import configured_face_model
    from tfface.training.run import USER_ERRORS

    size = SIZES[options.size]
    shared = Path(os.environ.get("TFFACE_SHARED", SHARED))
    results: dict[str, dict[str, dict[str, float]]] = {}
    records = options.output / "records"
    overrides = [
        f"data.synthetic.corpus={size.drawn}",
        f"training.epochs={size.first}",
        f"training.steps_per_epoch={size.steps}",
        f"unsupervised.epochs={size.second}",
    ]
    ablations = Ablations(options.output / "runs", [str(records)], overrides, options.seed)
    try:
        systems = {"mofa": ExportedModel(mofa), "shipped": ExportedModel(model)}
        judges = {"first": training_judge()}
        if options.second:
            judges["second"] = second_judge(options.second)
        paths = held_out_photos(shared / "photos")[: size.photos]
        if paths:
            arguments = ["--exclude-regex", r"3\.jpg$", "--output", str(records)]
            if prepare.main([str(shared / "photos"), *arguments]) not in (0, 3):  # 3: no face
                return 2
            trained = {name: ExportedModel(path) for name, path in ablations.run().items()}
            shown = {*systems.values(), *trained.values()}
            chips = {judge.size for judge in judges.values()} | {s.image_size for s in shown}
            portraits = read_portraits(paths, chips, systems["mofa"].image_size)
            config = ablations.config("full")
            face_model = configured_face_model(config.face_model)
            everyone = {**systems, **trained}
            for name, judge in judges.items():
                results[name] = recognisability(judge, face_model, everyone, portraits)
                print(recognisability_table(judge.title, results[name]) + "\n")
            if not options.second:
                print("Without --second: the training asked this network, so only ranks count.\n")
            results["stability"] = stability(face_model, systems, portraits)
            print(stability_table(results["stability"]) + "\n")
            draw_faces(face_model, everyone, portraits["photo"], options.output / "faces.png")
        else:
            print(f"skipped: held-out photos and ablations (no {shared / 'photos'})\n")
        results["step"] = {"milliseconds": step_times(ablations.config("full"))}
        print(step_table(results["step"]["milliseconds"]))
        configuration = {"size": options.size, **asdict(size), "seed": options.seed}
        configuration["config"] = ablations.config("full").model_dump()
        write_results(options.output, results, configuration)
    except (*USER_ERRORS, ModelError, ValueError) as error:
        return fail("reproduce_identity_regression", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
