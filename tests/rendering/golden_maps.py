"""The maps of the default face that `test_golden_maps` knows; written by `python -m` of this."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfface.layers.mesh_maps import DepthRendering, NormalMapRendering, PNCCRendering
from tfface.morphable.default import load_default_face_model
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rotations import rotation_matrix

FOLDER = Path(__file__).parents[1] / "golden"
SIZE = 128
FRONT, BACK = 900.0, 1100.0  # mm: white and black of the depth map


def golden_maps() -> dict[str, np.ndarray]:
    """Uint8 pictures `(128, 128)` of depth and `(128, 128, 3)` of normals and PNCC, RGB."""
    model = load_default_face_model()
    mean = np.asarray(model.mean, np.float32)
    turn = rotation_matrix(tf.constant([[0.1, -0.4, 0.05]]))
    points = tf.matmul(mean[None], turn, transpose_b=True) + [0.0, 0.0, -1000.0]
    normals = vertex_normals(points, MeshTopology(model.triangles, len(mean)))
    options = {"height": SIZE, "width": SIZE, "focal_length": 3.3 * SIZE}
    depth = DepthRendering(model.triangles, **options)(points)[0, :, :, 0].numpy()
    seen = depth > 0
    height = np.where(seen, (BACK - depth) / (BACK - FRONT), 0)
    pncc = PNCCRendering(mean, model.triangles, **options)(points)[0].numpy()
    pixels = NormalMapRendering(model.triangles, **options)(points, normals)[0].numpy()
    pictures = {
        "depth": height, "normals": np.where(seen[..., None], 0.5 + 0.5 * pixels, 0), "pncc": pncc
    }  # fmt: skip
    return {name: np.round(255 * np.clip(p, 0, 1)).astype(np.uint8) for name, p in pictures.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, picture in golden_maps().items():
        cv2.imwrite(
            str(FOLDER / f"default_face_{name}.png"),
            picture if picture.ndim == 2 else picture[..., ::-1],
        )
