"""The measurements behind the README's figures, on a model that predicts the mean face."""

import json
import sys

import numpy as np
import pytest

from tests.fake_export import write_fake_export
from tfface.data.detection import FaceDetector
from tfface.morphable.default import load_default_face_model


@pytest.fixture(scope="module")
def mean_face(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "mean_face"
    return write_fake_export(folder, load_default_face_model("coarse"))


@pytest.fixture
def heads(tools, shared):
    from independent_heads.heads import make_heads

    return make_heads(shared / "face_models" / "ict_facekit_sample", 2, seed=3)


@pytest.mark.slow
def test_synthetic_part_and_what_is_skipped(tools, tmp_path, mean_face, monkeypatch, capsys):
    import reproduce_mofa
    from mofa_evaluation import refinement

    monkeypatch.setitem(reproduce_mofa.SIZES, "small", reproduce_mofa.Size(2, 4, 1, 1, 1))
    for name, value in (
        ("LONGEST", 3),
        ("RATES", {"gradient_descent": (1e-3,), "adam": (0.03,)}),
        ("SAMPLES", (500, None)),
    ):
        monkeypatch.setattr(refinement, name, value)
    monkeypatch.setattr(reproduce_mofa, "compare_systems", lambda *_: {"systems_drawn": {}})
    monkeypatch.setenv("TFFACE_SHARED", str(tmp_path / "nowhere"))
    arguments = ["--size", "small", "--output", str(tmp_path / "out"), "--model", str(mean_face)]
    monkeypatch.setattr(sys, "argv", ["reproduce_mofa.py", *arguments])
    assert reproduce_mofa.main() == 0
    table = capsys.readouterr().out
    assert "skipped: held-out photos" in table
    assert "skipped: independent heads" in table
    results = json.loads((tmp_path / "out/results.json").read_text())
    measures = ("geometric_mm", "synthetic_landmark_px_of_240", "synthetic_photometric")
    for name in measures:
        assert f"| {results[f'{name}.mofa']:.3f} |" in table
        # A placed mean face beats an unplaced one, which is all that this model predicts.
        assert 0 < results[f"{name}.mean_face"] < results[f"{name}.untrained"]
    assert results["geometric_mm.mofa"] == pytest.approx(results["geometric_mm.untrained"])
    assert (tmp_path / "out/curves.png").is_file()
    configuration = json.loads((tmp_path / "out/configuration.json").read_text())
    assert configuration["synthetic"] == 4
    # All that this model sees is the mean face: fits from it are fits from the mean face.
    assert "| Opt, from MoFA | " in table
    assert results["fits.mofa_opt.geometric_mm"] == pytest.approx(
        results["fits.mean_opt.geometric_mm"], rel=0.1
    )
    assert results["fits.mofa_opt.photometric"] < results["fits.mofa.photometric"]
    assert results["vertices.500.energy"] > 0 < results["times.five_steps.alexnet_passes"]
    for name in ("gradient_descent", "adam"):
        assert results[f"descent.{name}.share_not_reached"] == 1.0  # in three steps


@pytest.mark.slow
def test_photos_and_heads(tools, shared, mean_face, monkeypatch):
    from mofa_evaluation import baselines
    from mofa_evaluation.other_heads import evaluate_heads
    from mofa_evaluation.photos import evaluate_photos, held_out_photos
    from mofa_evaluation.refinement import compare_refinements
    from tfface.reconstructor import Reconstructor

    face_model, reconstructor = load_default_face_model("coarse"), Reconstructor(mean_face)
    photos = held_out_photos(shared / "photos")
    assert len(photos) > 100
    assert all(path.stem.endswith("3") for path in photos)
    monkeypatch.setitem(baselines.FIT, "steps", 5)
    errors = evaluate_photos(reconstructor, face_model, photos[:2])
    assert errors["mean_face"]["landmark_nme"].shape == (2,)
    assert (errors["mean_face"]["landmark_nme"] < errors["untrained"]["landmark_nme"]).all()
    assert (errors["mean_face"]["photometric"] < errors["untrained"]["photometric"]).all()
    rows = compare_refinements(reconstructor, photos[:1])
    mofa, opt, detail = (rows[name]["grid_photometric"] for name in ("mofa", "opt", "detail"))
    assert detail < opt < mofa
    sample = shared / "face_models" / "ict_facekit_sample"
    distances = evaluate_heads(reconstructor, face_model, sample, 1, 0)
    # This model's reconstruction of any picture is the mean face.
    np.testing.assert_allclose(distances["mofa"][0], distances["mean_face"][0], atol=1e-3)


@pytest.mark.slow
def test_heads_are_people_of_their_own(heads, shared, tools):
    from independent_heads.heads import make_heads, pose, score

    first, second = heads
    again = make_heads(shared / "face_models" / "ict_facekit_sample", 1, seed=3)[0]
    np.testing.assert_array_equal(again.vertices, first.vertices)
    assert np.linalg.norm(first.vertices - second.vertices, axis=1)[first.scan].mean() > 1
    corners = first.landmarks[[36, 45]]
    assert 70 < np.linalg.norm(corners[0] - corners[1]) < 115  # mm

    triangles = first.topology.triangles
    placed = 0.02 * pose(first.vertices, 40, 10, 5) + 7
    itself = score(first, placed, triangles, placed[first.topology.landmarks])
    assert itself.mean < 1e-3
    assert itself.used.sum() > 3000
    other = score(first, second.vertices, triangles, second.landmarks)
    assert 0.3 < other.mean < 5


@pytest.mark.slow
def test_photographs_look_like_faces_to_the_detector(heads):
    from independent_heads.photograph import photograph

    offsets = []
    for yaw in (-35, 0, 35):
        image = photograph(heads[0], yaw)
        assert image.shape == (480, 480, 3)
        (face,) = FaceDetector().detect(image)
        points = face.landmarks
        eyes = points[36:48].mean(0)
        width = np.linalg.norm(points[45] - points[36])
        assert 60 < width < 160
        offsets.append((points[30, 0] - eyes[0]) / width)
    assert offsets[0] < -0.1 < offsets[1] < 0.1 < offsets[2]
    np.testing.assert_array_equal(photograph(heads[0], 35), image)
