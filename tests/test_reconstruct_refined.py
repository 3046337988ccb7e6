"""`tfface.reconstruct --refine opt|detail`, with the models that ship."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import trimesh

import tfface
from tfface import reconstruct as command_line
from tfface.data.detection import FaceDetector
from tfface.data.photos import read_photo
from tfface.metrics.closest_points import MeshDistance

PHOTO = Path(skimage.data_dir) / "astronaut.png"


def test_a_code_comes_nearer_to_its_photo(tmp_path):
    arguments = [str(PHOTO), "--refine", "opt", "--output", str(tmp_path)]
    assert command_line.main(arguments) == 0
    refined = json.loads((tmp_path / "astronaut" / "reconstruction.json").read_text())
    (regressed,) = tfface.reconstruct(PHOTO)
    assert refined["photometric_error"] < 0.85 * regressed.photometric_error
    known = FaceDetector().detect(read_photo(PHOTO))[0].landmarks
    errors = [
        np.linalg.norm(np.array(landmarks) - known, axis=1).mean()
        for landmarks in (refined["landmarks_68"], regressed.landmarks_68)
    ]
    assert errors[0] < 1.05 * errors[1]  # colours are not bought with landmarks
    assert refined["seconds"]["opt"] > 0
    assert not {"opt", "detail"} & set(regressed.seconds)
    assert max(np.abs(refined["code"]["identity"])) < 5  # sigmas: still a face


@pytest.mark.parametrize("system", ["inverse_facenet", "fml"])
def test_other_systems_with_light_and_pose_are_refined(system):
    model = tfface.shipped_model_path(system)
    (regressed,), (refined,) = (
        tfface.reconstruct(PHOTO, model, refine) for refine in (None, "opt")
    )
    assert refined.photometric_error < 0.95 * regressed.photometric_error


@pytest.mark.slow
def test_wrinkles_are_written_beside_the_mesh(tmp_path):
    arguments = [str(PHOTO), "--refine", "detail", "--output", str(tmp_path)]
    assert command_line.main(arguments) == 0
    folder = tmp_path / "astronaut"
    result = json.loads((folder / "reconstruction.json").read_text())
    assert result["seconds"]["opt"] > 0 < result["seconds"]["detail"]
    mesh, detail = (
        trimesh.load(folder / name, process=False) for name in ("mesh.obj", "mesh_detail.obj")
    )
    assert len(detail.vertices) > 20_000
    distances = MeshDistance(mesh.vertices, mesh.faces).query(detail.vertices).distances
    assert 0.05 < np.median(distances) < 1.5  # mm
    depth, fine = (np.load(folder / name) for name in ("depth.npy", "depth_detail.npy"))
    both = (depth > 0) & (fine > 0)
    assert both.sum() > 0.9 * (fine > 0).sum() > 1000
    assert 0.05 < np.median(np.abs(depth - fine)[both]) < 1.5
    assert cv2.imread(str(folder / "detail.png")).shape[1] == 3 * 320
    assert cv2.imread(str(folder / "normals_detail.png")).shape[:2] == depth.shape


def test_an_unknown_refinement():
    with pytest.raises(ValueError, match="refine: expected one of opt, detail, got 'best'"):
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
