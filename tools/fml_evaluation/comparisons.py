"""What is compared, a table each: rows by name, of numbers by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from fml_evaluation import measures, report
from fml_evaluation.people import SEED, People, draw_people
from fml_evaluation.trainings import Trainings
from mofa_evaluation.measures import collect, picture_errors
from mofa_evaluation.photos import photo_crops
from tfface.config import FMLConfig
from tfface.data.detection import FaceDetector
from tfface.exported_model import ExportedModel
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.load import load_face_model
from tfface.morphable.model import MorphableModel

# Table 1: mm, by the number of frames in training; one in training and two is not there.
PAPER = {
    1: {"paper_one_mm": 1.92},
    2: {"paper_one_mm": 1.82, "paper_two_mm": 1.80},
    4: {"paper_one_mm": 1.76, "paper_two_mm": 1.74},
}
MODES = (0, 5, 10, 20, 40, 80)

Rows = dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Source:
    """What people are drawn of.

    Attributes:
        model: The face model, of which FML is told the mean and the expressions alone.
        decoder: Of it, for pictures of the size of what ships.
        config: Of the trainings; how people vary.
        count: People of each measurement.
        seed: Of all that is drawn.
    """

    model: MorphableModel
    decoder: FaceDecoder
    config: FMLConfig
    count: int
    seed: int

    @classmethod
    def of(cls, config: FMLConfig, shipped: ExportedModel, count: int, seed: int) -> Self:
        model = load_face_model("default", config.face_model.detail)
        decoder = FaceDecoder.of_model(model, shipped.image_size, shipped.focal_length)
        return cls(model, decoder, config, count, seed)

    def people(self, light_only: bool = False) -> People:
        """With two pictures each, see `draw_people`."""
        settings = self.config.data.synthetic
        return draw_people(self.model, self.decoder, settings, self.count, 2, self.seed, light_only)


def compare_frames(
    models: Mapping[str, ExportedModel], shipped: ExportedModel, people: People, mean: np.ndarray
) -> Rows:
    """Geometric errors with one and two frames at test time, of the neutral mean face and of the
    mean face with the expressions that `shipped` regresses too.

    Args:
        models: By the number of frames in training, and what is alike: "4", "2_people".
        shipped: Trained longer.
        people: With two pictures each.
        mean: `(V, 3)` face that sees none.
    """
    face = shipped.compared > 0.5
    neutral = [measures.aligned_distance(mean[face], true[0, face]) for true in people.vertices]
    rows = {"mean_face": dict.fromkeys(("one_mm", "two_mm"), float(np.mean(neutral)))}
    alike = [measures.geometric_errors(shipped, people, shown, identity=False) for shown in (1, 2)]
    one, two = (float(errors.mean()) for errors in alike)
    rows["shipped_expression"] = {"one_mm": one, "two_mm": two}
    for name, model in {**models, "shipped": shipped}.items():
        errors = [measures.geometric_errors(model, people, shown) for shown in (1, 2)]
        frames = name.partition("_")[0]
        rows[name] = {
            "one_mm": float(errors[0].mean()),
            "two_mm": float(errors[1].mean()),
            "share_two_better": float(np.mean(errors[1] < errors[0])),
            "one_sd_mm": float(errors[0].std()),
            "two_sd_mm": float(errors[1].std()),
            **(PAPER[int(frames)] if frames.isdigit() else {}),
        }
    return rows


def compare_vectors(
    runs: Trainings, vectors: Sequence[int], whole: ExportedModel, crops: np.ndarray
) -> Rows:
    """Photometric errors, by the number of learned vectors; `whole` has learned all."""

    def row(model: ExportedModel) -> dict[str, float]:
        return {"photometric": float(np.nanmean(measures.photometric_errors(model, crops)))}

    fewer = {str(n): row(ExportedModel(runs.with_vectors(n) / "export")) for n in vectors}
    return {**fewer, "all": row(whole)}


def compare_lights(source: Source, model: ExportedModel, picture: Path) -> Rows:
    """How far reflectances lie apart, of one person under two lights and of two people; draws four
    people."""
    lit = source.people(light_only=True)
    report.draw_lights(model, lit.pictures[:4], picture)
    return measures.light_differences(model, lit)


def compare_photos(
    models: Mapping[str, ExportedModel], detector: FaceDetector, paths: Sequence[Path]
) -> Rows:
    """Errors on single photos, beside the detector's landmarks."""
    rows = {}
    for name, model in models.items():
        batches = [
            {"": picture_errors(model, model.pose(model.regress(crops)), crops, landmarks)}
            for crops, landmarks in photo_crops(detector, paths, model.image_size)
        ]
        rows[name] = {key: float(errors.mean()) for key, errors in collect(batches)[""].items()}
    return rows


def compare_spaces(
    source: Source, learned: MorphableModel, compared: np.ndarray, picture: Path
) -> Rows:
    """What spaces leave of identities that no training saw, by the number of modes; plots it.

    Args:
        source: Of the identities.
        learned: The model that FML has learned.
        compared: `(V,)` weights of the vertices.
        picture: To write.
    """
    size = source.model.identity.shape[-1]
    counts = [count for count in MODES if count <= min(learned.identity.shape[-1], size)]
    random = np.random.default_rng(SEED + source.seed)
    identities = random.standard_normal((source.count, size))
    spaces = measures.explained_identities(
        learned, source.model, compared > 0.5, identities, counts,
        source.config.model.nodes, source.seed,
    )  # fmt: skip
    report.plot_spaces(spaces, counts, picture)
    return {
        str(count): {name: errors[i] for name, errors in spaces.items()}
        for i, count in enumerate(counts)
    }
