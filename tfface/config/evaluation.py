"""The schema of `python -m tfface.evaluate --config`: which systems, and on what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tfface.config.sections import Count, Positive, Section
from tfface.config.settings import SyntheticConfig

MEAN_FACE = "mean_face"


class EvaluatedSystem(Section):
    """A system, with a model that ships or is yours.

    `model` names one that ships (`mofa`, `fml`, ...), `mean_face`, which sees nothing of a picture
    but its landmarks, or the folder of an exported model; without it the entry's own name is meant.
    `refine` is as of `tfface.reconstruct`.
    """

    model: str | None = None
    refine: Literal["opt", "detail"] | None = None


class TestSet(Section):
    """Pictures, and what is known of them.

    `kind` is one of

    - `drawn`: faces drawn from the default face model as `synthetic` says; everything is known;
    - `photos`: a folder; landmarks are those of a `.pts` file beside a photo, else the detector's;
    - `scans`: a folder for each person: photos, one scan (`.obj`, `.ply` or `.stl`), and its
      seven landmarks (`.txt`, `.npy` or MeshLab's `.pp`): the corners of the eyes from the
      subject's right to left, the point under the nose, the mouth's corners, right and left;
    - `now`: the validation part of NoW (`iphone_pictures`, `scans`, `scans_lmks_onlypp`,
      `imagepathsvalidation.txt`);
    - `aflw2000`: AFLW2000-3D, photos with a `.mat` file each;
    - `facewarehouse`: `Tester_*/TrainingPose/pose_*.png` with `.obj` meshes, of which `landmarks`
      names the vertices of the seven points.

    `path` is your copy; of `drawn` there is none. `unit` is that of scans and their landmarks, mm.
    `match` is an expression that the names of pictures contain; `limit` takes the first of these,
    of `drawn` it says how many are drawn.
    """

    __test__ = False  # pytest would take its name for a test

    kind: Literal["drawn", "photos", "scans", "now", "aflw2000", "facewarehouse"]
    path: str | None = None
    limit: Count | None = None
    match: str = ""
    unit: Positive = 1.0
    landmarks: Annotated[list[Annotated[int, Field(ge=0)]], Field(default_factory=list)]
    synthetic: SyntheticConfig = SyntheticConfig()

    @model_validator(mode="after")
    def _complete(self) -> TestSet:
        if self.kind == "drawn":
            if self.path is not None or self.limit is None:
                raise ValueError("a set that is drawn with limit, and without path")
        elif self.path is None:
            raise ValueError(f"path, the folder of {self.kind}")
        elif not Path(self.path).is_dir():
            raise ValueError(f"path of a folder that exists, got {self.path!r}")
        if self.kind == "facewarehouse" and len(self.landmarks) != 7:
            raise ValueError(f"seven landmarks of facewarehouse, got {len(self.landmarks)}")
        return self


class EvaluationConfig(Section):
    """A whole evaluation.

    `output` is the folder that it writes; `seed` fixes the drawn faces; `workers` are processes
    that share the pictures; `worst` is how many of the worst results of each system are shown.
    """

    output: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    workers: Count = 1
    worst: Annotated[int, Field(ge=0)] = 4
    systems: Annotated[dict[str, EvaluatedSystem], Field(min_length=1)]
    test_sets: Annotated[dict[str, TestSet], Field(min_length=1)]
