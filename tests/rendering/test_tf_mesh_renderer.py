"""The scenes and gradient tests of google/tf_mesh_renderer, and its golden images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfface.rendering.tf_mesh_renderer import camera_utils, mesh_renderer, rasterize_triangles

CUBE = np.array(
    [[-1, -1, 1], [-1, -1, -1], [-1, 1, -1], [-1, 1, 1],
     [1, -1, 1], [1, -1, -1], [1, 1, -1], [1, 1, 1]], np.float32,
)  # fmt: skip
NORMALS = CUBE / np.sqrt(np.float32(3))
FACES = np.array(
    [[0, 1, 2], [2, 3, 0], [3, 2, 6], [6, 7, 3], [7, 6, 5], [5, 4, 7],
     [4, 5, 1], [1, 0, 4], [5, 6, 2], [2, 1, 5], [7, 4, 0], [0, 3, 7]], np.int32,
)  # fmt: skip
TRIANGLE = np.array([[-0.5, -0.5, 0.8, 1], [0, 0.5, 0.3, 1], [0.5, -0.5, 0.3, 1]], np.float32)
WIDTH, HEIGHT = 640, 480
ONE = np.array([[0, 1, 2]], np.int32)


def golden(shared: Path, name: str) -> np.ndarray:
    path = shared / "golden" / f"{name}.png"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]] / 255.0


def assert_near(image: tf.Tensor, reference: np.ndarray) -> None:
    """The original's criterion: at most 0.1 % of the pixels differ by more than 0.01."""
    image = np.clip(image, 0, 1)
    assert image.shape == reference.shape
    assert np.any(np.abs(image - reference) > 0.01, axis=2).mean() <= 0.001


def turned_cubes() -> tuple[tf.Tensor, tf.Tensor]:
    turn = camera_utils.euler_matrices([[-20.0, 0.0, 60.0], [45.0, 60.0, 0.0]])[:, :3, :3]
    vertices, normals = (np.stack([v, v]) for v in (CUBE, NORMALS))
    return tf.matmul(vertices, turn, transpose_b=True), tf.matmul(normals, turn, transpose_b=True)


def grey_cubes(vertices: tf.Tensor, normals: tf.Tensor, width: int, height: int) -> tf.Tensor:
    eye = tf.constant([0.0, 0.0, 6.0])
    lights = tf.tile(eye[None, None], [2, 1, 1])
    return mesh_renderer.mesh_renderer(
        vertices, FACES, normals, tf.ones_like(vertices), eye, tf.zeros([3]),
        tf.constant([0.0, 1.0, 0.0]), lights, tf.ones([2, 1, 3]), width, height,
    )  # fmt: skip


def test_grey_cubes(shared: Path) -> None:
    images = grey_cubes(*turned_cubes(), WIDTH, HEIGHT)
    for number in range(2):
        assert_near(images[number], golden(shared, f"Gray_Cube_{number}"))


@pytest.mark.parametrize(
    ("w", "name"),
    [((1, 1, 1), "Simple_Triangle"), ((0.2, 0.5, 2), "Perspective_Corrected_Triangle")],
)
def test_triangles(shared: Path, w: tuple[float, ...], name: str) -> None:
    clip = TRIANGLE * np.array(w, np.float32)[:, None]
    barycentrics, ids, z_buffer = (
        rasterize_triangles.rasterize_triangles_module.rasterize_triangles(clip, ONE, WIDTH, HEIGHT)
    )
    image = tf.concat([barycentrics, tf.ones([HEIGHT, WIDTH, 1])], axis=-1)
    assert_near(image, golden(shared, name))
    assert not np.any(ids)
    seen = np.asarray(tf.reduce_sum(barycentrics, -1)) > 0.5
    assert 0.299 < np.min(np.asarray(z_buffer)[seen]) < np.max(np.asarray(z_buffer)[seen]) < 0.801
    np.testing.assert_array_equal(np.asarray(z_buffer)[~seen], 1.0)


@pytest.mark.slow
def test_jacobian_of_the_kernel() -> None:
    """At one pixel in the middle of the triangle, against finite differences."""

    def pixel(clip: tf.Tensor) -> tf.Tensor:
        kernel = rasterize_triangles.rasterize_triangles_module.rasterize_triangles
        return kernel(clip, ONE, WIDTH, HEIGHT)[0][245, 325]

    analytic, numeric = tf.test.compute_gradient(pixel, [tf.constant(TRIANGLE)], delta=4e-2)
    np.testing.assert_allclose(analytic[0], numeric[0], rtol=0.01, atol=1e-3)


@pytest.mark.slow
def test_jacobian_of_the_renderer() -> None:
    """All pixels of two lit cubes; few differ: those whose triangle changes."""
    turn = camera_utils.euler_matrices([[-20.0, 0.0, 60.0], [45.0, 60.0, 0.0]])[:, :3, :3]
    _, normals = turned_cubes()

    def draw(cube: tf.Tensor) -> tf.Tensor:
        vertices = tf.matmul(tf.stack([cube, cube]), turn, transpose_b=True)
        return grey_cubes(vertices, normals, 28, 21)

    @tf.function
    def jacobian(cube: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(cube)
            image = draw(cube)
        rows = tape.jacobian(image, cube, experimental_use_pfor=False)
        return tf.reshape(rows, [-1, CUBE.size])

    analytic = jacobian(tf.constant(CUBE)).numpy()
    steps = 1e-3 * np.eye(CUBE.size, dtype=np.float32).reshape(-1, *CUBE.shape)
    moved = tf.function(draw)
    numeric = np.stack([np.ravel(moved(CUBE + s) - moved(CUBE - s)) / 2e-3 for s in steps], -1)
    outliers = np.abs(numeric - analytic) > 0.01 * np.abs(numeric)
    assert outliers.mean() <= 0.01
    assert np.abs(analytic).max() > 0.1


def test_attributes_and_background() -> None:
    """A square that fills the upper half: its first row at the bottom is background."""
    square = np.array([[-1, 0, 0, 1], [-1, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    values = square[:, :2]
    drawn = rasterize_triangles.rasterize_clip_space(
        square[None], values[None], faces, 4, 6, [-5.0, 7.0]
    )
    np.testing.assert_allclose(drawn[0, :3], np.broadcast_to([-5.0, 7.0], (3, 4, 2)))
    x, y = np.meshgrid((np.arange(4) + 0.5) / 2 - 1, (np.arange(3) + 0.5) / 3)
    np.testing.assert_allclose(drawn[0, 3:], np.stack([x, y], -1), atol=1e-6)


def test_camera_matrices() -> None:
    camera = camera_utils.look_at([[1.0, 2.0, 3.0]], [[1.0, 2.0, -4.0]], [[0.0, 1.0, 0.0]])
    clip = camera_utils.perspective(2.0, [90.0], [0.5], [8.0])
    points = np.array([[[1, 2, 2.5], [1, 2, -5.0], [3, 3, 2.0]]], np.float32)
    at_eye = camera_utils.transform_homogeneous(camera, points)
    np.testing.assert_allclose(at_eye[0, :, :3], points[0] - [1, 2, 3], atol=1e-6)
    projected = camera_utils.transform_homogeneous(clip, at_eye[..., :3])
    x, y, z, w = np.asarray(projected).T[..., 0]
    np.testing.assert_allclose(z[:2] / w[:2], [-1, 1], atol=1e-5)  # near and far planes
    np.testing.assert_allclose([x[2] / w[2], y[2] / w[2]], [1, 1], atol=1e-6)
    quarter = camera_utils.euler_matrices([[np.pi / 2, 0, np.pi / 2]])[0, :3, :3]
    np.testing.assert_allclose(quarter @ [[0.0], [1], [0]], [[0], [0], [1]], atol=1e-6)


def test_degenerate_camera_and_wrong_arguments() -> None:
    one = tf.constant([[1.0, 0, 0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="eye and center are close"):
        camera_utils.look_at(one, one, [[0.0, 1.0, 0.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="up and gaze are close"):
        camera_utils.look_at(one, 2 * one, one)
    with pytest.raises(ValueError, match=r"vertices: expected shape \[B, V, 4\]"):
        rasterize_triangles.rasterize_clip_space(CUBE[None], CUBE[None], FACES, 8, 8, [0.0])
    vertices, normals = turned_cubes()
    with pytest.raises(ValueError, match="specular_colors, shininess_coefficients"):
        mesh_renderer.mesh_renderer(
            vertices, FACES, normals, normals, one[0], one[0], one[0], vertices, vertices, 8, 8,
            specular_colors=vertices,
        )  # fmt: skip


def test_tone_mapping() -> None:
    image = tf.constant([[0.0, 1.0], [4.0, 9.0]])[None, :, :, None]
    expected = np.array([[0, 1 / 3], [2 / 3, 1]])[None, :, :, None]
    np.testing.assert_allclose(mesh_renderer.tone_mapper(image, 0.5), expected, atol=1e-6)
