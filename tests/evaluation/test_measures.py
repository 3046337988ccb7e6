"""Errors of reconstructions whose distance from the truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfface.config import EvaluationSet
from tfface.data.crop import crop_box
from tfface.evaluation.measures import nearest_face, sample_errors
from tfface.evaluation.samples import Sample, Scan
from tfface.evaluation.test_sets import open_test_set
from tfface.fitting.shading_refinement import RefinedSurface
from tfface.layers.face_decoder import FaceDecoder
from tfface.metrics.geometric import RIGID_LANDMARKS
from tfface.morphable.default import load_default_face_model
from tfface.reconstruction import FaceReconstruction
from tfface.systems.code_regressor import compared_vertices


@pytest.fixture(scope="module")
def sample() -> Sample:
    return open_test_set(EvaluationSet(kind="drawn", limit=1), 0).read("face00000")


@pytest.fixture(scope="module")
def perfect(sample) -> FaceReconstruction:
    """The truth, as though a system had found it."""
    truth, model = sample.truth, load_default_face_model()
    return FaceReconstruction(
        system="truth", face_model=model.name, image=sample.image, image_path="",
        box=np.array([60.0, 60, 300, 300]), score=1.0, code={}, fitted_code={},
        rotation=truth.rotation, translation=truth.translation, camera=truth.camera,
        landmarks_68=sample.landmarks, landmarks_68_3d=truth.vertices[model.landmarks],
        vertices=truth.vertices, mesh=truth.vertices, normals=truth.normals, albedo=truth.albedo,
        triangles=truth.triangles, fitted=truth.fitted, photometric_error=0.25,
    )  # fmt: skip


class Model:
    """That found it: the default face model."""

    def __init__(self):
        model = load_default_face_model()
        self.compared = compared_vertices(model, FaceDecoder.of_model(model, 240))
        self.landmarks = model.landmarks

    def decode(self, parts):
        model = load_default_face_model()
        return {"vertices": model.vertices(parts["identity"][0])[None]}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def test_the_truth_has_no_error(perfect, sample, model):
    errors = sample_errors(perfect, sample, model)
    assert errors.pop("photometric") == 0.25
    assert set(errors) >= {"scan_to_mesh_mm", "point_to_plane_mm", "hausdorff_mm", "depth_mm"}
    for name, error in errors.items():
        assert error == pytest.approx(0.0, abs=1e-3), name


def test_errors_of_known_size(perfect, sample, model):
    """Larger by a tenth and shifted: size and place do not count, depth and landmarks do."""
    scaled = dataclasses.replace(
        perfect, vertices=1.1 * perfect.vertices + 5.0,
        landmarks_68=perfect.landmarks_68 + [3.0, 4.0],
    )  # fmt: skip
    errors = sample_errors(scaled, sample, model)
    for name in ("scan_to_mesh_mm", "point_to_plane_mm", "per_vertex_mm", "hausdorff_mm"):
        assert errors[name] == pytest.approx(0.0, abs=1e-2), name
    size = np.ptp(sample.landmarks, axis=0)
    assert errors["landmark_box_nme"] == pytest.approx(5.0 / np.sqrt(size.prod()))
    eyes = np.linalg.norm(sample.landmarks[36] - sample.landmarks[45])
    assert errors["landmark_nme"] == pytest.approx(5.0 / eyes)
    box = crop_box(sample.landmarks)
    assert errors["landmark_px_of_240"] == pytest.approx(5.0 * 240 / (box[2] - box[0]))
    assert errors["landmark_46_px_of_240"] == pytest.approx(errors["landmark_px_of_240"])
    jaw = perfect.landmarks_68 + np.where(np.arange(68)[:, None] < 17, 9.0, 0.0)  # not of the 46
    errors = sample_errors(dataclasses.replace(perfect, landmarks_68=jaw), sample, model)
    assert errors["landmark_46_px_of_240"] == pytest.approx(0.0, abs=1e-6)
    assert errors["landmark_px_of_240"] > 1


def test_a_bump_is_measured(perfect, sample, model):
    """Of every second vertex of the face, 2 mm forwards."""
    moved = perfect.vertices.copy()
    moved[::2] += 2.0 * perfect.rotation[2]  # towards the camera
    bumpy = dataclasses.replace(perfect, vertices=moved)
    cloud = dataclasses.replace(sample.scan, triangles=None)
    errors = sample_errors(bumpy, dataclasses.replace(sample, scan=cloud), model)
    assert errors["per_vertex_mm"] == pytest.approx(1.0, abs=0.05)  # either half, from the middle
    assert 0.5 < errors["hausdorff_mm"] < 2.0
    assert 0.1 < errors["scan_to_mesh_mm"] < 1.0
    assert 0.3 < errors["depth_mm"] < 1.2


def test_what_is_not_known_is_not_measured(perfect, sample, model):
    bare = Sample("photo", sample.image, yaw=-20.0)
    assert sample_errors(perfect, bare, model) == {"photometric": 0.25, "yaw": -20.0}
    cloud = dataclasses.replace(sample.scan, triangles=None)
    errors = sample_errors(perfect, Sample("scan", sample.image, scan=cloud), model)
    assert set(errors) == {"photometric", "scan_to_mesh_mm", "scan_to_mesh_median_mm"}


def test_a_neutral_scan_is_compared_with_the_neutral_face(perfect, sample, model):
    """Whatever expression is found."""
    faces, random = load_default_face_model(), np.random.default_rng(0)
    identity = random.standard_normal(faces.identity.shape[-1])
    neutral = faces.vertices(identity)
    shown = faces.vertices(identity, 2 * random.standard_normal(faces.expression.shape[-1]))
    found = dataclasses.replace(
        perfect, vertices=shown, code={"identity": identity, "expression": np.ones(64)}
    )
    face = model.compared > 0.5
    marks = neutral[model.landmarks]
    rigid = marks[list(RIGID_LANDMARKS)]
    scan = Scan(neutral[face], None, rigid, marks[30], radius=95.0, neutral=True)
    told = sample_errors(found, Sample("now", sample.image, scan=scan), model)
    assert told["scan_to_mesh_mm"] == pytest.approx(0.0, abs=1e-3)
    posed = dataclasses.replace(scan, neutral=False)
    told = sample_errors(found, Sample("now", sample.image, scan=posed), model)
    assert told["scan_to_mesh_mm"] > 0.3


def test_a_jaw_of_points_on_the_skin(perfect, sample, model):
    """AFLW2000-3D's: the same vertices from every side."""
    truth = sample.truth
    points = truth.camera.project(truth.vertices_camera[model.landmarks])
    fixed = Sample("aflw", sample.image, points, fixed_jaw=True)
    aside = dataclasses.replace(perfect, landmarks_68=points + 9.0)
    assert sample_errors(aside, fixed, model)["landmark_nme"] == pytest.approx(0.0, abs=1e-6)


def test_the_refined_surface_is_measured(perfect, sample, model):
    """A bumpy face whose details are the true one's, 2 mm nearer and larger."""
    bumps = np.where(np.arange(len(perfect.vertices))[:, None] % 2, 4.0, 0.0) * perfect.rotation[2]
    shift, skin = 2.0 * perfect.rotation[2], (model.compared > 0.5)[perfect.triangles].all(axis=1)
    detail = RefinedSurface(
        perfect.vertices, 1.02 * perfect.vertices + shift, perfect.triangles[skin], perfect.albedo,
        np.array([0.2, 0.1]), np.zeros(2),
    )  # fmt: skip
    bumpy = dataclasses.replace(perfect, vertices=perfect.vertices + bumps)
    errors = sample_errors(dataclasses.replace(bumpy, detail=detail), sample, model)
    told = {name: errors[name] for name in errors if "photometric" in name}
    assert told == {"photometric": 0.25, "grid_photometric": 0.2, "refined_photometric": 0.1}
    assert errors["depth_mm"] > 0.1
    cloud = dataclasses.replace(sample.scan, triangles=None)
    only = Sample("scan", sample.image, scan=cloud)
    assert sample_errors(bumpy, only, model)["scan_to_mesh_mm"] > 0.2
    assert errors["scan_to_mesh_mm"] == pytest.approx(0.0, abs=1e-2)  # size and place do not count
    assert errors["point_to_plane_mm"] == pytest.approx(0.0, abs=1e-2)


def test_the_face_that_is_meant(perfect):
    away = dataclasses.replace(perfect, landmarks_68=perfect.landmarks_68 + 200.0)
    assert nearest_face([away, perfect], perfect.landmarks_68) is perfect
    assert nearest_face([away, perfect], None) is away  # the largest comes first
    assert nearest_face([], perfect.landmarks_68) is None
    assert nearest_face([away], perfect.landmarks_68) is None  # that of a bystander
