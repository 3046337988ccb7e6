"""TensorBoard callbacks: image grids and the mesh plugin (scalars come from Keras's own)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Columns of a grid, from left to right: names that `FaceSystem.render` returns.
COLUMNS = ("input", "render", "overlay", "geometry", "albedo", "shading", "detail")


class FacePictures(keras.callbacks.Callback):
    """Shows the same faces after every few epochs: a grid of pictures, and their meshes.

    Writes TensorBoard summaries, and the grid as `epoch-0003.png` for those without TensorBoard.

    Args:
        images: `[B, S, S, 3]` float32 in [0, 1], the faces to show.
        logs: Folder of the TensorBoard summaries.
        pictures: Folder of the PNG files.
        every: Epochs between two pictures.
        last: The epoch that is shown in any case, the run's last.
    """

    def __init__(
        self, images: np.ndarray, logs: Path, pictures: Path, every: int, last: int
    ) -> None:
        super().__init__()
        self.images, self.pictures, self.every, self.last = images, pictures, every, last
        self.logs = logs

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.writer = tf.summary.create_file_writer(str(self.logs))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every and epoch + 1 != self.last:
            return
        grid = image_grid(self.model.render(self.images))
        png = tf.io.encode_png(np.round(255.0 * grid).astype(np.uint8))
        self.pictures.mkdir(parents=True, exist_ok=True)
        tf.io.write_file(str(self.pictures / f"epoch-{epoch + 1:04d}.png"), png)
        with self.writer.as_default(step=epoch + 1):
            tf.summary.image("faces", grid[None])
            write_meshes(self.model.reconstruct(self.images), self.model.triangles)
        self.writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.writer.close()


def image_grid(renders: dict[str, Any]) -> np.ndarray:
    """Puts pictures side by side: a row for each face, a column for each of `COLUMNS`.

    Args:
        renders: name -> `[B, S, S, 3]` in [0, 1]; names that are missing leave no gap.

    Returns:
        `[B * S, columns * S, 3]` float32 in [0, 1].
    """
    columns = [np.asarray(renders[name], np.float32) for name in COLUMNS if name in renders]
    rows = np.concatenate(columns, axis=2)  # (B, S, columns * S, 3)
    return np.clip(rows.reshape(-1, *rows.shape[2:]), 0.0, 1.0)


def write_meshes(faces: dict[str, Any], triangles: np.ndarray) -> None:
    """Writes `vertices` `[B, V, 3]` coloured by `albedo` `[B, V, 3]` for the mesh plugin."""
    # Imported late: the plugin loads half of TensorBoard.
    from tensorboard.plugins.mesh import summary_v2

    vertices = np.asarray(faces["vertices"], np.float32)
    colours = np.clip(np.asarray(faces["albedo"]), 0.0, 1.0)
    summary_v2.mesh(
        "meshes",
        vertices=vertices,
        colors=np.round(255.0 * colours).astype(np.uint8),
        faces=np.broadcast_to(np.asarray(triangles, np.int32), (len(vertices), *triangles.shape)),
    )
