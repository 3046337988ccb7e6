"""Measures FML as Tewari et al. 2019 measure theirs, on drawn people whose truth is known.

    python tools/reproduce_fml.py --size small --output DIR [--seed N] [--model PATH]

Trains what is compared, in DIR/runs (a killed call goes on): with one, two and four frames of each
person at a time, of the same pictures (with fewer frames, once as many pictures a step as with
four, of more people, and once as many people), and with fewer learned vectors. Prints Markdown
tables of the geometric error with one and two frames at test time (table 1 of the paper), the
photometric error against the number of vectors (table 4), and how near the learned shapes come to
identities that no training saw, beside random smooth shapes and the model's own. Of what ships,
which is trained longer: the geometric error, how far reflectance and light come apart, and errors
on held-out photos (the folder `TFFACE_SHARED`, by default `../shared`) beside MoFA's. Writes
DIR/face_model.npz, what has been learned, modes.png (supplement 1.1), lights.png, spaces.png, a
film of a drawn person with `reconstruct`'s overlay (film.png), results.json and configuration.json.
`full` is nine trainings of up to twenty minutes each on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tfface
from tfface.command_line import fail, load_tensorflow_quietly, whole_number

if TYPE_CHECKING:
    from fml_evaluation.comparisons import Source
    from fml_evaluation.trainings import Trainings
    from tfface.exported_model import ExportedModel

Rows = dict[str, dict[str, float]]
Tables = dict[str, Rows]
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
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
            "training.batch_size=4",
            "training.epochs=6",
            "joint.epochs=26",
            "joint.reflectance_epochs=0",
            "data.synthetic.corpus=8192",
        ),
        (0, 10, 50, 125),
        256,
    ),
}


def main() -> int:
    """Command line; returns the exit status: 0, 2 for a bad output folder, or the film's."""
    parser = argparse.ArgumentParser(description="Train and measure FML.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of all that is drawn")
    parser.add_argument(
        "--model", type=Path, metavar="PATH", help="in the place of the shipped one"
    )
    options = parser.parse_args()
    size = SIZES[options.size]
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        folders = {"fml": options.model or tfface.shipped_model_path("fml")}
        folders["mofa"] = tfface.shipped_model_path("mofa")
    except OSError as error:
        return fail("reproduce_fml", error)
    load_tensorflow_quietly()
    from fml_evaluation.comparisons import Source
    from fml_evaluation.trainings import FRAMES, Trainings
    from results import write_results
    from tfface.exported_model import ExportedModel, ModelError
    from tfface.training.run import USER_ERRORS

    shared = Path(os.environ.get("TFFACE_SHARED", SHARED))
    try:
        shipped = {name: ExportedModel(folder) for name, folder in folders.items()}
        runs = Trainings(options.output / "runs", size.config, size.overrides, options.seed)
        source = Source.of(runs.config("unused"), shipped["fml"], size.people, options.seed)
        results = measure(runs, source, size, shipped["fml"], options.output)
        results["photos"] = measure_photos(shipped, shared, size.people)
        configuration = {
            "size": options.size,
            **asdict(size),
            "seed": options.seed,
            "models": {name: str(folder) for name, folder in folders.items()},
            "trainings": runs.config("unused").model_dump(),
        }
        write_results(options.output, results, configuration)
        status = reconstruct_film(source, runs.with_frames(FRAMES[-1]) / "export", options.output)
    except (*USER_ERRORS, ModelError) as error:
        return fail("reproduce_fml", error)
    return status


def measure(
    runs: Trainings, source: Source, size: Size, shipped: ExportedModel, output: Path
) -> Tables:
    """Trains and measures everything on drawn people; prints the tables and writes the pictures."""
    from fml_evaluation import comparisons, report
    from fml_evaluation.trainings import FRAMES
    from tfface.evaluation.report import markdown
    from tfface.exported_model import ExportedModel
    from tfface.morphable.load import load_face_model
    from tfface.training.run import export_face_model

    results: Tables = {}

    def tell(name: str, corner: str, rows: comparisons.Rows) -> None:
        results[name] = rows
        print(markdown(corner, rows, report.TITLES) + "\n", flush=True)

    main_run = runs.with_frames(FRAMES[-1])
    folders = {str(FRAMES[-1]): main_run}
    for frames in FRAMES[:-1]:
        folders[str(frames)] = runs.with_frames(frames)
        folders[f"{frames}_people"] = runs.with_frames(frames, people=True)
    models = {name: ExportedModel(folder / "export") for name, folder in sorted(folders.items())}
    whole = models[str(FRAMES[-1])]
    people = source.people()
    rows = comparisons.compare_frames(models, shipped, people, source.model.mean)
    tell("geometry", "frames in training", rows)
    rows = comparisons.compare_vectors(runs, size.vectors, whole, people.pictures[:, 0])
    tell("vectors", "learned vectors", rows)
    rows = comparisons.compare_lights(source, shipped, output / "lights.png")
    tell("light", "RGB distance of", rows)

    file = output / "face_model.npz"
    export_face_model(main_run, file, persons=4 * source.count)
    learned = load_face_model(str(file))
    report.draw_modes(learned, output / "modes.png")
    rows = comparisons.compare_spaces(source, learned, whole.compared, output / "spaces.png")
    tell("identities", "modes; left of held-out identities, mm", rows)
    return results


def measure_photos(shipped: Mapping[str, ExportedModel], shared: Path, count: int) -> Rows:
    """Of what ships, on held-out photos; nothing without them."""
    from fml_evaluation import comparisons, report
    from mofa_evaluation.photos import held_out_photos
    from tfface.data.detection import FaceDetector
    from tfface.evaluation.report import markdown

    photos = held_out_photos(shared / "photos")[:count]
    if not photos:
        print(f"skipped: held-out photos (no {shared / 'photos'})\n")
        return {}
    rows = comparisons.compare_photos(shipped, FaceDetector(), photos)
    print(markdown("held-out photos", rows, report.TITLES) + "\n", flush=True)
    return rows


def reconstruct_film(source: Source, export: Path, output: Path) -> int:
    """A film of a drawn person through `tfface.reconstruct`, whose exit status is returned;
    film.png shows its overlay."""
    import tfface.reconstruct
    from fml_evaluation import report
    from fml_evaluation.people import draw_film
    from tfface.data.video import video_frames

    clip, place = output / "film.mp4", output / "reconstructed"
    draw_film(source.model, source.config.data.synthetic, FILM, source.seed, clip)
    arguments = [str(clip), "--model", str(export), "--output", str(place)]
    status = tfface.reconstruct.main(arguments)
    if status == 0:
        frames = (frame for _, frame in video_frames(place / "film" / "overlay.mp4"))
        report.draw_film(frames, SHOWN, output / "film.png")
    return status


if __name__ == "__main__":
    sys.exit(main())
