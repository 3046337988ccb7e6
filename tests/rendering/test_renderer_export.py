"""A SavedModel from vertices to a picture, in a process that has only TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.gpu_kernels import assert_gpu_kernels
from tests.meshes import sphere
from tfface.rendering.render import render

PROGRAM = """
import sys
sys.modules["tfface"] = sys.modules["keras"] = None  # neither may be imported
import numpy as np
import tensorflow as tf
draw = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for name in ("one", "two"):
    vertices = tf.constant(np.load(f"{sys.argv[1]}/{name}.npy"))
    np.save(f"{sys.argv[1]}/{name}_drawn.npy", draw(vertices=vertices)["picture"])
"""


@pytest.mark.slow
def test_vertices_to_picture(tmp_path: Path) -> None:
    ball, triangles = sphere(2, radius=80.0)
    colours = tf.constant(np.abs(ball)[None] / 80, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, len(ball), 3], name="vertices")])
    def draw(vertices: tf.Tensor) -> dict[str, tf.Tensor]:
        picture = render(
            vertices, tf.broadcast_to(colours, tf.shape(vertices)), triangles, 90.0, (32.0, 24.0),
            48, 64, background=0.2, antialiased=True,
        )  # fmt: skip
        return {"picture": picture}

    assert_gpu_kernels(draw.get_concrete_function())
    module = tf.Module()
    module.draw = draw
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": draw})
    batches = {"one": ball[None] + [0, 0, -400], "two": [[[10, 5, -350]], [[-20, 0, -500]]] + ball}
    for name, vertices in batches.items():
        np.save(tmp_path / f"{name}.npy", vertices.astype(np.float32))
    command = [sys.executable, "-I", "-c", PROGRAM, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name, vertices in batches.items():
        here = draw(tf.constant(vertices, tf.float32))["picture"].numpy()
        assert 0.2 < here[..., 3].mean() < 0.8
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}_drawn.npy"), here)
