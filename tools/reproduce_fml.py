"""Measures FML as Tewari et al. 2019 measure theirs, on drawn people whose truth is known.

    python tools/reproduce_fml.py --size small --output DIR [--seed N]

Trains what is compared, in DIR/runs (a killed call goes on): with one, two and four frames of each
person, and with fewer learned vectors. Prints Markdown tables of the geometric error with one and
two frames at test time (figure 12 of the supplement), the photometric error against the number of
vectors (table 4), how far reflectance and light come apart, and how near the learned shapes come to
identities that no training saw, beside random smooth shapes and the model's own. Writes
DIR/face_model.npz, what has been learned, modes.png (supplement 1.1), lights.png, spaces.png, a
film of a drawn person with `reconstruct`'s overlay (film.png), results.json and configuration.json.
`small` takes some minutes on two cores, `full` about three hours.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfface.command_line import fail, load_tensorflow_quietly, whole_number

if TYPE_CHECKING:
    from fml_evaluation.trainings import Trainings

PAPER = {1: (1.92, 1.82), 2: (1.82, 1.76), 4: (1.76, 1.74)}
MODES = (0, 5, 10, 20, 40, 80)
FILM, SHOWN = 24, 6  # frames, and those of film.png


@dataclass(frozen=True)
class Size:
    """What is trained and measured.

    Attributes:
        config: Of all trainings.
        overrides: Of it.
        vectors: Learned, less than all.
        people: Of each measurement.
    """

    config: str
    overrides: tuple[str, ...]
    vectors: tuple[int, ...]
    people: int


SIZES = {
    "small": Size(
        "fml_quickstart.yaml",
        ("training.epochs=2", "joint.epochs=3", "joint.reflectance_epochs=0"),
        (0, 8),
        32,
    ),
    "full": Size(
        "fml.yaml",
        (
            "training.epochs=4",
            "joint.epochs=10",
            "joint.reflectance_epochs=2",
            "data.synthetic.corpus=8192",
        ),
        (0, 10, 50, 125),
        256,
    ),
}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad output folder."""
    parser = argparse.ArgumentParser(description="Train and measure FML.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of all that is drawn")
    options = parser.parse_args()
    size = SIZES[options.size]
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return fail("reproduce_fml", error)
    load_tensorflow_quietly()
    from fml_evaluation.trainings import Trainings
    from tfface.exported_model import ModelError
    from tfface.training.run import USER_ERRORS

    try:
        runs = Trainings(options.output / "runs", size.config, size.overrides, options.seed)
        results = measure(runs, size, options.seed, options.output)
        text = json.dumps(results, indent=1)
        (options.output / "results.json").write_text(text + "\n")
        configuration = {"size": options.size, **asdict(size), "seed": options.seed}
        text = json.dumps(configuration, indent=1)
        (options.output / "configuration.json").write_text(text + "\n")
    except (*USER_ERRORS, ModelError) as error:
        return fail("reproduce_fml", error)
    return 0


def measure(
    runs: Trainings, size: Size, seed: int, output: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Trains and measures everything; prints the tables and writes the pictures."""
    import numpy as np

    import tfface.reconstruct
    from fml_evaluation import measures, report
    from fml_evaluation.people import SEED, draw_film, draw_people
    from fml_evaluation.trainings import FRAMES
    from tfface.data.video import video_frames
    from tfface.exported_model import ExportedModel
    from tfface.layers.face_decoder import FaceDecoder
    from tfface.morphable.load import load_face_model
    from tfface.training.run import export_face_model

    config = runs.config("unused")
    truth = load_face_model("default", config.face_model.detail)
    decoder = FaceDecoder.of_model(truth, config.model.image_size, config.model.focal_length)
    settings = config.data.synthetic
    folders = {frames: runs.with_frames(frames) for frames in FRAMES}
    models = {frames: ExportedModel(folder / "export") for frames, folder in folders.items()}
    whole, main_run = models[FRAMES[-1]], folders[FRAMES[-1]]
    results: dict[str, dict[str, dict[str, float]]] = {}

    def tell(name: str, corner: str, rows: dict[str, dict[str, float]]) -> None:
        results[name] = rows
        print(report.table(corner, rows) + "\n", flush=True)

    people = draw_people(truth, decoder, settings, size.people, 2, seed)
    rows = {}
    for frames, model in models.items():
        errors = [measures.geometric_errors(model, people, shown) for shown in (1, 2)]
        rows[f"{frames}"] = {
            "one frame, mm": float(errors[0].mean()),
            "two frames, mm": float(errors[1].mean()),
            "two better than one, share of people": float(np.mean(errors[1] < errors[0])),
            "paper, one": PAPER[frames][0],
            "paper, two": PAPER[frames][1],
        }
    tell("geometry", "frames in training", rows)

    crops, rows = people.pictures[:, 0], {}
    for vectors in size.vectors:
        model = ExportedModel(runs.with_vectors(vectors) / "export")
        error = measures.photometric_errors(model, crops)
        rows[str(vectors)] = {"photometric error, RGB distance": float(np.nanmean(error))}
    error = measures.photometric_errors(whole, crops)
    full = f"{config.model.identity} (all)"
    rows[full] = {"photometric error, RGB distance": float(np.nanmean(error))}
    tell("vectors", "learned vectors", rows)

    lit = draw_people(truth, decoder, settings, size.people, 2, seed, light_only=True)
    found = measures.light_differences(whole, lit)
    tell("light", "RGB distance of", {"one person under two lights": found})
    report.draw_lights(whole, lit.pictures[:4], output / "lights.png")

    file = output / "face_model.npz"
    export_face_model(main_run, file, persons=4 * size.people)
    learned = load_face_model(str(file))
    report.draw_modes(learned, output / "modes.png")
    most = min(learned.identity.shape[-1], truth.identity.shape[-1])
    counts = [count for count in MODES if count <= most]
    random = np.random.default_rng(SEED + seed)
    identities = random.standard_normal((size.people, truth.identity.shape[-1]))
    spaces = measures.explained_identities(
        learned, truth, whole.compared > 0.5, identities, counts, config.model.nodes, seed
    )
    columns = zip(*spaces.values(), strict=True)
    tell(
        "identities",
        "modes; left of held-out identities, mm",
        {
            str(n): dict(zip(spaces, values, strict=True))
            for n, values in zip(counts, columns, strict=True)
        },
    )
    report.plot_spaces(spaces, counts, output / "spaces.png")

    clip = output / "film.mp4"
    draw_film(truth, settings, FILM, seed, clip)
    place = output / "reconstructed"
    arguments = [str(clip), "--model", str(main_run / "export"), "--output", str(place)]
    if tfface.reconstruct.main(arguments) == 0:
        frames = (frame for _, frame in video_frames(place / "film" / "overlay.mp4"))
        report.draw_film(frames, SHOWN, output / "film.png")
    return results


if __name__ == "__main__":
    sys.exit(main())
