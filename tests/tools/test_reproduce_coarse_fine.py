"""The measurements behind the figures of CoarseNet and FineNet."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from tfface.losses.shape_from_shading import shading_problem, shading_terms
from tfface.morphable.default import load_default_face_model
from tfface.rendering.srgb import grey
from tfface.systems.coarse_fine import CoarseFine
from tfface.systems.export import export_system
from tfface.visualization.overlay import write_png

SIZE = 64
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> CoarseFine:
    return CoarseFine.of_model(load_default_face_model("coarse"), SIZE)


@pytest.fixture
def wrinkled(tools, system):
    from coarse_fine_evaluation.wrinkles import draw_wrinkled_faces

    return draw_wrinkled_faces(
        system.morphable_model, system.decoder, system.compared, count=2, seed=4
    )


def test_wrinkles_are_on_the_face_and_in_the_picture(system, wrinkled, tools):
    from coarse_fine_evaluation.wrinkles import draw_wrinkled_faces

    depth = (wrinkled.heights - wrinkled.smooth) / wrinkled.scale[:, None, None, None]
    assert -1.7 < depth.min() < -0.3  # mm, grooves
    assert 0.05 < depth.max() < 1.0  # and their lips
    assert np.abs(depth[wrinkled.mask == 0]).max() < 0.8  # faded out at the border
    assert 0.01 < np.mean(np.abs(depth[wrinkled.mask == 1]) > 0.15) < 0.5
    again = draw_wrinkled_faces(system.morphable_model, system.decoder, system.compared, 2, 4)
    np.testing.assert_array_equal(again.images, wrinkled.images)


def test_the_classical_step_lowers_the_criterion(system, wrinkled, tools):
    from coarse_fine_evaluation.classical import minimise

    parts = system.coarse_net.parts(system.true_solutions(tf.constant(wrinkled.codes)))
    faces = system.maps.see(parts, SIZE)
    apart = np.abs(faces.height - wrinkled.smooth)[wrinkled.mask == 1]  # drawn at twice the size
    assert np.median(apart) < 0.05  # px
    skin, *albedo = system.paint_skin(faces)
    problem = shading_problem(grey(wrinkled.images), faces.height, skin, *albedo)
    weights = {"shading": 1.0, "fidelity": 5e-3, "smoothness": 1e-3}
    refined = minimise(problem, weights, steps=60)

    def criterion(heights: tf.Tensor) -> np.ndarray:
        terms = shading_terms(problem, heights)
        return sum(weights[name] * term.numpy() for name, term in terms.items())

    assert (criterion(refined) < criterion(problem.heights)).all()
    assert np.abs((refined - problem.heights)[problem.mask == 0]).max() == 0


def test_depth_errors_by_hand(wrinkled, tools):
    """Of the truth zero, wherever it stands; a millimetre where two fifths of the face moved."""
    from coarse_fine_evaluation.measures import _depth_errors

    valid = wrinkled.mask > 0
    away = _depth_errors(wrinkled.heights + 3.0, wrinkled, valid)
    assert all(np.abs(values).max() < 1e-5 for values in away.values())
    moved = wrinkled.heights.copy()
    rows = np.cumsum(valid[..., 0].sum(axis=2), axis=1) > 0.6 * valid.sum(axis=(1, 2))
    moved += rows[:, :, None, None] * wrinkled.scale[:, None, None, None]
    found = _depth_errors(moved, wrinkled, valid)
    np.testing.assert_allclose(found["mean"], 0.4, atol=0.05)
    np.testing.assert_allclose(found["percentile90"], 1.0, atol=1e-4)


def test_wrinkles_are_measured_beside_their_surroundings(wrinkled, tools):
    """A face that leans a little has all its wrinkles; a smooth one has none."""
    from coarse_fine_evaluation.measures import _depth_errors

    valid = wrinkled.mask > 0
    leaning = wrinkled.heights + 0.01 * np.arange(SIZE, dtype=np.float32)[:, None]
    found, smooth = (_depth_errors(h, wrinkled, valid) for h in (leaning, wrinkled.smooth))
    assert (found["in_wrinkles"] < 0.05).all()
    assert (found["mean"] > 0.1).all()
    assert (smooth["in_wrinkles"] > 0.15).all()


def test_pass_errors_by_hand(system, tools):
    """A face turned by ten degrees about the vertical, and nothing else."""
    from coarse_fine_evaluation.measures import _pass_errors

    class Model:
        image_size, compared = SIZE, system.compared

        def pose(self, parts):
            tensors = {name: tf.constant(part, tf.float32) for name, part in parts.items()}
            drawn = system.decoder(system.drawable(tensors))
            drawn["rotation"] = system.decoder.rotation(tensors["rotation"])
            names = ("vertices", "landmarks", "rotation")
            return type("Posed", (), {name: drawn[name].numpy() for name in names})

    zeros = system.coarse_net.parts(tf.zeros([1, 150]))
    truth = {name: part.numpy() for name, part in zeros.items()}
    same = _pass_errors(Model(), truth, truth)
    assert all(values[0] == pytest.approx(0.0, abs=1e-3) for values in same.values())
    turned = {**truth, "rotation": np.array([[0.0, np.radians(10.0), 0.0]], np.float32)}
    found = _pass_errors(Model(), turned, truth)
    assert found["rotation_degrees"][0] == pytest.approx(10.0, abs=1e-2)
    assert found["shape_mm"][0] == 0
    assert 3 < found["posed_mm"][0] < 12
    assert 1 < found["landmarks_px_of_200"][0] < 20


def test_the_whole_of_a_small_run(system, tools, tmp_path, monkeypatch, capsys):
    import reproduce_coarse_fine

    fine = CoarseFine.of_model(load_default_face_model("fine"), SIZE)
    model = export_system(fine, tmp_path / "model")  # finds the mean face in every picture
    sizes = {"small": reproduce_coarse_fine.Size(2, 1, 1)}
    monkeypatch.setattr(reproduce_coarse_fine, "SIZES", sizes)
    monkeypatch.setenv("TFFACE_SHARED", str(tmp_path))
    (tmp_path / "photos").mkdir()
    write_png(tmp_path / "photos" / "0003.jpg", data.astronaut())
    output = tmp_path / "out"
    arguments = ["--size", "small", "--output", str(output), "--model", str(model)]
    arguments += ["--before", str(model)]
    monkeypatch.setattr(sys, "argv", ["reproduce_coarse_fine.py", *arguments])
    assert reproduce_coarse_fine.main() == 0
    assert "| trained end to end |" in capsys.readouterr().out
    results = json.loads((output / "results.json").read_text())
    assert results["passes.0.posed_mm"] == results["passes.4.posed_mm"] > 1
    # Untrained, FineNet leaves the surface as it was.
    assert results["depth.true.fine.mean"] == results["depth.true.coarse.mean"] > 0
    assert results["depth.true.coarse.in_wrinkles"] > 0.15
    assert results["photos.before.nme"] == results["photos.after.nme"] > 0.02
    for name in ("passes", "wrinkles", "photos", "sizes"):
        assert (output / f"{name}.png").stat().st_size > 1000
