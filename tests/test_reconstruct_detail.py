"""`python -m tfface.reconstruct` with a system that finds more than a mesh."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import trimesh

import tfface.reconstruct as command_line
from tfface.metrics.closest_points import MeshDistance
from tfface.morphable.default import load_default_face_model
from tfface.systems.coarse_fine import CoarseFine
from tfface.systems.export import export_system
from tfface.visualization.overlay import write_png

SIZE = 64
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an untrained system, which finds the mean face, makes of the astronaut."""
    place = tmp_path_factory.mktemp("detail")
    system = CoarseFine.of_model(load_default_face_model("coarse"), SIZE)
    model = export_system(system, place / "model")
    write_png(place / "portrait.png", np.ascontiguousarray(skimage.data.astronaut()[:300, 90:350]))
    arguments = [str(place / "portrait.png"), "--output", str(place / "out")]
    assert command_line.main([*arguments, "--model", str(model)]) == 0
    return place / "out" / "portrait"


def test_files_of_the_contract(written: Path) -> None:
    detail = {
        "detail.png", "mesh_detail.obj", "mesh_detail.glb", "depth_detail.npy",
        "normals_detail.png",
    }  # fmt: skip
    others = {
        "reconstruction.json", "mesh.obj", "mesh.glb", "overlay.png", "views.png", "depth.npy",
        "normals.png",
    }  # fmt: skip
    assert {path.name for path in written.iterdir()} == detail | others
    assert cv2.imread(str(written / "detail.png")).shape[1] == 3 * 320


def test_the_camera_is_weak_perspective(written: Path) -> None:
    """Its scale projects the turned landmarks onto the photo, whatever their depth."""
    result = json.loads((written / "reconstruction.json").read_text())
    camera = result["camera"]
    assert camera["model"] == "weak_perspective"
    turned = np.array(result["landmarks_68_3d"]) @ np.array(result["rotation"]).T
    moved = turned[:, :2] + np.array(result["translation"])[:2]
    pixels = camera["principal_point"] + camera["scale"] * moved * [1, -1]
    np.testing.assert_allclose(pixels, result["landmarks_68"], atol=0.2)


def test_what_is_not_estimated_is_absent(written: Path) -> None:
    result = json.loads((written / "reconstruction.json").read_text())
    assert set(result["code"]) == {"identity", "expression"}
    assert set(result["fitted_code"]) == {"illumination"}
    assert np.array(result["fitted_code"]["illumination"]).shape == (9, 3)


def test_the_detailed_mesh_lies_on_the_face(written: Path) -> None:
    """FineNet, not trained, changes nothing: each pixel is a point of mesh.obj."""
    mesh = trimesh.load(written / "mesh.obj", process=False)
    detail = trimesh.load(written / "mesh_detail.glb", process=False).to_geometry()
    assert len(detail.vertices) > 500
    assert len(detail.faces) > 800
    distances = MeshDistance(mesh.vertices, mesh.faces).query(detail.vertices).distances
    assert np.median(distances) < 0.2  # mm
    assert np.percentile(distances, 95) < 1.0
    assert (detail.face_normals[:, 2] > 0).mean() > 0.95  # out of the face


def test_detailed_depth_and_normals_are_those_of_the_mesh(written: Path) -> None:
    """At the size of the photo, where the face is shown."""
    depth, fine = (np.load(written / f"{name}.npy") for name in ("depth", "depth_detail"))
    assert fine.shape == depth.shape
    shown = (fine > 0) & (depth > 0)
    assert 0.03 < shown.mean() < 0.5
    assert np.median(np.abs(fine - depth)[shown]) < 0.5  # mm
    assert np.percentile(np.abs(fine - depth)[shown], 90) < 4.0  # a pixel of the crop is 5 mm
    coarse, normals = (
        cv2.imread(str(written / f"{name}.png"))[shown].astype(float) / 127.5 - 1
        for name in ("normals", "normals_detail")
    )
    assert np.median(np.sum(coarse * normals, axis=-1)) > 0.95
