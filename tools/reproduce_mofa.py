"""Measures the shipped MoFA as the paper measures its own: the figures that the README quotes.

    python tools/reproduce_mofa.py --size small --output DIR [--seed N] [--model PATH]

Prints Markdown tables and writes DIR/results.json, curves.png, heads.png and configuration.json.
Those of section 9 compare codes as the network regresses them with codes fitted to the pictures
(Opt: Gauss-Newton; from the mean face too, and without landmarks, as in figure 18) and with
wrinkles (Refine), tell time and error with fewer vertices, and Gauss-Newton's time beside gradient
descent's. DIR/systems holds what `tfface.evaluate` makes of all systems that ship.
Photos and test heads come from the development data (see the README): the folder `TFFACE_SHARED`,
by default `../shared`. Parts whose data are missing are skipped and named.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tfface
from tfface.command_line import fail, load_tensorflow_quietly
from tfface.config import CONFIGS, ConfigError

if TYPE_CHECKING:
    from mofa_evaluation.report import Report
    from results import Tables

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@dataclass(frozen=True)
class Size:
    """How many faces of each kind are measured.

    Attributes:
        photos, synthetic, heads: Of each.
        refined: Photos, and drawn faces, that codes are fitted to.
        compared: Photos, and drawn faces, that all systems see.
    """

    photos: int
    synthetic: int
    heads: int
    refined: int
    compared: int


SIZES = {"small": Size(40, 100, 4, 8, 4), "full": Size(1000, 500, 20, 40, 24)}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad model or output folder."""
    parser = argparse.ArgumentParser(description="Measure the shipped MoFA.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="of synthetic faces and test heads")
    parser.add_argument("--model", type=Path, metavar="PATH", help="another exported model")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        model = options.model or tfface.shipped_model_path("mofa")
    except OSError as error:
        return fail("reproduce_mofa", error)
    load_tensorflow_quietly()
    from mofa_evaluation.baselines import FIT
    from mofa_evaluation.photos import CONFIG
    from tfface.config import load_config
    from tfface.exported_model import ModelError

    shared = Path(os.environ.get("TFFACE_SHARED", SHARED))
    try:
        report = measure(model, SIZES[options.size], options.seed, shared, options.output)
    except ModelError as error:
        return fail("reproduce_mofa", error)
    configuration = {
        "size": options.size,
        **asdict(SIZES[options.size]),
        "seed": options.seed,
        "model": json.loads((Path(model) / "metadata.json").read_text()),
        "fitted": {**FIT, "losses": load_config(CONFIG).losses.model_dump()},
    }
    print(report.table())  # first: an hour's work is not lost to a full disk
    try:
        report.write(options.output)
        text = json.dumps(configuration, indent=1)
        (options.output / "configuration.json").write_text(text + "\n")
        size = SIZES[options.size]
        report.tables |= compare_systems(model, size, options.seed, shared, options.output)
        report.write(options.output)
    except (ConfigError, OSError) as error:
        return fail("reproduce_mofa", error)
    return 0


def measure(model: Path, size: Size, seed: int, shared: Path, output: Path) -> Report:
    """Measures everything whose data are there; returns the `Report`.

    Raises:
        ModelError: the model cannot be read, or has another face model than the default one.
    """
    from mofa_evaluation import refinement
    from mofa_evaluation.drawn_faces import evaluate_drawn_faces
    from mofa_evaluation.other_heads import YAWS, evaluate_heads
    from mofa_evaluation.photos import evaluate_photos, held_out_photos
    from mofa_evaluation.refinement import DrawnFaces, Fitting
    from mofa_evaluation.report import Report
    from tfface.exported_model import ModelError
    from tfface.fitting.face_energy import FaceEnergy
    from tfface.fitting.linear_face import LinearFace
    from tfface.morphable.load import load_face_model
    from tfface.reconstructor import Reconstructor

    reconstructor = Reconstructor(model)
    vertices = len(reconstructor.model.compared)
    levels = [load_face_model("default", detail) for detail in ("fine", "coarse")]
    matching = [level for level in levels if level.vertex_count == vertices]
    if not matching:
        raise ModelError(f"{model}: expected the default face model, got {vertices} vertices")
    face_model = matching[0]

    report = Report()
    photos = held_out_photos(shared / "photos")[: size.photos]
    if photos:
        report.add(evaluate_photos(reconstructor, face_model, photos))
    else:
        report.skipped.append(f"held-out photos (no {shared / 'photos'})")
    synthetic = evaluate_drawn_faces(reconstructor.model, face_model, size.synthetic, seed)
    report.add(synthetic, prefix="synthetic_")
    sample = shared / "face_models" / "ict_facekit_sample"
    if sample.is_dir():
        picture = output / "heads.png"
        errors = evaluate_heads(reconstructor, face_model, sample, size.heads, seed, picture)
        samples = {"mofa": errors["mofa"].ravel(), "mean_face": errors["mean_face"]}
        for column, yaw in enumerate(YAWS):
            samples[f"mofa.yaw_{yaw:+d}"] = errors["mofa"][:, column]
        report.add({method: {"scan_to_mesh_mm": values} for method, values in samples.items()})
    else:
        report.skipped.append(f"independent heads (no {sample})")
    regressing = reconstructor.model
    faces = DrawnFaces.draw(regressing, face_model, size.refined, seed)
    fit = Fitting(FaceEnergy(LinearFace.of_export(regressing)), faces)
    report.tables = {
        "fits": refinement.compare_fits(regressing, face_model, fit),
        "vertices": refinement.compare_samples(regressing, fit, seed),
        "descent": refinement.compare_descents(regressing, fit),
        "times": refinement.measure_times(regressing, fit),
    }
    if photos:
        report.tables["refinement"] = refinement.compare_refinements(
            reconstructor, photos[: size.refined]
        )
    return report


def compare_systems(model: Path, size: Size, seed: int, shared: Path, output: Path) -> Tables:
    """Measures the MoFA and all other systems that ship, beside the mean face; prints tables."""
    from tfface.config import EvaluationConfig
    from tfface.config.evaluation import MEAN_FACE
    from tfface.evaluation.report import mean_errors, write_report
    from tfface.evaluation.run import evaluate

    sets: dict[str, dict[str, object]] = {"drawn": {"kind": "drawn", "limit": size.compared}}
    photos = shared / "photos"
    if photos.is_dir():
        sets["photos"] = {
            "kind": "photos", "path": str(photos), "match": r"3\.jpg$", "limit": size.compared,
        }  # fmt: skip
    systems: dict[str, dict[str, str]] = {name: {} for name in (MEAN_FACE, *CONFIGS)}
    systems["mofa"] = {"model": str(model)}
    for refine in ("opt", "detail"):
        systems[f"mofa_{refine}"] = {"model": str(model), "refine": refine}
    tree = {
        "output": str(output / "systems"),
        "seed": seed,
        "systems": systems,
        "test_sets": sets,
    }
    config = EvaluationConfig.model_validate(tree)
    found, _ = evaluate(config)
    print(write_report(config, found))
    return {f"systems_{name}": mean_errors(systems) for name, systems in found.items()}


if __name__ == "__main__":
    sys.exit(main())
