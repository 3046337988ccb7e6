"""Geometry, colours, light and the learned space, where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.spatial.distance import cdist

from fml_evaluation.people import People
from tfface.exported_model import ExportedModel
from tfface.metrics import fit_similarity
from tfface.morphable.deformation_graph import deformation_graph
from tfface.morphable.model import MorphableModel

_BATCH = 16
SMOOTH = 20.0  # mm


def geometric_errors(
    model: ExportedModel, people: People, frames: int, identity: bool = True
) -> np.ndarray:
    """Root mean square distance `(P,)`, mm, of the faces in the first pictures.

    After moving, turning and scaling them in the least-squares sense onto the truth: a picture
    does not tell how large a face is.

    Args:
        model: Of one topology with the truth.
        people: With at least so many pictures.
        frames: So many are shown to the model.
        identity: Whether what it makes of it counts, or zeros in its place.
    """
    face, errors = model.compared > 0.5, []
    for pictures, vertices in zip(people.pictures, people.vertices, strict=True):
        parts = model.regress_together(sized(pictures[:frames], model.image_size))
        code = {name: part[:1] for name, part in parts.items()}
        if not identity:
            code["identity"] = np.zeros_like(code["identity"])
        found = model.decode(code)["vertices"][0]
        errors.append(aligned_distance(found[face], vertices[0, face]))
    return np.array(errors)


def sized(crops: np.ndarray, size: int) -> np.ndarray:
    """Pictures `(N, S, S, 3)` at another size."""
    if crops.shape[1] == size:
        return crops
    resized = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack(resized)


def aligned_distance(found: np.ndarray, true: np.ndarray) -> float:
    """Root mean square distance of points `(N, 3)` once they lie on `true` as well as they can."""
    distance = np.linalg.norm(fit_similarity(found, true).apply(found) - true, axis=-1)
    return float(np.sqrt(np.mean(distance**2)))


def photometric_errors(model: ExportedModel, crops: np.ndarray) -> np.ndarray:
    """Mean RGB distance `(N,)` of single pictures `(N, S, S, 3)` uint8."""
    crops, errors = sized(crops, model.image_size), []
    for first in range(0, len(crops), _BATCH):
        batch = crops[first : first + _BATCH]
        errors.append(model.photometric_errors(model.pose(model.regress(batch)), batch))
    return np.concatenate(errors)


def light_differences(model: ExportedModel, people: People) -> dict[str, dict[str, float]]:
    """How much pictures under two lights differ, and what is made of them.

    Returns:
        For `one_person` under two lights and for `two_people`, mean RGB distances of the vertices
        that both pictures show: `pictures`, of the colours there, and `albedo`, of the
        reflectances that are regressed from each alone.
    """
    first, second = (_seen(model, people.pictures[:, number]) for number in (0, 1))
    others = tuple(np.roll(part, 1, axis=0) for part in first)
    return {
        "one_person": _differences(first, second),
        "two_people": _differences(first, others),
    }


def _seen(model: ExportedModel, crops: np.ndarray) -> tuple[np.ndarray, ...]:
    """Colours and reflectance `(N, V, 3)` of the vertices in `(N, S, S, 3)`, and which are seen."""
    crops, found = sized(crops, model.image_size), []
    for first in range(0, len(crops), _BATCH):
        batch = crops[first : first + _BATCH]
        faces = model.pose(model.regress(batch))
        seen = faces.visible & (model.compared > 0.5)
        found.append((model.observe(faces, batch), faces.albedo, seen))
    return tuple(np.concatenate(values) for values in zip(*found, strict=True))


def _differences(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> dict[str, float]:
    both = first[2] & second[2]
    return {
        name: float(np.linalg.norm(first[i] - second[i], axis=-1)[both].mean())
        for i, name in enumerate(("pictures", "albedo"))
    }


def explained_identities(
    learned: MorphableModel,
    truth: MorphableModel,
    face: np.ndarray,
    identities: np.ndarray,
    counts: Sequence[int],
    nodes: int,
    seed: int,
) -> dict[str, list[float]]:
    """How near linear spaces come to identities that no one was told of.

    Each space also moves, turns and scales a face a little: its seven tangent vectors belong to all
    of them.

    Args:
        learned: What FML has learned, its modes in order.
        truth: The model that the identities are of.
        face: `(V,)` bool, the vertices that count.
        identities: `(N, K)` codes of `truth`.
        counts: Numbers of modes.
        nodes: Of the deformation graph.
        seed: Of the random space.

    Returns:
        `learned`, `random` (nodes of the graph at random, alike within `SMOOTH`) and `truth` (the
        modes of the model itself): root mean square distances in mm for each count.
    """
    goal = (identities @ truth.identity[face].reshape(-1, truth.identity.shape[-1]).T).astype(float)
    random = np.random.default_rng(seed)
    graph = deformation_graph(truth, nodes)
    nodes_at = truth.mean[graph.nodes]
    alike = np.exp(-0.5 * cdist(nodes_at, nodes_at, "sqeuclidean") / SMOOTH**2)
    moved = alike @ random.standard_normal((len(alike), 3 * max(counts)))
    smooth = (graph.skinning @ moved)[face].reshape(goal.shape[1], max(counts))
    shift = (learned.mean - truth.mean)[face].reshape(-1)
    tangents = _similarity_tangents(truth.mean[face])
    spaces = {
        "learned": (learned.identity[face].reshape(-1, learned.identity.shape[-1]), shift),
        "random": (smooth, 0.0 * shift),
        "truth": (truth.identity[face].reshape(-1, truth.identity.shape[-1]), 0.0 * shift),
    }
    errors: dict[str, list[float]] = {}
    for name, (modes, middle) in spaces.items():
        errors[name] = []
        for count in counts:
            columns, _ = np.linalg.qr(np.concatenate([tangents, modes[:, :count]], axis=1))
            left = goal - middle
            left = left - (left @ columns) @ columns.T
            errors[name].append(float(np.sqrt(np.mean(left**2) * 3)))
    return errors


def _similarity_tangents(points: np.ndarray) -> np.ndarray:
    """`(3 N, 7)`: how points `(N, 3)` move when they are shifted, turned or scaled a little."""
    centred = (points - points.mean(axis=0)).astype(float)
    axes = np.eye(3)
    shifts = [np.broadcast_to(axis, centred.shape) for axis in axes]
    turns = [np.cross(axis, centred) for axis in axes]
    return np.stack([move.ravel() for move in (*shifts, *turns, centred)], axis=1)
