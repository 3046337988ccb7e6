"""The reflectance of the shipped face model: people's colours, in the mean and in random draws."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfface.data.detection import FaceDetector
from tfface.morphable.default import load_default_face_model
from tfface.morphable.model import MorphableModel
from tfface.rendering.cameras import rotate, to_camera_space
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.render import render
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.spherical_harmonics import ambient_illumination, sh_shading

SIZE = 256
BROWS, LIPS = slice(17, 27), slice(48, 68)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_face_model("fine")


@pytest.fixture(scope="module")
def cheeks(model: MorphableModel) -> np.ndarray:
    """Vertices of both cheeks: midway between the mouth's corners and the ears' ends of the jaw."""
    points = model.mean[model.landmarks]
    centres = [0.5 * (points[corner] + points[ear]) for corner, ear in ((48, 1), (54, 15))]
    near = [np.linalg.norm(model.mean - centre, axis=1) < 18.0 for centre in centres]
    return np.flatnonzero((near[0] | near[1]) & (model.regions["face"] > 0.5))


@pytest.fixture(scope="module")
def people(model: MorphableModel) -> np.ndarray:
    """(M, K) coefficients of the painted people that come with the model."""
    return np.asarray(model.albedo_samples)


@pytest.fixture(scope="module")
def gaussian_draws(model: MorphableModel) -> np.ndarray:
    """(N, K) coefficients at one standard deviation."""
    return np.random.default_rng(0).normal(size=(200, model.albedo.shape[-1]))


def skin_colours(
    model: MorphableModel, vertices: np.ndarray, coefficients: np.ndarray
) -> np.ndarray:
    """Mean colour (N, 3) over some vertices."""
    return model.albedo_mean[vertices].mean(0) + coefficients @ model.albedo[vertices].mean(0).T


def test_offers_eighty_modes_and_hundreds_of_painted_people(
    model: MorphableModel, people: np.ndarray
) -> None:
    assert model.albedo.shape[-1] == 80
    assert len(people) >= 500
    spread = people[:, :50].std(0)
    np.testing.assert_allclose(spread, 1.0, atol=0.15)


def test_the_mean_is_the_same_left_and_right(model: MorphableModel) -> None:
    difference = np.abs(model.albedo_mean - model.albedo_mean[model.symmetry])
    assert difference.mean() < 1e-3


def test_the_mean_has_brows_and_lips(model: MorphableModel, cheeks: np.ndarray) -> None:
    skin = model.albedo_mean[cheeks].mean(0)
    # The detector's brow points run along the upper border; the hair is below them.
    below = model.mean[model.landmarks[BROWS]] - np.array([0.0, 7.0, 0.0])
    near = np.linalg.norm(model.mean[None] - below[:, None], axis=-1) < 6.0
    brows = np.stack([model.albedo_mean[vertices].min(0) for vertices in near])
    lips = model.albedo_mean[model.landmarks[LIPS]]
    assert (brows.mean(1) < 0.85 * skin.mean()).mean() > 0.7
    assert np.median(lips[:, 1] / lips[:, 0]) < 0.93 * skin[1] / skin[0]


def test_the_mean_has_white_dark_and_coloured_parts_of_the_eyes(model: MorphableModel) -> None:
    eyes = model.albedo_mean[model.regions["eyes"] > 0.5].mean(1)
    assert np.quantile(eyes, 0.9) > 0.6
    assert np.quantile(eyes, 0.01) < 0.2


def test_draws_are_colours_of_human_skin(
    model: MorphableModel, cheeks: np.ndarray, people: np.ndarray, gaussian_draws: np.ndarray
) -> None:
    for coefficients in (gaussian_draws, people):
        red, green, blue = skin_colours(model, cheeks, coefficients).T
        assert (red > green).all()
        assert (green > blue).all()
        # Neither grey nor orange.
        assert np.quantile(green / red, 0.98) < 0.87
        assert np.quantile(green / red, 0.02) > 0.5


def test_draws_reach_from_dark_to_pale_skin(
    model: MorphableModel, cheeks: np.ndarray, people: np.ndarray, gaussian_draws: np.ndarray
) -> None:
    for coefficients in (gaussian_draws, people):
        red = skin_colours(model, cheeks, coefficients)[:, 0]
        assert np.quantile(red, 0.02) < 0.5
        assert np.quantile(red, 0.98) > 0.78
        assert 0.55 < np.median(red) < 0.75


def test_draws_stay_within_colours(model: MorphableModel, gaussian_draws: np.ndarray) -> None:
    for coefficients in gaussian_draws[:40]:
        colours = model.albedo_colours(coefficients)
        assert ((colours < -0.02) | (colours > 1.02)).mean() < 1e-3


def test_facial_hair_of_draws_is_never_paler_than_shaved_skin(
    model: MorphableModel, cheeks: np.ndarray, gaussian_draws: np.ndarray
) -> None:
    """A beard's mode must not draw bright "negative beards" on half of the people."""
    chin = model.mean[model.landmarks[[7, 8, 9]]].mean(0) + np.array([0.0, 12.0, 0.0])
    near = np.linalg.norm(model.mean - chin, axis=1) < 14.0
    chin_vertices = np.flatnonzero(near & (model.regions["face"] > 0.5))
    ratio = skin_colours(model, chin_vertices, gaussian_draws).mean(1) / skin_colours(
        model, cheeks, gaussian_draws
    ).mean(1)
    assert np.quantile(ratio, 0.95) < 1.2
    assert 0.75 < np.median(ratio) < 1.05


def test_dark_skinned_people_have_dark_eyes(
    model: MorphableModel, cheeks: np.ndarray, people: np.ndarray
) -> None:
    eyes = np.flatnonzero(model.regions["eyes"] > 0.5)
    centre = model.mean[eyes][:, 2] > np.quantile(model.mean[eyes][:, 2], 0.75)
    iris = eyes[centre]
    red = skin_colours(model, cheeks, people)[:, 0]
    colour = skin_colours(model, iris, people)
    dark = red < np.quantile(red, 0.2)
    pale = red > np.quantile(red, 0.8)
    assert np.quantile(colour[dark][:, 2], 0.9) < np.quantile(colour[pale][:, 2], 0.9)


def photograph(model: MorphableModel, rng: np.random.Generator, painted: bool) -> np.ndarray:
    """A random face in random light, turned by up to 35 degrees: (SIZE, SIZE, 3) uint8."""
    people = np.asarray(model.albedo_samples)
    identity = 0.8 * rng.normal(size=(model.identity.shape[-1],))
    gaussian = rng.normal(size=(people.shape[1],))
    albedo = people[rng.integers(len(people))] if painted else gaussian
    light = ambient_illumination(rng.uniform(0.75, 1.0))
    light[1:4] += rng.normal(size=(3, 1)) * 0.18
    light[4:] += rng.normal(size=(5, 1)) * 0.05
    turn = np.radians(rng.uniform([-15.0, -35.0, -8.0], [15.0, 35.0, 8.0]))
    rotation = rotation_matrix(tf.constant(turn[None], tf.float32))
    vertices = tf.constant(model.vertices(identity)[None], tf.float32)
    normals = vertex_normals(vertices, MeshTopology(model.triangles, model.vertex_count))
    shading = sh_shading(rotate(normals, rotation), tf.constant(light[None], tf.float32))
    colours = model.albedo_colours(albedo).astype(np.float32) * shading
    placed = to_camera_space(vertices, rotation, tf.constant([[0.0, 0.0, -1300.0]]))
    background = rng.uniform(0.1, 0.9, size=3)
    picture = render(
        placed, colours, model.triangles, 4.5 * SIZE, (SIZE / 2, SIZE / 2), SIZE, SIZE, background
    )
    return (np.clip(picture[0, ..., :3], 0.0, 1.0) * 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("painted", [True, False], ids=["painted people", "gaussian draws"])
def test_a_face_detector_takes_draws_for_people(model: MorphableModel, painted: bool) -> None:
    rng = np.random.default_rng(1)
    detector = FaceDetector()
    found = [len(detector.detect(photograph(model, rng, painted))) == 1 for _ in range(40)]
    assert sum(found) >= 38
