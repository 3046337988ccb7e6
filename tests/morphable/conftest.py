"""Small face models and the files of them that the readers' tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.morphable.make_model_files import WRITERS, SmallFace, small_face
from tfface.morphable.default import load_default_face_model
from tfface.morphable.model import MorphableModel


@pytest.fixture(scope="session")
def template() -> MorphableModel:
    return load_default_face_model("coarse")


@pytest.fixture(scope="session")
def face(template: MorphableModel) -> SmallFace:
    return small_face(template)


@pytest.fixture(scope="session")
def written(face: SmallFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, write in WRITERS.items():
        write(folder / name, face)
    return folder
