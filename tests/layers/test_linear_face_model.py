"""The linear face model as a layer: eq. (2) and (3)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.layers.linear_face_model import LinearFaceModel
from tfface.morphable.model import MorphableModel

RANDOM = np.random.default_rng(9)
HALF = 2.0**-11  # relative rounding of the stored bases


def coefficients(layer: LinearFaceModel, batch: int = 2) -> list[np.ndarray]:
    return [RANDOM.normal(size=(batch, count)).astype(np.float32) for count in layer.modes]


def test_mean_face(face_model: MorphableModel) -> None:
    layer = LinearFaceModel(face_model)
    vertices, albedo = layer(*(np.zeros((1, count), np.float32) for count in layer.modes))
    np.testing.assert_allclose(vertices[0], face_model.mean, atol=1e-4)
    np.testing.assert_allclose(albedo[0], face_model.albedo_mean, atol=1e-6)


def test_equals_the_face_model(face_model: MorphableModel) -> None:
    layer = LinearFaceModel(face_model)
    identity, expression, albedo = coefficients(layer)
    vertices, colours = layer(identity, expression, albedo)
    for face in range(2):
        expected = face_model.vertices(identity[face], expression[face])
        np.testing.assert_allclose(vertices[face], expected, atol=20 * HALF)
        expected = face_model.albedo_colours(albedo[face])
        np.testing.assert_allclose(colours[face], expected, atol=HALF)


def test_some_vertices_equal_all(face_model: MorphableModel) -> None:
    layer = LinearFaceModel(face_model)
    inputs, indices = coefficients(layer), np.array([7, 0, 7, 100], np.int32)
    for some, every in zip(layer(*inputs, indices=indices), layer(*inputs), strict=True):
        np.testing.assert_allclose(some, every.numpy()[:, indices], rtol=1e-5, atol=1e-5)


def test_jacobian_is_the_basis(face_model: MorphableModel) -> None:
    layer = LinearFaceModel(face_model)
    identity, expression, albedo = (tf.constant(x) for x in coefficients(layer, batch=1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([identity, expression, albedo])
        vertices, colours = layer(identity, expression, albedo)
    for output, source, basis in (
        (vertices, identity, face_model.identity),
        (vertices, expression, face_model.expression),
        (colours, albedo, face_model.albedo),
    ):
        jacobian = tape.jacobian(output, source)[0, :, :, 0]
        np.testing.assert_allclose(jacobian, basis, atol=4 * HALF * np.abs(basis).max())


def test_nothing_is_trained(face_model: MorphableModel) -> None:
    layer = LinearFaceModel(face_model)
    assert layer.trainable_weights == []
    assert LinearFaceModel.from_config(layer.get_config()).modes == layer.modes


@pytest.mark.parametrize("format_", ["keras", "saved_model"])
def test_a_saved_model_carries_its_face(
    face_model: MorphableModel, tmp_path: Path, format_: str
) -> None:
    layer = LinearFaceModel(face_model)
    inputs = [keras.Input((count,)) for count in layer.modes]
    model = keras.Model(inputs, layer(*inputs))
    faces = [tf.constant(x) for x in coefficients(layer)]
    if format_ == "keras":
        model.save(tmp_path / "model.keras")
        restored = keras.saving.load_model(tmp_path / "model.keras")
    else:
        model.export(tmp_path / "model", verbose=False)
        loaded = tf.saved_model.load(tmp_path / "model")
        restored = loaded.serve
    for before, after in zip(model(faces), tf.nest.flatten(restored(faces)), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)


def test_half_precision_around_it_changes_nothing(face_model: MorphableModel) -> None:
    """A layer that computes in half precision calls the methods: weights must not be cast there."""

    class Parent(keras.layers.Layer):
        def __init__(self, child: LinearFaceModel) -> None:
            super().__init__(dtype="mixed_float16")
            self.child = child

        def call(self, identity: tf.Tensor, expression: tf.Tensor) -> tf.Tensor:
            return self.child.vertices(tf.cast(identity, "float32"), tf.cast(expression, "float32"))

    layer = LinearFaceModel(face_model)
    identity, expression, _ = (x.astype(np.float16) for x in coefficients(layer))
    vertices = Parent(layer)(identity, expression)
    expected = layer.vertices(identity.astype(np.float32), expression.astype(np.float32))
    assert vertices.dtype == tf.float32
    np.testing.assert_array_equal(vertices, expected)


def test_needs_a_model_or_sizes() -> None:
    with pytest.raises(ValueError, match="model, sizes: expected one of them, got neither"):
        LinearFaceModel()
