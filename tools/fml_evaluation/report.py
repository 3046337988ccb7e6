"""Results as tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfface.exported_model import ExportedModel
from tfface.morphable.model import MorphableModel
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.visualization.overlay import write_png
from tfface.visualization.posed_face import PhotoCamera, PosedFace
from tfface.visualization.views import draw_turned

MODES, SIGMAS = 4, 2.5  # of modes.png
_SIDE = 200  # px of a face
_TURNED = -35.0  # degrees

TITLES = {
    "one_mm": "one frame, mm",
    "two_mm": "two frames, mm",
    "share_two_better": "two better than one, share of people",
    "one_sd_mm": "SD, one frame",
    "two_sd_mm": "SD, two frames",
    "paper_one_mm": "paper, one",
    "paper_two_mm": "paper, two",
    "mean_face": "mean face, neutral",
    "shipped_expression": "4, trained longer, identity zero",
    "photometric": "photometric error, RGB distance",
    "one_person": "one person under two lights",
    "two_people": "two people",
    "shipped": "4, trained longer",
    "1": "1, as many pictures a step",
    "2": "2, as many pictures a step",
    "1_people": "1, as many people a step",
    "2_people": "2, as many people a step",
    "landmark_nme": "landmark error / outer eye corner distance",
    "landmark_px_of_240": "landmark error, px of 240",
    "fml": "FML",
    "mofa": "MoFA",
}


def draw_modes(model: MorphableModel, file: Path) -> None:
    """The first modes of shape, as clay from two sides, and of reflectance: a row each, from below
    the mean to above it."""
    rows = []
    for number in range(min(MODES, model.identity.shape[-1])):
        shapes = [model.mean + s * model.identity[..., number] for s in (-SIGMAS, 0.0, SIGMAS)]
        rows.append([_face(model, shape, None, yaw) for yaw in (0.0, _TURNED) for shape in shapes])
    for number in range(min(MODES, model.albedo.shape[-1])):
        change = model.albedo[..., number]
        tones = [model.albedo_mean + s * change for s in (-SIGMAS, 0.0, SIGMAS)]
        rows.append(
            [
                _face(model, model.mean, np.clip(tone, 0, 1), yaw)
                for yaw in (0.0, _TURNED)
                for tone in tones
            ]
        )
    write_png(file, np.vstack([np.hstack(row) for row in rows]))


def draw_lights(model: ExportedModel, pictures: np.ndarray, file: Path) -> None:
    """People under two lights, `(P, 2, S, S, 3)`, each picture with its reflectance; a row each."""
    rows = []
    for pair in pictures:
        posed = model.pose(model.regress(pair))
        row = []
        for number, picture in enumerate(pair):
            face = PosedFace(
                posed.vertices[number], posed.normals[number], model.triangles,
                posed.albedo[number], posed.shading[number], model.shown,
                posed.rotation[number], np.zeros(3), PhotoCamera(1.0, np.zeros(2)),
            )  # fmt: skip
            row += [cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)]
            row += [draw_turned(face, 0.0, posed.albedo[number], _SIDE)]
        rows.append(np.hstack(row))
    write_png(file, np.vstack(rows))


def draw_film(frames: Iterable[np.ndarray], count: int, file: Path) -> None:
    """A few frames of a video side by side."""
    film = list(frames)
    chosen = np.linspace(0, len(film) - 1, count).round().astype(int)
    write_png(file, np.hstack([film[number] for number in chosen]))


def plot_spaces(errors: Mapping[str, Sequence[float]], counts: Sequence[int], file: Path) -> None:
    """Error against the number of modes, a line for each space."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(5, 3.6))
    for name, values in errors.items():
        axis.plot(counts, values, marker="o", label=name)
    axis.set_xlabel("modes")
    axis.set_ylabel("left of held-out identities, mm")
    axis.set_ylim(0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _face(
    model: MorphableModel, vertices: np.ndarray, colours: np.ndarray | None, yaw: float
) -> np.ndarray:
    """A mesh on its own; grey clay without colours."""
    topology = MeshTopology(model.triangles, model.vertex_count)
    normals = vertex_normals(tf.constant(vertices[None], tf.float32), topology)[0].numpy()
    ones = np.ones_like(vertices)
    face = PosedFace(
        vertices, normals, model.triangles, ones, ones, ones[:, 0], np.eye(3), np.zeros(3),
        PhotoCamera(1.0, np.zeros(2)),
    )  # fmt: skip
    return draw_turned(face, yaw, colours, _SIDE)
