"""Measures the shipped CoarseNet and FineNet as Richardson et al. 2017 do, where truth is known.

    python tools/reproduce_coarse_fine.py --size small --output DIR [--seed N]
        [--model PATH] [--before PATH]

On drawn faces: the error before the first and after every pass (figure 4: passes.png). On drawn
faces with wrinkles, which no system was trained on (FineNet has seen random relief in such light):
the depth of CoarseNet's face, refined by
FineNet, and refined by the same criterion without a network (wrinkles.png). On held-out photos (the
folder `TFFACE_SHARED`, by default `../shared`): the criterion and the landmark error, with
`--before` those of an export from before both nets were trained together; photos.png shows
twenty, sizes.png the largest at 200 and 400 pixels (figure 11; without photos that of
scikit-image). Prints Markdown tables and writes DIR/results.json and configuration.json.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import tfface
from tfface.command_line import fail, load_tensorflow_quietly, whole_number

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CONFIG = ROOT / "configs" / "coarse_fine.yaml"  # the weights of the criterion
SHOWN, FIGURE_4 = 20, 3  # photos, and faces of passes.png


@dataclass(frozen=True)
class Size:
    """How many faces and photos are measured.

    Attributes:
        drawn: Drawn faces.
        wrinkled: Drawn faces with wrinkles.
        photos: At most.
    """

    drawn: int
    wrinkled: int
    photos: int


SIZES = {"small": Size(64, 16, 24), "full": Size(512, 64, 1000)}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad model or output folder."""
    parser = argparse.ArgumentParser(description="Measure CoarseNet and FineNet.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of all that is drawn")
    parser.add_argument("--model", type=Path, metavar="PATH", help="another exported model")
    parser.add_argument("--before", type=Path, metavar="PATH", help="one before both nets learned")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        folders = {"after": options.model or tfface.shipped_model_path("coarse_fine")}
    except OSError as error:
        return fail("reproduce_coarse_fine", error)
    load_tensorflow_quietly()
    from skimage import data

    from coarse_fine_evaluation import measures, report
    from mofa_evaluation.photos import held_out_photos
    from results import write_results
    from tfface.config import CoarseFineConfig, load_config
    from tfface.data.photos import read_photo
    from tfface.evaluation.report import markdown
    from tfface.exported_model import ExportedModel, ModelError
    from tfface.morphable.default import load_default_face_model
    from tfface.training.run import USER_ERRORS

    size = SIZES[options.size]
    shared = Path(os.environ.get("TFFACE_SHARED", SHARED))
    if options.before:
        folders = {"before": options.before, **folders}
    results: dict[str, dict[str, measures.Numbers]] = {}
    try:
        config = load_config(CONFIG)
        assert isinstance(config, CoarseFineConfig)
        face_model = load_default_face_model("fine")
        subjects = {
            name: measures.Subject.of(ExportedModel(folder), face_model)
            for name, folder in folders.items()
        }
        subject = subjects["after"]
        results["passes"] = measures.passes(subject, size.drawn, options.seed)
        print(markdown("drawn faces, after pass", results["passes"], report.TITLES) + "\n")
        crops, _ = next(measures.drawn_faces(subject, FIGURE_4, options.seed))
        report.draw_passes(subject, crops, options.output / "passes.png")
        show = functools.partial(report.draw_surfaces, options.output / "wrinkles.png")
        results["depth"] = measures.wrinkle_depths(
            subject, config.losses, size.wrinkled, options.seed, show
        )
        print(markdown("faces with wrinkles, depth error", results["depth"], report.TITLES) + "\n")
        photos = held_out_photos(shared / "photos")[: size.photos]
        if photos:
            results["photos"] = measures.photo_errors(subjects, config.losses, photos)
            print(markdown("held-out photos", results["photos"], report.TITLES))
            some, side = map(read_photo, photos[:SHOWN]), subject.model.detail_sizes[:1]
            report.draw_photos(subject, some, side, options.output / "photos.png")
        else:
            print(f"skipped: held-out photos (no {shared / 'photos'})")
        # The largest file has the most to show; the astronaut's face is a hundred pixels wide.
        sharp = max(photos, key=lambda path: path.stat().st_size, default=None)
        shown, sides = read_photo(sharp) if sharp else data.astronaut(), subject.model.detail_sizes
        report.draw_photos(subject, [shown], sides, options.output / "sizes.png")
        configuration = {"size": options.size, **asdict(size), "seed": options.seed}
        configuration["models"] = {name: str(folder) for name, folder in folders.items()}
        configuration["losses"] = config.losses.model_dump()
        write_results(options.output, results, configuration)
    except (*USER_ERRORS, ModelError) as error:
        return fail("reproduce_coarse_fine", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
