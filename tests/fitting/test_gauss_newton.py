"""Analysis by synthesis: the energy, its Jacobian in closed form, and the descent."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfface
from tfface.exported_model import ExportedModel, ModelError
from tfface.fitting.face_energy import FLOOR, EnergyWeights, FaceEnergy, Pictures
from tfface.fitting.gauss_newton import GaussNewton
from tfface.fitting.linear_face import LinearFace
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.landmark import landmark_loss
from tfface.losses.photometric import photometric_loss
from tfface.losses.regularization import statistical_regularization
from tfface.morphable.default import load_default_face_model
from tfface.rendering.normals import vertex_normals
from tfface.rendering.render import render
from tfface.rendering.sampling import inside_image, sample_bilinear
from tfface.rendering.visibility import front_facing

SIDE = 64


@pytest.fixture(scope="module")
def model() -> ExportedModel:
    return ExportedModel(tfface.shipped_model_path("mofa"))


@pytest.fixture(scope="module")
def face(model) -> LinearFace:
    return LinearFace.of_export(model)


@pytest.fixture(scope="module")
def decoder(model) -> FaceDecoder:
    return FaceDecoder.of_model(load_default_face_model("fine"), SIDE, model.focal_length)


def some_code(face: LinearFace, seed: int, count: int = 2, size: float = 0.5) -> np.ndarray:
    """Codes of lit faces that look about, `(count, D)`."""
    rng, parts = np.random.default_rng(seed), face.layout.parts
    code = np.zeros((count, face.layout.size))
    code[:, : parts["rotation"].start] = size * rng.normal(size=(count, parts["rotation"].start))
    code[:, parts["rotation"].slice] = 0.3 * rng.normal(size=(count, 3))
    code[:, parts["translation"].slice] = [4.0, -6.0, -1100.0]
    light = 0.3 * rng.normal(size=(count, 9, 3))
    light[:, 0] += 2.5
    code[:, parts["illumination"].slice] = light.reshape(count, 27)
    return code


def noise(seed: int, dtype: type = np.float64) -> Pictures:
    """Smooth noise, and landmarks anywhere."""
    rng = np.random.default_rng(seed)
    images = tf.nn.avg_pool2d(tf.constant(rng.random((2, SIDE, SIDE, 3)), dtype), 5, 1, "SAME")
    landmarks = tf.constant(SIDE * rng.random((2, 68, 2)), dtype)
    return Pictures(images, landmarks, tf.constant(rng.random((2, 68)), dtype))


@pytest.fixture(scope="module")
def few(face) -> FaceEnergy:
    """Compares some vertices of each length of rings, in float64."""
    energy = FaceEnergy(face)
    chosen = [group.vertices[:: max(len(group.vertices) // 6, 1)] for group in energy.modes.groups]
    assert len(chosen) == 3
    return FaceEnergy(face, EnergyWeights(), np.concatenate(chosen), tf.float64)


def test_the_modes_are_those_of_the_export(model, face):
    codes = np.random.default_rng(1).normal(size=(2, face.layout.size)).astype(np.float32)
    parts = {name: part.numpy() for name, part in face.layout.split(tf.constant(codes)).items()}
    decoded = model.decode(parts)
    moved = np.concatenate([parts["identity"], parts["expression"]], axis=1)
    np.testing.assert_allclose(face.mean + np.einsum("vck,bk->bvc", face.geometry, moved),
                               decoded["vertices"], atol=2e-3)  # fmt: skip
    coloured = face.albedo_mean + np.einsum("vck,bk->bvc", face.albedo, parts["albedo"])
    np.testing.assert_allclose(coloured, decoded["albedo"], atol=1e-5)


@pytest.mark.parametrize("system", ["identity_regression", "coarse_fine"])
def test_codes_that_are_no_pictures_are_refused(system):
    with pytest.raises(ModelError, match=f"{system}: expected codes of identity, expression"):
        LinearFace.of_export(ExportedModel(tfface.shipped_model_path(system)))


def test_the_energy_is_that_of_the_losses(face, decoder):
    """Drawn by the layers and weighed by the losses that MoFA is trained with."""
    weights = EnergyWeights(2.0, 30.0, 1e-3, 0.5, 0.8)
    pictures, code = noise(3, np.float32), some_code(face, 2).astype(np.float32)
    energy = FaceEnergy(face, weights)
    parts = energy.layout.split(tf.constant(code))
    drawn = decoder(parts)
    visible = front_facing(drawn["normals"], drawn["points"])
    visible &= inside_image(drawn["pixels"], SIDE, SIDE)
    observed = sample_bilinear(pictures.images, drawn["pixels"])
    seen = face.compared * tf.cast(visible, tf.float32)
    distances = tf.norm(observed - drawn["colours"], axis=-1)[seen > 0]
    assert tf.reduce_mean(tf.cast(distances > FLOOR, tf.float32)) > 0.999
    expected = 2.0 * photometric_loss(drawn["colours"], observed, seen)
    expected += 30.0 * landmark_loss(
        drawn["landmarks"], pictures.landmarks, pictures.confidence, SIDE
    )
    shape = (parts["identity"], parts["expression"], parts["albedo"])
    expected += 1e-3 * statistical_regularization(*shape, 0.5, 0.8)
    np.testing.assert_allclose(energy.value(tf.constant(code), pictures), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "part", ["identity", "expression", "albedo", "rotation", "translation", "illumination"]
)
def test_the_gradient_by_finite_differences(face, few, part):
    pictures, code = noise(4), tf.constant(some_code(face, 5))
    step = np.zeros((2, face.layout.size))
    own = face.layout.parts[part]
    step[:, own.slice] = np.random.default_rng(6).normal(size=(2, own.size))
    energy, gradient, *_ = few.linearize(code, pictures)
    np.testing.assert_allclose(energy, few.value(code, pictures), rtol=1e-12)
    ahead, behind = (few.value(few.move(code, h * step), pictures) for h in (1e-6, -1e-6))
    slope = tf.reduce_sum(2 * gradient * step, axis=-1)
    np.testing.assert_allclose((ahead - behind) / 2e-6, slope, rtol=1e-6)


def test_the_normal_equations_are_those_of_the_jacobian(face, few):
    """All of it, against TensorFlow's own derivative of the residuals."""
    pictures, code = noise(7), tf.constant(some_code(face, 8))
    step = tf.Variable(tf.zeros_like(code))
    with tf.GradientTape(persistent=True) as tape:
        values = few.residuals(few.move(code, step), pictures)
    jacobian = tape.batch_jacobian(values, step, experimental_use_pfor=False)
    _, gradient, hessian, _ = few.linearize(code, pictures)
    np.testing.assert_allclose(
        gradient, tf.linalg.matvec(jacobian, values, transpose_a=True), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        hessian, tf.matmul(jacobian, jacobian, transpose_a=True), rtol=1e-9, atol=1e-9
    )


def pictures_of(face: LinearFace, code: np.ndarray) -> Pictures:
    """The faces of codes before grey, and their true landmarks."""
    energy = FaceEnergy(face, vertices=np.arange(len(face.mean)))
    faces = energy._see(tf.constant(code, tf.float32), noise(0, np.float32))
    order = np.argsort(energy.modes.vertices)
    colours = tf.gather(tf.maximum(faces.albedo * faces.shading, 0.0), order, axis=1)
    images = render(
        faces.points, colours, face.triangles, focal_length=face.focal_length * SIDE,
        principal_point=(SIDE / 2, SIDE / 2), height=SIDE, width=SIDE, background=0.5,
    )  # fmt: skip
    chosen = tf.gather(faces.points, faces.landmarks, axis=1, batch_dims=1)
    landmarks = energy._project(chosen, noise(0, np.float32))
    return Pictures(images[..., :3], landmarks, tf.ones(landmarks.shape[:2]))


def test_it_comes_nearer_to_the_truth(face):
    """From the mean face in a slightly other pose; the true code explains its picture no better."""
    true = some_code(face, 9)
    pictures, parts, start = pictures_of(face, true), face.layout.parts, true.copy()
    start[:, : parts["rotation"].start] = 0.0
    start[:, parts["rotation"].slice] += 0.05
    start[:, parts["translation"].slice] += [2.0, -2.0, 30.0]
    energy = FaceEnergy(face, EnergyWeights(landmark=30.0, regularizer=1e-4))
    fit = GaussNewton(energy, steps=8)(tf.constant(start, tf.float32), pictures)
    assert np.all(fit.energies[-1] < fit.energies[0])
    explained = energy.value(tf.constant(true, tf.float32), pictures)
    assert np.all(fit.energies[-1] < 1.05 * explained)
    assert np.all(explained < 0.15 * fit.energies[0])
    found = np.asarray(fit.code)
    for name, limit in (("rotation", 0.03), ("translation", 3.0)):
        own = parts[name].slice
        assert np.abs(found - true)[:, own].max() < limit < np.abs(start - true)[:, own].max()
    own = parts["identity"].slice
    for one, truth in zip(found, true, strict=True):
        assert np.corrcoef(one[own], truth[own])[0, 1] > 0.3


def test_a_picture_is_fitted_alike_beside_others(face):
    energy = FaceEnergy(face, vertices=np.flatnonzero(face.compared > 0.5)[::20])
    pictures, code = noise(10, np.float32), tf.constant(some_code(face, 11), tf.float32)
    both = GaussNewton(energy, steps=3)(code, pictures)
    first = Pictures(pictures.images[:1], pictures.landmarks[:1], pictures.confidence[:1])
    alone = GaussNewton(energy, steps=3)(code[:1], first)
    np.testing.assert_allclose(both.energies[:, 0], alone.energies[:, 0], rtol=1e-3)
    np.testing.assert_array_equal(both.taken[:, 0], alone.taken[:, 0])


def test_a_step_that_does_harm_is_taken_back_and_a_shorter_one_helps(face):
    """Without damping, on noise, some do."""
    vertices = np.flatnonzero(face.compared > 0.5)[::50]
    energy = FaceEnergy(face, EnergyWeights(landmark=30.0), vertices)
    pictures, code = noise(12, np.float32), tf.constant(some_code(face, 13), tf.float32)
    fit = GaussNewton(energy, steps=12, damping=1e-9)(code, pictures)
    refused = ~np.asarray(fit.taken)
    last = int(np.flatnonzero(refused.any(axis=1))[-1])
    before, after = (
        GaussNewton(energy, steps=count, damping=1e-9)(code, pictures).code
        for count in (last, last + 1)
    )
    moved = np.abs(after - before).max(axis=1)
    np.testing.assert_array_equal(moved == 0, refused[last])
    for picture in range(2):
        first = np.flatnonzero(refused[:, picture])[0]
        assert not refused[first:, picture].all()
    np.testing.assert_allclose(energy.value(fit.code, pictures), fit.energies[-1], rtol=1e-4)


def test_a_face_does_not_flee_from_its_picture(face):
    """Without landmarks a face out of the picture has no error, and is no gain."""
    pictures, code = noise(14, np.float32), some_code(face, 15)
    pictures = Pictures(pictures.images, pictures.landmarks, tf.zeros([2, 68]))
    energy = FaceEnergy(face, EnergyWeights(regularizer=0.0))
    own = face.layout.parts["translation"].slice
    away = code.copy()
    away[:, own] += [2000.0, 0.0, 0.0]
    code, away = (tf.constant(values, tf.float32) for values in (code, away))
    *_, shares = energy.linearize(code, pictures)
    assert np.all(energy.value(away, pictures) == 0.0)
    assert np.all(energy.value(away, pictures, shares) > 0.1)
    lost = GaussNewton(energy, steps=2)(away, pictures)  # nothing tells of anything
    np.testing.assert_allclose(lost.code, away, atol=1e-4)
    fit = GaussNewton(energy)(code, pictures)
    *_, shares = energy.linearize(fit.code, pictures)
    assert np.all(np.count_nonzero(shares, axis=1) > 1000)


def test_all_pictures_share_one_graph(face):
    descend = GaussNewton(FaceEnergy(face, vertices=np.flatnonzero(face.compared)[::200]), steps=2)
    for seed in (16, 17):
        descend(tf.constant(some_code(face, seed), tf.float32), noise(seed, np.float32))
    assert descend.linearize.experimental_get_tracing_count() == 1
    assert descend.values.experimental_get_tracing_count() == 1


def test_normals_of_the_rings_are_the_meshes(face):
    energy = FaceEnergy(face)
    sums, _ = energy.modes.see(tf.constant(face.mean[None]))
    whole = vertex_normals(tf.constant(face.mean[None]), energy.topology)
    expected = tf.gather(whole, energy.modes.vertices, axis=1)
    np.testing.assert_allclose(tf.math.l2_normalize(sums, axis=-1), expected, atol=1e-4)
