"""Every operation of the rendering functions and of their gradients has a GPU kernel."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.gpu_kernels import assert_gpu_kernels, missing_gpu_kernels
from tests.meshes import sphere
from tfface.rendering.cameras import perspective_projection, to_camera_space
from tfface.rendering.normals import MeshTopology, vertex_normals, vertex_normals_at
from tfface.rendering.render import render
from tfface.rendering.rotations import axis_angle, rotation_matrix
from tfface.rendering.sampling import inside_image, sample_bilinear
from tfface.rendering.spherical_harmonics import sh_shading
from tfface.rendering.visibility import front_facing

VERTICES, TRIANGLES = sphere(1)
POINTS = tf.TensorSpec([None, len(VERTICES), 3])
VECTOR = tf.TensorSpec([None, 3])


@pytest.mark.slow
def test_image_formation_and_its_gradient() -> None:
    topology = MeshTopology(TRIANGLES, len(VERTICES))

    def colours(
        points: tf.Tensor, turn: tf.Tensor, light: tf.Tensor, image: tf.Tensor, some: tf.Tensor
    ) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([points, turn, light, image])
            rotation = rotation_matrix(turn)
            moved = to_camera_space(points, rotation, turn)
            normals = vertex_normals(moved, topology)
            pixels = perspective_projection(moved, 100.0, (16.0, 16.0))
            seen = front_facing(normals, moved) & inside_image(pixels, 32, 32)
            difference = sample_bilinear(image, pixels) - moved * sh_shading(normals, light)
            value = tf.reduce_sum(tf.where(seen[..., None], difference, 0.0))
            value += tf.reduce_sum(vertex_normals_at(moved, some, topology))
            value += tf.reduce_sum(axis_angle(rotation))
        return tape.gradient(value, [points, turn, light, image])

    specs = [
        POINTS, VECTOR, tf.TensorSpec([None, 9, 3]),
        tf.TensorSpec([None, 32, 32, 3]), tf.TensorSpec([None], tf.int32),
    ]  # fmt: skip
    assert_gpu_kernels(tf.function(colours).get_concrete_function(*specs))


@pytest.mark.slow
def test_renderer_and_its_gradient() -> None:
    def gradients(points: tf.Tensor, colours: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([points, colours])
            picture = render(
                points, colours, TRIANGLES, 100.0, (16.0, 16.0), 32, 32, antialiased=True
            )
        return tape.gradient(picture, [points, colours])

    assert_gpu_kernels(tf.function(gradients).get_concrete_function(POINTS, POINTS))


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (lambda x: tf.ragged.range(x).flat_values, "RaggedRange"),
        (lambda x: tf.math.unsorted_segment_min(tf.cast(x, tf.int64), x, 3), "UnsortedSegmentMin"),
        (lambda x: tf.map_fn(lambda y: tf.ragged.range(y).flat_values[0], x), "RaggedRange"),
    ],
)
def test_the_check_finds_what_only_runs_on_the_host(operation: object, name: str) -> None:
    """Also by dtype (segment minima of int64 values) and inside of loops."""
    traced = tf.function(operation).get_concrete_function(tf.TensorSpec([None], tf.int32))
    assert any(found.startswith(name) for found in missing_gpu_kernels(traced))
    assert np.size(missing_gpu_kernels(traced, allowed=(name,))) == 0
