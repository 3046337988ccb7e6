"""The layers of geometry and colour: each is its function, in float32, and can be saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.gpu_kernels import assert_gpu_kernels
from tests.layers.conftest import small_model
from tests.meshes import sphere
from tfface.layers.front_facing_visibility import FrontFacingVisibility
from tfface.layers.geometry_layer import GeometryLayer
from tfface.layers.linear_face_model import LinearFaceModel
from tfface.layers.mesh_maps import DepthRendering, NormalMapRendering, PNCCRendering
from tfface.layers.perspective_camera import PerspectiveCamera
from tfface.layers.rigid_transform import AxisAngleRotation, RigidTransform
from tfface.layers.spherical_harmonics_shading import SphericalHarmonicsShading
from tfface.layers.vertex_image_sampling import VertexImageSampling
from tfface.layers.vertex_normals import VertexNormals
from tfface.rendering.cameras import perspective_projection, to_camera_space
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rasterize import Rasterization, interpolate, rasterize
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import sample_bilinear
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.rendering.visibility import front_facing

RANDOM = np.random.default_rng(10)
VERTICES, TRIANGLES = sphere(1, radius=80.0)
COUNT = len(VERTICES)
TOPOLOGY = MeshTopology(TRIANGLES, COUNT)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


POINTS = np.stack([VERTICES, 1.1 * VERTICES]).astype(np.float32) + [0, 0, -900]
POINTS = POINTS.astype(np.float32)
PIXELS = RANDOM.uniform(0, 9, size=(2, COUNT, 2)).astype(np.float32)

MEAN = VERTICES.astype(np.float32)
CODES = (MEAN - MEAN.min(0)) / np.ptp(MEAN, axis=0)


def see(points: tf.Tensor) -> Rasterization:
    return rasterize(points, TRIANGLES, 90.0, (10.0, 8.0), 16, 20, gradients="fixed")


# layer, inputs, the function that it is
CASES: dict[str, tuple[keras.layers.Layer, list[np.ndarray], Callable[..., tf.Tensor]]] = {
    "rotation": (AxisAngleRotation(), [normal(2, 3)], rotation_matrix),
    "transform": (
        RigidTransform(),
        [POINTS, normal(2, 3, 3), normal(2, 3)],
        to_camera_space,
    ),
    "normals": (
        VertexNormals(TRIANGLES, COUNT),
        [POINTS],
        lambda points: vertex_normals(points, TOPOLOGY),
    ),
    "camera": (
        PerspectiveCamera(450.0, (50.0, 48.0), near=2.0),
        [POINTS],
        lambda points: perspective_projection(points, 450.0, (50.0, 48.0), 2.0),
    ),
    "shading": (SphericalHarmonicsShading(), [normal(2, COUNT, 3), normal(2, 9, 3)], sh_shading),
    "visibility": (FrontFacingVisibility(), [normal(2, COUNT, 3), POINTS], front_facing),
    "sampling": (VertexImageSampling(), [normal(2, 9, 9, 3), PIXELS], sample_bilinear),
    "depth": (DepthRendering(TRIANGLES, 16, 20, 90.0), [POINTS], lambda p: see(p).depth[..., None]),
    "pncc": (
        PNCCRendering(VERTICES, TRIANGLES, 16, 20, 90.0),
        [POINTS],
        lambda p: interpolate(tf.stack(2 * [CODES]), see(p), TRIANGLES),
    ),
    "normal map": (
        NormalMapRendering(TRIANGLES, 16, 20, 90.0),
        [POINTS, POINTS],
        lambda p, n: tf.math.l2_normalize(interpolate(n, see(p), TRIANGLES), -1, 1e-20),
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, list[np.ndarray], Callable[..., tf.Tensor]]:
    return CASES[request.param]


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_is_its_function(case: Any) -> None:
    layer, inputs, function = case
    np.testing.assert_array_equal(layer(*inputs), function(*(tf.constant(x) for x in inputs)))


def test_symbolic_output_is_what_comes_out(case: Any) -> None:
    layer, inputs, _ = case
    symbolic = layer(*(keras.KerasTensor((None, *x.shape[1:]), "float32") for x in inputs))
    actual = layer(*inputs)
    assert tuple(symbolic.shape[1:]) == tuple(actual.shape[1:])
    assert symbolic.dtype == actual.dtype.name
    assert layer.compute_output_shape(*(x.shape for x in inputs)) == tuple(actual.shape)


def test_saved_and_restored(case: Any, tmp_path: Path) -> None:
    layer, inputs, _ = case
    arguments = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(arguments, layer(*arguments))
    model.save(tmp_path / "layer.keras")
    restored = keras.saving.load_model(tmp_path / "layer.keras")
    assert type(restored.layers[-1]) is type(layer)
    tensors = [tf.constant(x) for x in inputs]
    np.testing.assert_array_equal(restored(tensors), model(tensors))


def test_stays_in_single_precision(case: Any, mixed_precision: None) -> None:
    """Also when it is made under a policy of half precision and fed from layers that follow it."""
    layer, inputs, function = case
    again = type(layer).from_config(layer.get_config())
    halves = [tf.cast(x, tf.float16) for x in inputs]
    result = again(*halves)
    assert result.dtype in (tf.float32, tf.bool)
    np.testing.assert_array_equal(result, function(*(tf.cast(x, tf.float32) for x in halves)))


def test_double_precision_on_request_and_never_half() -> None:
    assert AxisAngleRotation(dtype="float64")(np.zeros((1, 3))).dtype == tf.float64
    with pytest.raises(ValueError, match="dtype: expected float32 or float64, got float16"):
        GeometryLayer(dtype="mixed_float16")


def test_normals_of_some_vertices() -> None:
    layer = VertexNormals(TRIANGLES, COUNT)
    indices = np.array([4, 4, 30], np.int32)
    np.testing.assert_allclose(
        layer.at(POINTS, indices), layer(POINTS).numpy()[:, indices], atol=1e-5
    )


def decoder() -> keras.Model:
    """The decoder of eq. (5), built from the layers alone: code parts and picture -> residuals."""
    face = small_model(with_cage=True)
    model = LinearFaceModel(face)
    identity, expression, albedo = (keras.Input((count,)) for count in model.modes)
    turn, translation = keras.Input((3,)), keras.Input((3,))
    light, image = keras.Input((9, 3)), keras.Input((32, 32, 3))
    vertices, reflectance = model(identity, expression, albedo)
    rotation = AxisAngleRotation()(turn)
    points = RigidTransform()(vertices, rotation, translation)
    normals = VertexNormals(face.triangles, face.vertex_count)(points)
    colours = reflectance * SphericalHarmonicsShading()(normals, light)
    pixels = PerspectiveCamera(144.0, (16.0, 16.0))(points)
    seen = FrontFacingVisibility()(normals, points)
    difference = VertexImageSampling()(image, pixels) - colours
    return keras.Model(
        [identity, expression, albedo, turn, translation, light, image],
        {"difference": difference, "seen": seen, "pixels": pixels},
    )


def decoder_inputs() -> list[tf.Tensor]:
    shapes = [(2, 5), (2, 3), (2, 4), (2, 3), (2, 3), (2, 9, 3), (2, 32, 32, 3)]
    inputs = [tf.constant(normal(*shape)) for shape in shapes]
    inputs[4] += tf.constant([0.0, 0, -900])
    return inputs


def test_decoder_saves_exports_and_runs_on_gpus(tmp_path: Path) -> None:
    model, inputs = decoder(), decoder_inputs()
    expected = model(inputs)
    model.save(tmp_path / "decoder.keras")
    model.export(tmp_path / "decoder", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "decoder")
    for restored in (
        keras.saving.load_model(tmp_path / "decoder.keras")(inputs),
        loaded.serve(inputs),
    ):
        for name, value in expected.items():
            np.testing.assert_allclose(
                tf.cast(restored[name], tf.float32), tf.cast(value, tf.float32), atol=1e-3
            )
    assert_gpu_kernels(loaded.signatures["serving_default"])


def test_decoder_has_gradients_to_every_part_of_the_code() -> None:
    model, inputs = decoder(), decoder_inputs()
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = model(inputs)
        value = tf.reduce_sum(outputs["difference"] ** 2) + tf.reduce_sum(outputs["pixels"])
    for gradient in tape.gradient(value, inputs):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0
