"""One-ring vertex normals."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from tests.gradients import assert_gradients
from tests.meshes import cube, sphere
from tfface.rendering.normals import MeshTopology, vertex_normals, vertex_normals_at
from tfface.rendering.rotations import rotation_matrix

RANDOM = np.random.default_rng(3)


def by_definition(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = vertices[triangles]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(summed, triangles[:, corner], areas)
    return summed / np.linalg.norm(summed, axis=-1, keepdims=True)


def bowtie() -> tuple[np.ndarray, np.ndarray]:
    """Two open fans that share one vertex, and a vertex of no triangle."""
    vertices = RANDOM.normal(size=(7, 3))
    return vertices, np.array([[0, 1, 2], [0, 3, 4], [0, 4, 5]], np.int32)


def random_fan_mesh() -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = sphere(1)
    return vertices + 0.1 * RANDOM.normal(size=vertices.shape), triangles[7:]  # with a border


def test_sphere_normals_are_radial() -> None:
    vertices, triangles = sphere(3, radius=100.0)
    normals = vertex_normals(tf.constant(vertices[None]), MeshTopology(triangles, len(vertices)))
    np.testing.assert_allclose(normals[0], vertices / 100, atol=0.02)


def test_cube_normals() -> None:
    vertices, triangles = cube()
    normals = vertex_normals(tf.constant(vertices[None]), MeshTopology(triangles, 8))[0]
    # Two or one triangles of each side meet at a corner: weights are 1 or 2 along each axis.
    weights = np.abs(normals) / np.abs(normals).min(axis=-1, keepdims=True)
    assert set(np.round(weights, 9).reshape(-1)) <= {1.0, 2.0}
    np.testing.assert_array_equal(np.sign(normals), np.sign(vertices))


@pytest.mark.parametrize("make", [sphere, cube, random_fan_mesh])
def test_equals_definition(make: object) -> None:
    vertices, triangles = make()  # type: ignore[operator]
    normals = vertex_normals(tf.constant(vertices[None]), MeshTopology(triangles, len(vertices)))
    np.testing.assert_allclose(normals[0], by_definition(vertices, triangles), atol=1e-12)


def test_equals_trimesh() -> None:
    vertices, triangles = random_fan_mesh()
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    weights = mesh.faces_sparse.multiply(mesh.area_faces[None]) @ mesh.face_normals
    used = np.unique(triangles)
    expected = weights[used] / np.linalg.norm(weights[used], axis=-1, keepdims=True)
    normals = vertex_normals(tf.constant(vertices[None]), MeshTopology(triangles, len(vertices)))
    np.testing.assert_allclose(normals[0].numpy()[used], expected, atol=1e-12)


@pytest.mark.parametrize("make", [sphere, random_fan_mesh, bowtie])
@pytest.mark.parametrize("constant", [True, False])
def test_some_vertices_equal_all(make: object, constant: bool) -> None:
    vertices, triangles = make()  # type: ignore[operator]
    topology = MeshTopology(triangles, len(vertices))
    batch = tf.constant(np.stack([vertices, vertices[:, ::-1]]))
    indices = RANDOM.integers(len(vertices), size=9).astype(np.int32)
    some = vertex_normals_at(batch, indices if constant else tf.constant(indices), topology)
    expected = tf.gather(vertex_normals(batch, topology), indices, axis=1)
    np.testing.assert_allclose(some, expected, atol=1e-12)


@pytest.mark.parametrize("constant", [True, False])
def test_vertices_without_triangles(constant: bool) -> None:
    vertices, triangles = bowtie()
    topology = MeshTopology(triangles, len(vertices))
    indices = np.array([6], np.int32)
    normals = vertex_normals_at(
        tf.constant(vertices[None]), indices if constant else tf.constant(indices), topology
    )
    np.testing.assert_array_equal(normals, np.zeros((1, 1, 3)))


def test_degenerate_surface_has_zero_normals_and_gradients() -> None:
    vertices = tf.zeros([1, 4, 3])
    topology = MeshTopology(np.array([[0, 1, 2], [2, 1, 3]]), 4)
    with tf.GradientTape() as tape:
        tape.watch(vertices)
        normals = vertex_normals(vertices, topology)
    np.testing.assert_array_equal(normals, 0)
    np.testing.assert_array_equal(tape.gradient(normals, vertices), 0)


def test_invariances() -> None:
    vertices, triangles = random_fan_mesh()
    topology = MeshTopology(triangles, len(vertices))
    normals = vertex_normals(tf.constant(vertices[None]), topology)[0]
    rotation = rotation_matrix(tf.constant([0.3, -1.0, 0.7], tf.float64)).numpy()
    moved = 3.7 * vertices @ rotation.T + [5.0, -2, 900]
    turned = vertex_normals(tf.constant(moved[None]), topology)[0]
    np.testing.assert_allclose(turned, normals @ rotation.T, atol=1e-11)
    flipped = MeshTopology(triangles[:, ::-1], len(vertices))
    np.testing.assert_allclose(vertex_normals(vertices[None], flipped)[0], -normals, atol=1e-12)


def test_gradients() -> None:
    vertices, triangles = random_fan_mesh()
    topology = MeshTopology(triangles, len(vertices))
    batch = np.stack([vertices, vertices[:, ::-1] * 1.1])
    assert_gradients(lambda v: vertex_normals(v, topology), [batch])
    indices = np.array([0, 5, 5, 11], np.int32)
    assert_gradients(lambda v: vertex_normals_at(v, tf.constant(indices), topology), [batch])
    assert_gradients(lambda v: vertex_normals_at(v, indices, topology), [batch])


def test_second_derivatives() -> None:
    vertices, triangles = cube()
    topology = MeshTopology(triangles, 8)

    def slope(points: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = tf.reduce_sum(vertex_normals(points, topology)[..., 0] ** 3)
        return tape.gradient(value, points)

    assert_gradients(slope, [vertices[None] + 0.05 * RANDOM.normal(size=(1, 8, 3))], tolerance=1e-5)


def test_unknown_batch_size() -> None:
    vertices, triangles = sphere(1)
    topology = MeshTopology(triangles, len(vertices))
    traced = tf.function(
        lambda v: vertex_normals(v, topology),
        input_signature=[tf.TensorSpec([None, len(vertices), 3], tf.float64)],
    )
    assert traced.get_concrete_function().structured_outputs.shape[1:] == vertices.shape
    assert traced(np.stack([vertices] * 3)).shape == (3, *vertices.shape)


@pytest.mark.parametrize(
    ("triangles", "message"),
    [
        (np.zeros((4, 4), int), r"triangles: expected shape \(T, 3\), got \(4, 4\)"),
        (np.array([[0, 1, 5]]), r"triangles: expected vertex numbers in \[0, 5\), got 0 to 5"),
    ],
)
def test_bad_triangles(triangles: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeshTopology(triangles, 5)
