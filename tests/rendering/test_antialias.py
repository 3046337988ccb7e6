"""Coverage of silhouettes, and what it is for: moving a shape until it covers another."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.meshes import sphere
from tfface.rendering.antialias import antialias, edge_neighbours
from tfface.rendering.rasterize import rasterize_orthographic

SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
HEIGHT, WIDTH = 20, 24


def square(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """`(1, 4, 3)`, counter-clockwise as seen."""
    corners = [[left, bottom], [right, bottom], [right, top], [left, top]]
    return np.pad(np.array(corners), [(0, 0), (0, 1)])[None]


def coverage(points: tf.Tensor, triangles: np.ndarray = SQUARE, smooth: bool = True) -> tf.Tensor:
    """`[H, W]` of what is drawn in white on black."""
    drawn = rasterize_orthographic(points, triangles, HEIGHT, WIDTH)
    image = tf.cast(drawn.mask, points.dtype)[..., None]
    if smooth:
        image = antialias(image, drawn, points[..., :2], triangles)
    return image[0, :, :, 0]


def test_neighbours() -> None:
    np.testing.assert_array_equal(edge_neighbours(SQUARE), [[-1, 1, -1], [-1, -1, 0]])
    _, triangles = sphere(1)
    across = edge_neighbours(triangles)
    for own, neighbours in zip(triangles, across, strict=True):
        for corner, neighbour in enumerate(neighbours):
            assert set(np.delete(own, corner)) < set(triangles[neighbour])
    assert edge_neighbours(np.zeros((0, 3), np.int32)).shape == (0, 3)


@pytest.mark.parametrize("right", [15.1, 15.4, 15.5, 15.8])
def test_edges_cover_parts_of_pixels(right: float) -> None:
    """Straight edges cover what they cut off of the pixels they cross."""
    drawn = coverage(tf.constant(square(4.3, 3, right, 16))).numpy()
    expected = np.zeros(WIDTH)
    expected[5:15], expected[4], expected[15] = 1, 0.7, right - 15
    np.testing.assert_allclose(drawn[3:16], np.tile(expected, (13, 1)), atol=1e-9)
    assert not drawn[:3].any() and not drawn[16:].any()


@pytest.mark.slow
def test_gradient_of_the_covered_area() -> None:
    """An edge that moves by d covers d times its length more."""
    points = tf.constant(square(4.3, 3.2, 15.1, 16.7))
    with tf.GradientTape() as tape:
        tape.watch(points)
        area = tf.reduce_sum(coverage(points))
    gradient = tape.gradient(area, points).numpy()[0]
    assert gradient[[1, 2], 0].sum() == pytest.approx(16 - 3, abs=1.1)  # the right side
    assert gradient[[0, 3], 0].sum() == pytest.approx(-(16 - 3), abs=1.1)
    step = 1e-4
    for vertex in range(4):
        for axis in range(2):
            ends = []
            for sign in (-1, 1):
                moved = points.numpy()
                moved[0, vertex, axis] += sign * step
                ends.append(float(tf.reduce_sum(coverage(tf.constant(moved)))))
            assert gradient[vertex, axis] == pytest.approx(
                (ends[1] - ends[0]) / (2 * step), abs=1e-6
            )


def test_inner_edges_are_left_alone() -> None:
    """A closed surface in one colour blends with the background only."""
    vertices, triangles = sphere(2, radius=7.0)
    points = tf.constant((vertices * [1, -1, -1] + [12, 10, 0])[None])
    drawn = rasterize_orthographic(points, triangles, HEIGHT, WIDTH)
    mask = drawn.mask.numpy()[0]
    changed = np.abs(coverage(points, triangles) - mask) > 0
    inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    assert changed.sum() > 20
    assert not changed[1:-1, 1:-1][inner].any()


@pytest.mark.slow
def test_optimisation_of_a_translation_needs_the_silhouette() -> None:
    vertices, triangles = sphere(2, radius=5.0)
    ball = tf.constant((vertices * [1, -1, -1])[None])
    goal = np.array([13.2, 9.4, 0])
    target = coverage(ball + goal, triangles)

    def error_after_descent(smooth: bool) -> float:
        place = tf.Variable([10.6, 11.1, 0.0], dtype=tf.float64)

        @tf.function
        def step() -> None:
            with tf.GradientTape() as tape:
                drawn = coverage(ball + place, triangles, smooth)
                loss = tf.reduce_mean(tf.square(drawn - target))
            gradient = tape.gradient(loss, place, unconnected_gradients="zero")
            place.assign_sub(8.0 * gradient)

        for _ in range(60):
            step()
        return float(np.linalg.norm(place.numpy() - goal))

    assert error_after_descent(smooth=True) < 0.2
    assert error_after_descent(smooth=False) > 3.0


def test_vertices_behind_the_camera_give_finite_gradients() -> None:
    points = tf.constant(square(4.3, 3, 15.1, 16), tf.float32)
    drawn = rasterize_orthographic(points, SQUARE, HEIGHT, WIDTH)
    image = tf.cast(drawn.mask, tf.float32)[..., None]
    lost = tf.concat([points[..., :2], tf.fill([1, 1, 2], np.nan)], axis=1)
    triangles = np.concatenate([SQUARE, [[0, 1, 4]]]).astype(np.int32)
    with tf.GradientTape() as tape:
        tape.watch(lost)
        area = tf.reduce_sum(antialias(image, drawn, lost, triangles))
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(area, lost)).numpy()).all()


def test_errors() -> None:
    points = tf.constant(square(4, 3, 15, 16), tf.float32)
    drawn = rasterize_orthographic(points, SQUARE, HEIGHT, WIDTH)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.int32)])
    def traced(triangles: tf.Tensor) -> tf.Tensor:
        return antialias(tf.zeros([1, HEIGHT, WIDTH, 1]), drawn, points[..., :2], triangles)

    with pytest.raises(ValueError, match="neighbours: expected edge_neighbours"):
        traced(SQUARE)
