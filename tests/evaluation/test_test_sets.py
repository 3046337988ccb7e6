"""Test sets as their makers lay them out, in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.io import savemat

from tfface.config import ConfigError, EvaluationSet
from tfface.evaluation.test_sets import MARGIN, SIDE, open_test_set
from tfface.metrics.geometric import RIGID_LANDMARKS
from tfface.morphable.default import load_default_face_model
from tfface.visualization.overlay import write_png

MARKS = np.array(
    [[-45, 35, 30], [-15, 33, 40], [15, 33, 40], [45, 35, 30], [0, -10, 60], [-25, -40, 45],
     [25, -40, 45]], float,
)  # fmt: skip


def a_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, np.full((24, 32, 3), 90, np.uint8))


def a_scan(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.icosphere(2, 80.0).export(path)


def test_photos_with_points_beside_them(tmp_path):
    a_picture(tmp_path / "b/face3.png")
    a_picture(tmp_path / "a/face4.png")
    points = np.random.default_rng(0).uniform(1, 20, (68, 2))
    text = "\n".join(f"{x} {y}" for x, y in points)
    (tmp_path / "b/face3.pts").write_text(f"version: 1\nn_points: 68\n{{\n{text}\n}}\n")
    opened = open_test_set(EvaluationSet(kind="photos", path=str(tmp_path)), 0)
    assert opened.names == ["a/face4.png", "b/face3.png"]
    assert opened.read("a/face4.png").landmarks is None  # there is no face
    sample = opened.read("b/face3.png")
    np.testing.assert_allclose(sample.landmarks, points - 0.5)  # its pixels count from one
    assert sample.image.shape == (24, 32, 3)
    chosen = EvaluationSet(kind="photos", path=str(tmp_path), match="3[.]png$")
    assert open_test_set(chosen, 0).names == ["b/face3.png"]


def test_points_of_another_number_are_told(tmp_path):
    a_picture(tmp_path / "face.png")
    (tmp_path / "face.pts").write_text("{\n1 2\n3 4\n}")
    opened = open_test_set(EvaluationSet(kind="photos", path=str(tmp_path)), 0)
    with pytest.raises(ConfigError, match=r"face.pts: expected 68 points, got shape \(2, 2\)"):
        opened.read("face.png")


def test_folders_of_photos_and_scans(tmp_path):
    for number in (1, 2):
        a_picture(tmp_path / "ada" / f"{number}.png")
    a_scan(tmp_path / "ada/scan.ply")
    np.savetxt(tmp_path / "ada/landmarks.txt", MARKS)
    opened = open_test_set(EvaluationSet(kind="scans", path=str(tmp_path), unit=2.0), 0)
    assert opened.names == ["ada/1.png", "ada/2.png"]
    a_picture(tmp_path / "ada/scan.png")  # the colours of the scan
    a_picture(tmp_path / "ada/skin.png")
    (tmp_path / "ada/scan.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    opened = open_test_set(EvaluationSet(kind="scans", path=str(tmp_path), unit=2.0), 0)
    assert opened.names == ["ada/1.png", "ada/2.png"]
    scan = opened.read("ada/2.png").scan
    np.testing.assert_allclose(np.linalg.norm(scan.vertices, axis=1), 160.0, rtol=1e-5)
    np.testing.assert_allclose(scan.landmarks, 2 * MARKS)
    assert scan.triangles.max() == len(scan.vertices) - 1
    # The disc around a point above the mouth, 1.4 times the mean of the eyes' and the nose's size.
    bridge = np.array([0, 66, 80])
    np.testing.assert_allclose(scan.centre, MARKS[4] * 2 + 0.3 * (bridge - 2 * MARKS[4]))
    size = 180.0 + np.linalg.norm(bridge - 2 * MARKS[4])
    np.testing.assert_allclose(scan.radius, 1.4 * size / 2)
    a_scan(tmp_path / "ada/second.obj")
    with pytest.raises(ConfigError, match="ada: expected one of .obj, .ply, .stl, found 2"):
        opened.read("ada/1.png")


def test_now(tmp_path):
    a_picture(tmp_path / "iphone_pictures/ada/selfie/IMG_1.png")
    a_scan(tmp_path / "scans/ada/head.obj")
    points = "".join(
        f'<point x="{x}" y="{y}" z="{z}" name="{i}" active="1"/>'
        for i, (x, y, z) in enumerate(MARKS)
    )
    marks = tmp_path / "scans_lmks_onlypp/ada/head_picked_points.pp"
    marks.parent.mkdir(parents=True)
    marks.write_text(f"<!DOCTYPE PickedPoints><PickedPoints>{points}</PickedPoints>")
    (tmp_path / "imagepathsvalidation.txt").write_text("ada/selfie/IMG_1.png\n")
    opened = open_test_set(EvaluationSet(kind="now", path=str(tmp_path)), 0)
    assert opened.names == ["ada/selfie/IMG_1.png"]
    scan = opened.read("ada/selfie/IMG_1.png").scan
    assert scan.neutral
    np.testing.assert_allclose(scan.landmarks, MARKS)
    np.testing.assert_allclose(np.linalg.norm(scan.vertices, axis=1), 80.0, rtol=1e-5)


def test_aflw2000(tmp_path):
    a_picture(tmp_path / "image00002.png")
    points = np.random.default_rng(0).uniform(1, 20, (3, 68))
    pose = np.radians([[5.0, -40.0, 2.0, 0, 0, 0, 0]])
    savemat(tmp_path / "image00002.mat", {"pt3d_68": points, "Pose_Para": pose})
    opened = open_test_set(EvaluationSet(kind="aflw2000", path=str(tmp_path)), 0)
    sample = opened.read("image00002.png")
    np.testing.assert_allclose(sample.landmarks, points[:2].T - 0.5)
    assert sample.yaw == pytest.approx(-40.0)
    assert sample.fixed_jaw


def test_facewarehouse(tmp_path):
    for number in (0, 1):
        a_picture(tmp_path / f"Tester_1/TrainingPose/pose_{number}.png")
    a_scan(tmp_path / "Tester_1/TrainingPose/pose_1.obj")
    marks = list(range(7))
    settings = EvaluationSet(kind="facewarehouse", path=str(tmp_path), landmarks=marks, unit=0.5)
    opened = open_test_set(settings, 0)
    assert opened.names == ["Tester_1/TrainingPose/pose_1.png"]
    scan = opened.read(opened.names[0]).scan
    np.testing.assert_allclose(scan.landmarks, scan.vertices[marks])
    np.testing.assert_allclose(np.linalg.norm(scan.vertices, axis=1), 40.0, rtol=1e-5)


def a_painted_ply(ball: trimesh.Trimesh) -> bytes:
    """With texture coordinates at the corners of the faces."""
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(ball.vertices)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"element face {len(ball.faces)}", "property list uchar int vertex_indices"]
    head += ["property list uchar float texcoord", "end_header", ""]
    faces = np.empty(len(ball.faces), "u1, (3,)<i4, u1, (6,)<f4")
    faces["f0"], faces["f1"], faces["f2"] = 3, ball.faces, 6
    faces["f3"] = np.random.default_rng(0).random((len(faces), 6))
    return "\n".join(head).encode() + ball.vertices.astype("<f4").tobytes() + faces.tobytes()


def test_textures_and_soups_of_triangles_leave_vertices_as_they_are(tmp_path):
    """Vertices of an .obj or a .ply keep their numbers; an .stl has no vertex twice."""
    ball = trimesh.creation.icosphere(1, 80.0)
    a_picture(tmp_path / "ada/1.png")
    np.savetxt(tmp_path / "ada/landmarks.txt", MARKS)
    opened = open_test_set(EvaluationSet(kind="scans", path=str(tmp_path)), 0)
    rows = [f"v {x} {y} {z}" for x, y, z in [*ball.vertices, (9, 9, 9)]]
    rows += [f"vt 0.{i % 7} 0.5" for i in range(3 * len(ball.faces))]
    corners = [f"{v + 1}/{number + 1}" for number, v in enumerate(ball.faces.ravel())]
    rows += ["f " + " ".join(corners[i : i + 3]) for i in range(0, len(corners), 3)]
    (tmp_path / "ada/scan.obj").write_text("\n".join(rows))
    scan = opened.read("ada/1.png").scan
    np.testing.assert_allclose(scan.vertices[: len(ball.vertices)], ball.vertices, atol=1e-5)
    (tmp_path / "ada/scan.obj").unlink()
    (tmp_path / "ada/scan.ply").write_bytes(a_painted_ply(ball))
    scan = opened.read("ada/1.png").scan
    np.testing.assert_allclose(scan.vertices, ball.vertices, atol=1e-4)
    np.testing.assert_array_equal(scan.triangles, ball.faces)
    (tmp_path / "ada/scan.ply").unlink()
    ball.export(tmp_path / "ada/scan.stl")
    scan = opened.read("ada/1.png").scan
    assert len(scan.vertices) == len(ball.vertices)


def test_drawn_faces_and_their_truth():
    settings = EvaluationSet(kind="drawn", limit=3)
    opened = open_test_set(settings, 4)
    assert len(opened.names) == 3
    sample, again = opened.read("face00001"), open_test_set(settings, 4).read("face00001")
    other = opened.read("face00002")
    np.testing.assert_array_equal(sample.image, again.image)
    assert np.abs(sample.image.astype(int) - other.image).mean() > 1
    assert sample.image.shape == (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3)
    model, truth = load_default_face_model(), sample.truth
    pixels = truth.camera.project(truth.vertices_camera[model.landmarks])
    np.testing.assert_allclose(pixels[17:], sample.landmarks[17:], atol=0.01)  # no contour
    marks = truth.vertices[model.landmarks[list(RIGID_LANDMARKS)]]
    np.testing.assert_allclose(sample.scan.landmarks, marks)
    corners = sample.scan.vertices[sample.scan.triangles]
    assert np.median(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1)) < 3.0  # mm: a mesh


def test_a_landmark_without_a_coordinate_is_told(tmp_path):
    a_picture(tmp_path / "ada/1.png")
    a_scan(tmp_path / "ada/scan.ply")
    points = "<point x='1' y='2'/>" * 7
    (tmp_path / "ada/marks.pp").write_text(f"<PickedPoints>{points}</PickedPoints>")
    opened = open_test_set(EvaluationSet(kind="scans", path=str(tmp_path)), 0)
    with pytest.raises(ConfigError, match="marks.pp: expected three coordinates"):
        opened.read("ada/1.png")


def test_landmarks_away_from_their_scan_are_told(tmp_path):
    a_picture(tmp_path / "ada/1.png")
    a_scan(tmp_path / "ada/scan.ply")
    np.savetxt(tmp_path / "ada/landmarks.txt", MARKS + 1000.0)
    opened = open_test_set(EvaluationSet(kind="scans", path=str(tmp_path)), 0)
    with pytest.raises(ConfigError, match="expected points of the scan between its landmarks"):
        opened.read("ada/1.png")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: expected the folder of now"):
        open_test_set(EvaluationSet(kind="now", path=str(tmp_path / "nowhere")), 0)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="expected pictures of photos, found none"):
        open_test_set(EvaluationSet(kind="photos", path=str(tmp_path)), 0)
