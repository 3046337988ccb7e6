"""Wrinkles from shading: the energy as the paper writes it, and grooves whose depth is known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfface
from tfface.exported_model import ExportedModel
from tfface.fitting.linear_face import LinearFace
from tfface.fitting.shading_refinement import (
    FLOOR,
    RefinementWeights,
    Scene,
    ShadingEnergy,
    ShadingRefinement,
)
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.render import render
from tfface.rendering.spherical_harmonics import sh_shading

WEIGHTS = RefinementWeights(gradient=0.7, regularizer=0.2)
SIDE, FOCAL = 32, 4.0
ROWS = 7  # of a small sheet before the camera


@pytest.fixture(scope="module")
def sheet() -> ShadingEnergy:
    numbers = np.arange(ROWS**2).reshape(ROWS, ROWS)
    a, b, c, d = (numbers[i : i + ROWS - 1, j : j + ROWS - 1] for i in (0, 1) for j in (0, 1))
    halves = [np.stack(half, axis=-1).reshape(-1, 3) for half in ((a, c, b), (b, c, d))]
    return ShadingEnergy(np.concatenate(halves).astype(np.int32), ROWS**2, FOCAL, WEIGHTS)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The sheet in noise, float64."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-8, 8, ROWS), np.linspace(8, -8, ROWS))
    coarse = np.stack([x.ravel(), y.ravel(), rng.normal(size=ROWS**2)], axis=-1)
    light = 0.2 * rng.normal(size=(9, 3))
    light[0] += 2.0
    image = tf.nn.avg_pool2d(tf.constant(rng.random((1, SIDE, SIDE, 3))), 5, 1, "SAME")[0]
    parts = coarse, rng.random((ROWS**2, 3)), np.eye(3), np.array([0.0, 0.0, -100.0]), light
    return Scene(*(tf.constant(part) for part in parts), image)


def some_displacements() -> tf.Tensor:
    return tf.constant(0.3 * np.random.default_rng(1).normal(size=(ROWS**2, 3)))


def test_the_terms_are_those_of_the_paper(sheet, scene):
    """Equations (20) to (22), a vertex at a time."""
    moved = some_displacements()
    visible = tf.constant((np.arange(ROWS**2) % 5 > 0).astype(float))
    terms = sheet.terms(moved, visible, scene)
    colours, observed = (part.numpy() for part in sheet.compare(moved, scene))
    shown = np.flatnonzero(visible)
    away = np.linalg.norm(observed - colours, axis=1)
    assert away.min() > FLOOR
    np.testing.assert_allclose(terms["photometric"], away[shown].mean())
    neighbours = {i: set(sheet.edges[(sheet.edges == i).any(axis=1)].ravel()) - {i} for i in shown}
    gradient = 0.0
    for i in shown:
        for j in neighbours[i] & set(shown):
            gradient += np.sum((colours[i] - colours[j] - observed[i] + observed[j]) ** 2)
    np.testing.assert_allclose(terms["gradient"], gradient / len(shown))
    regularizer = 0.0
    for i in range(ROWS**2):
        around = set(sheet.edges[(sheet.edges == i).any(axis=1)].ravel()) - {i}
        regularizer += np.sum(sum(moved[i] - moved[j] for j in around) ** 2)
    np.testing.assert_allclose(terms["regularizer"], regularizer / ROWS**2)
    weighted = terms["photometric"] + 0.7 * terms["gradient"] + 0.2 * terms["regularizer"]
    np.testing.assert_allclose(sheet(moved, visible, scene), weighted)


def test_the_gradient_is_that_of_finite_differences(sheet, scene):
    moved, visible = some_displacements(), sheet.visible(scene)
    with tf.GradientTape() as tape:
        tape.watch(moved)
        value = sheet(moved, visible, scene)
    slope = tape.gradient(value, moved)
    for seed in range(3):
        way = tf.constant(np.random.default_rng(seed).normal(size=moved.shape))
        step = 1e-6
        ends = [sheet(moved + sign * step * way, visible, scene) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(tf.reduce_sum(slope * way), expected, rtol=1e-5)


def test_what_lies_outside_the_picture_or_behind_is_not_compared(sheet, scene):
    assert sheet.visible(scene).numpy().all()
    turned = scene._replace(rotation=tf.constant(np.diag([-1.0, 1.0, -1.0])))
    assert not sheet.visible(turned).numpy().any()
    aside = scene._replace(translation=tf.constant([1000.0, 0.0, -100.0], tf.float64))
    assert not sheet.visible(aside).numpy().any()


@pytest.fixture(scope="module")
def face() -> LinearFace:
    return LinearFace.of_export(ExportedModel(tfface.shipped_model_path("mofa")))


@pytest.fixture(scope="module")
def refinement(face) -> ShadingRefinement:
    weights = RefinementWeights(regularizer=0.02)  # clean pictures need less
    return ShadingRefinement(face, weights, spacing=2.0, steps=80)


def drawn(face: LinearFace, refinement: ShadingRefinement, grooves: bool):
    """A mean face lit from the side; parts of its code, its picture, and the depth of grooves."""
    grid, side = refinement.grid, 160
    mean, albedo = grid.carry(face.mean), grid.carry(face.albedo_mean)
    depth = np.zeros(len(mean))
    if grooves:
        for height in (70.0, 84.0):  # mm, of lines across the forehead
            depth += 1.2 * np.exp(-0.5 * ((mean[:, 1] - height) / 2.5) ** 2)
        depth *= np.abs(mean[:, 0]) < 35
    topology = MeshTopology(grid.triangles, len(mean))
    normals = vertex_normals(tf.constant(mean[None], tf.float32), topology)[0].numpy()
    shape = tf.constant((mean - depth[:, None] * normals)[None], tf.float32)
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[2] = 2.2, 0.5, 0.5
    translation = np.array([[0.0, 0.0, -1200.0]], np.float32)
    colours = albedo[None] * sh_shading(vertex_normals(shape, topology), light[None])
    picture = render(
        shape + translation, colours, grid.triangles, focal_length=face.focal_length * side,
        principal_point=(side / 2, side / 2), height=side, width=side, background=0.5,
    )[0, ..., :3].numpy()  # fmt: skip
    parts = {name: np.zeros((1, part.size), np.float32) for name, part in face.layout.parts.items()}
    parts |= {"translation": translation, "illumination": light[None]}
    return parts, picture, depth, normals


def test_grooves_are_found_where_they_are(face, refinement):
    parts, picture, depth, normals = drawn(face, refinement, grooves=True)
    found = refinement(parts, picture)
    inwards = -((found.vertices - found.coarse) * normals).sum(axis=1)
    forehead = np.abs(found.coarse - [0.0, 77.0, 0.0])[:, :2].max(axis=1) < 25
    assert depth[forehead].max() > 1.0
    assert np.corrcoef(inwards[forehead], depth[forehead])[0, 1] > 0.6
    left = (inwards - depth)[forehead]
    assert left.std() < 0.8 * depth[forehead].std()
    assert found.photometric[1] < 0.6 * found.photometric[0]
    assert found.energies[-1] < found.energies[0]
    assert found.colours.shape == found.vertices.shape


def test_a_face_that_looks_like_its_picture_stays(face, refinement):
    """And what was refined before leaves nothing behind."""
    plain, grooved = (drawn(face, refinement, grooves=grooves)[:2] for grooves in (False, True))
    first = refinement(*plain)
    assert np.abs(first.vertices - first.coarse).mean() < 0.15  # mm
    refinement(*grooved)
    np.testing.assert_allclose(refinement(*plain).vertices, first.vertices, atol=1e-5)


def test_all_faces_share_one_graph(face, refinement):
    parts, picture, *_ = drawn(face, refinement, grooves=False)
    refinement(parts, picture)
    count = refinement._step.experimental_get_tracing_count()
    refinement(parts, picture[:96, :96])
    assert refinement._step.experimental_get_tracing_count() <= count + 1
    refinement(parts, picture[:90, :90])
    assert refinement._step.experimental_get_tracing_count() <= count + 1
