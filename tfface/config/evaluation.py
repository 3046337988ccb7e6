"""The schema of `python -m tfface.evaluate --config`: which systems, and on what."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tfface.config.sections import Count, Positive, Section
from tfface.config.settings import SyntheticConfig

MEAN_FACE = "mean_face"


Name = Annotated[str, Field(pattern=r"^[\w-]+$")]  # of files, too


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None
    return text


class EvaluatedSystem(Section):
    """A system, with a model that ships or is yours.

    `model` names one that ships (`mofa`, `fml`, ...), `mean_face`, whose pose, expression and light
    are fitted, or the folder of an exported model; without it the entry's own name is meant, which
    ships. `refine` is as of `tfface.reconstruct`.
    """

    model: str | None = None
    refine: Literal["opt", "detail"] | None = None


class EvaluationSet(Section):
    """Pictures, and what is known of them.

    `kind` is one of

    - `drawn`: faces drawn from the default face model as `synthetic` says; everything is known;
    - `photos`: a folder; landmarks are those of a `.pts` file beside a photo, else what the
      detector finds;
    - `scans`: a folder for each person: photos, one scan (`.obj`, `.ply` or `.stl`), and its
      seven landmarks (`.txt`, `.npy` or MeshLab's `.pp`): the corners of the eyes from the
      subject's right to left, the point under the nose, the mouth's corners, right and left;
    - `now`: the validation part of NoW (`iphone_pictures`, `scans`, `scans_lmks_onlypp`,
      `imagepathsvalidation.txt`);
    - `aflw2000`: AFLW2000-3D, photos with a `.mat` file each;
    - `facewarehouse`: `Tester_*/TrainingPose/pose_*.png` with `.obj` meshes, of which `landmarks`
      names the vertices of the seven points.

    `path` is your copy; of `drawn` there is none. `unit` is that of scans and their landmarks, in
    millimetres (1000 for metres). `match` is an expression that the names of pictures contain;
    `limit` takes the first of these, of `drawn` it says how many are drawn.
    """

    kind: Literal["drawn", "photos", "scans", "now", "aflw2000", "facewarehouse"]
    path: str | None = None
    limit: Count | None = None
    match: Annotated[str, AfterValidator(_expression)] = ""
    unit: Positive = 1.0
    landmarks: Annotated[list[Annotated[int, Field(ge=0)]], Field(default_factory=list)]
    synthetic: SyntheticConfig = SyntheticConfig()

    @model_validator(mode="after")
    def _complete(self) -> EvaluationSet:
        if self.kind == "drawn":
            if self.path is not None or self.limit is None:
                raise ValueError("a set that is drawn with limit, and without path")
        elif self.path is None:
            raise ValueError(f"path, the folder of {self.kind}")
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
    systems: Annotated[dict[Name, EvaluatedSystem], Field(min_length=1)]
    test_sets: Annotated[dict[Name, EvaluationSet], Field(min_length=1)]
