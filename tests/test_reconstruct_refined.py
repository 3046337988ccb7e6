"""`tfface.reconstruct --refine opt`, with the model that ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage

import tfface
from tfface import reconstruct as command_line
from tfface.data.detection import FaceDetector
from tfface.data.photos import read_photo
from tfface.metrics import normalized_mean_error

PHOTO = Path(skimage.data_dir) / "astronaut.png"


def test_a_code_comes_nearer_to_its_photo(tmp_path):
    arguments = [str(PHOTO), "--refine", "opt", "--output", str(tmp_path)]
    assert command_line.main(arguments) == 0
    refined = json.loads((tmp_path / "astronaut" / "reconstruction.json").read_text())
    (regressed,) = tfface.reconstruct(PHOTO)
    assert refined["photometric_error"] < 0.85 * regressed.photometric_error
    known = FaceDetector().detect(read_photo(PHOTO))[0].landmarks[None]
    errors = [
        normalized_mean_error(np.array([landmarks]), known)[0]
        for landmarks in (refined["landmarks_68"], regressed.landmarks_68)
    ]
    assert errors[0] < 0.8 * errors[1]
    assert refined["seconds"]["refinement"] > 0
    assert "refinement" not in regressed.seconds
    assert max(np.abs(refined["code"]["identity"])) < 5  # sigmas: still a face


@pytest.mark.parametrize("system", ["inverse_facenet", "fml"])
def test_other_systems_with_light_and_pose_are_refined(system):
    model = tfface.shipped_model_path(system)
    (regressed,), (refined,) = (
        tfface.reconstruct(PHOTO, model, refine) for refine in (None, "opt")
    )
    assert refined.photometric_error < 0.95 * regressed.photometric_error


def test_an_unknown_refinement():
    with pytest.raises(ValueError, match="refine: expected one of opt, got 'best'"):
        tfface.reconstruct(PHOTO, refine="best")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--system", "identity_regression"], "expected codes of identity, expression"),
        (["--system", "identity_regression", "--together"], "one photo at a time"),
        (["--system", "coarse_fine"], "expected codes of identity, expression"),
        (["--system", "fml"], "one photo at a time"),
    ],
)
def test_what_cannot_be_refined_is_told(tmp_path, capsys, arguments, reason):
    wanted = [str(PHOTO), "--refine", "opt", "--output", str(tmp_path)]
    assert command_line.main([*wanted, *arguments]) == 2
    assert reason in capsys.readouterr().err
