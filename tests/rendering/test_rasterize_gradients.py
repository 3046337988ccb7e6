"""Gradients of the rasteriser: finite differences away from silhouettes, and bad vertices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.gradients import assert_gradients
from tests.meshes import sphere
from tfface.rendering.rasterize import (
    Gradients,
    Rasterization,
    interpolate,
    rasterize,
    rasterize_clip_space,
    rasterize_orthographic,
)

SIZE, FOCAL = 24, 40.0
CENTRE = (SIZE / 2 + 0.3, SIZE / 2 - 0.2)
BALL, TRIANGLES = sphere(1, radius=8.0)
COLOURS = np.random.default_rng(3).random((1, len(BALL), 2))


def perspective(vertices: tf.Tensor, gradients: Gradients = "extended") -> Rasterization:
    return rasterize(vertices, TRIANGLES, FOCAL, CENTRE, SIZE, SIZE, gradients=gradients)


def clip_space(vertices: tf.Tensor, gradients: Gradients = "extended") -> Rasterization:
    """x, y and w move; z, which has no gradient, is that of a camera of focal length 2."""
    x, y, w = tf.unstack(vertices, axis=-1)
    clip = tf.stack([2 * x, 2 * y, tf.stop_gradient(w - 2.0), w], axis=-1)
    return rasterize_clip_space(clip, TRIANGLES, SIZE, SIZE, gradients=gradients)


def orthographic(vertices: tf.Tensor, gradients: Gradients = "extended") -> Rasterization:
    return rasterize_orthographic(vertices, TRIANGLES, SIZE, SIZE, gradients=gradients)


CAMERAS = [
    (perspective, BALL[None] + [1.2, -0.7, -30.0]),
    (clip_space, BALL[None] * [0.9, 1.1, -1.0] + [1.2, -0.7, 30.0]),
    (orthographic, BALL[None] * [1, -1, -1] + [12.2, 11.7, 0.0]),
]


def inner_pixels(seen: Rasterization) -> np.ndarray:
    """Pixels that see the same triangle after any small change."""
    places = np.argwhere(tf.reduce_min(seen.barycentrics, axis=-1).numpy() > 0.05)
    assert len(places) > 40
    return places


@pytest.mark.slow
@pytest.mark.parametrize(("camera", "vertices"), CAMERAS)
def test_extended_barycentrics(camera: Callable[..., Rasterization], vertices: np.ndarray) -> None:
    """Of barycentrics, depth and interpolated attributes, in every coordinate."""
    places = inner_pixels(camera(tf.constant(vertices)))

    def pixels(points: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
        seen = camera(points)
        drawn = interpolate(colours, seen, TRIANGLES)
        values = tf.concat([seen.barycentrics, seen.depth[..., None], drawn], axis=-1)
        return tf.gather_nd(values, places)

    assert_gradients(pixels, [vertices, COLOURS], tolerance=1e-5)


@pytest.mark.parametrize(("camera", "vertices"), CAMERAS)
def test_fixed_barycentrics(camera: Callable[..., Rasterization], vertices: np.ndarray) -> None:
    """Richardson et al., eq. (7): the depth of a vertex counts with its weight."""
    points = tf.constant(vertices)
    on_depth = np.random.default_rng(4).normal(size=(1, SIZE, SIZE))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        seen = camera(points, gradients="fixed")
        depth = tf.reduce_sum(seen.depth * on_depth)
        weights = tf.reduce_sum(seen.barycentrics * np.ones((1, SIZE, SIZE, 1)) * [1.0, 2, 3])
    towards = -1 if camera is perspective else 1  # the camera looks along -Z
    expected = np.zeros_like(vertices)
    for _, row, column in np.argwhere(seen.mask):
        corners = TRIANGLES[seen.triangle_ids[0, row, column]]
        weighted = towards * on_depth[0, row, column] * seen.barycentrics[0, row, column]
        np.add.at(expected[0, :, 2], corners, weighted)
    gradient = tf.convert_to_tensor(tape.gradient(depth, points))
    np.testing.assert_allclose(gradient, expected, atol=1e-12)
    others = tape.gradient(weights, points, unconnected_gradients="zero")
    np.testing.assert_array_equal(others, np.zeros_like(vertices))


@pytest.mark.slow
def test_triangle_through_the_camera_plane() -> None:
    """Barycentrics go on smoothly where two of the corners are behind the camera."""
    floor = np.array([[[-500.0, -5, 300], [500, -5, 310], [20, -5, -400]]])
    places = np.array([[0, 20, 5], [0, 23, 12], [0, 22, 20], [0, 18, 11]])

    def pixels(points: tf.Tensor) -> tf.Tensor:
        seen = rasterize(points, [[0, 1, 2]], FOCAL, CENTRE, SIZE, SIZE)
        return tf.gather_nd(tf.concat([seen.barycentrics, seen.depth[..., None]], -1), places)

    assert (pixels(tf.constant(floor))[:, 3] > 0).numpy().all()
    assert_gradients(pixels, [floor], tolerance=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.slow
def test_bad_vertices_have_no_gradient_and_spoil_no_other(value: float, traced: bool) -> None:
    vertices = (BALL[None] + [0, 0, -30.0]).astype(np.float32)
    nearest = int(np.argmax(vertices[0, :, 2]))
    vertices[0, nearest] = value

    def gradients(points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        colours = tf.where(tf.math.is_finite(points), tf.sin(points), points)
        with tf.GradientTape() as tape:
            tape.watch([points, colours])
            seen = perspective(points)
            drawn = interpolate(colours, seen, TRIANGLES)
            loss = tf.reduce_sum(drawn) + tf.reduce_sum(seen.depth * seen.barycentrics[..., 0])
        return tape.gradient(loss, [points, colours])

    for gradient in (tf.function(gradients) if traced else gradients)(tf.constant(vertices)):
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0
        if not np.isfinite(value):
            np.testing.assert_array_equal(gradient[0, nearest], 0)


def test_degenerate_triangles_have_no_gradient() -> None:
    points = tf.constant(BALL[None] + [0, 0, -30.0], tf.float32)
    triangles = np.array([[0, 0, 1], [2, 2, 2], [3, 4, 3]], np.int32)
    with tf.GradientTape() as tape:
        tape.watch(points)
        seen = rasterize(points, triangles, FOCAL, CENTRE, SIZE, SIZE, cull_back_faces=False)
        loss = tf.reduce_sum(seen.depth) + tf.reduce_sum(seen.barycentrics)
    assert not seen.mask.numpy().any()
    np.testing.assert_array_equal(tape.gradient(loss, points), np.zeros(points.shape))


@pytest.mark.slow
def test_compiled_gradients_are_the_same() -> None:
    """In a traced function XLA compiles what runs operation by operation in an eager one."""

    def gradients(points: tf.Tensor, colours: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([points, colours])
            seen = perspective(points)
            loss = tf.reduce_sum(interpolate(colours, seen, TRIANGLES) ** 2 * seen.depth[..., None])
        return tape.gradient(loss, [points, colours])

    inputs = [tf.constant(BALL[None] + [0, 0, -30.0]), tf.constant(COLOURS)]
    for eager, traced in zip(gradients(*inputs), tf.function(gradients)(*inputs), strict=True):
        np.testing.assert_allclose(traced, eager, rtol=1e-9, atol=1e-9)
