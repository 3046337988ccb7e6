"""Colours of the test heads: a procedural painting laid out on the neutral head.

Nothing here comes from the default face model: skin, brows, lips, eyes and hair are functions of
the position on ICT-FaceKit's neutral mesh, evaluated for every pixel. Colours are linear light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from independent_heads.heads import HeadTopology

Noise = Callable[[np.ndarray], np.ndarray]
BROWS = (slice(17, 22), slice(22, 27))
EYES = (slice(36, 42), slice(42, 48))
LIPS, MOUTH = slice(48, 60), slice(60, 68)
IRIS_RADIUS, PUPIL_RADIUS = 5.9, 2.0  # mm
HAIR_COLOURS = ((0.008, 0.006, 0.005), (0.03, 0.015, 0.008), (0.13, 0.07, 0.03), (0.25, 0.24, 0.23))
IRIS_COLOURS = ((0.05, 0.022, 0.01), (0.10, 0.07, 0.03), (0.09, 0.14, 0.18))


@dataclass(frozen=True, eq=False)
class Palette:
    """What one person looks like; colours `(3,)` linear.

    Attributes:
        skin, lips, hair, iris: Colours.
        stubble: 0 none to 1 dark.
        brow_width: mm.
        hairline: mm above the brows where the hair begins in the middle.
        noise: Functions of positions, one a spatial scale, of unit variance.
    """

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    stubble: float
    brow_width: float
    hairline: float
    noise: dict[str, Noise]


def draw_palette(random: np.random.Generator) -> Palette:
    """Draws a person's colours: skin from very light to very dark."""
    tone = random.beta(1.3, 1.6)
    skin = np.array([0.66, 0.42, 0.31]) * np.exp(-tone * np.array([1.75, 2.25, 2.5]))
    skin *= np.exp(0.06 * random.standard_normal(3))
    lips = skin * (0.78, 0.52, 0.58) * np.exp(0.1 * random.standard_normal(3))
    natural = HAIR_COLOURS[random.integers(2 if tone > 0.5 else len(HAIR_COLOURS))]
    iris = IRIS_COLOURS[0 if tone > 0.4 else random.integers(len(IRIS_COLOURS))]
    scales = {"blotch": 28.0, "mottle": 7.0, "grain": 1.2, "strand": 1.0}
    return Palette(
        skin=skin,
        lips=lips,
        hair=np.array(natural) * np.exp(0.15 * random.standard_normal()),
        iris=np.array(iris),
        stubble=float(max(0.0, random.uniform(-0.6, 0.5))),
        brow_width=random.uniform(4.2, 7.0),
        hairline=random.uniform(42, 58),
        noise={name: _waves(random, scale) for name, scale in scales.items()},
    )


def paint_skin(places: np.ndarray, topology: HeadTopology, palette: Palette) -> np.ndarray:
    """Albedo at positions on the neutral head.

    Args:
        places: `(N, 3)` mm on the neutral head.
        topology: Landmarks and neutral head.
        palette: The person's colours.

    Returns:
        `(N, 3)` linear.
    """
    points = topology.neutral[topology.landmarks]
    noise = {name: field(places) for name, field in palette.noise.items()}
    tone = 0.05 * noise["blotch"] + 0.035 * noise["mottle"] + 0.03 * noise["grain"]
    albedo = palette.skin * np.exp(tone[:, None] * (0.6, 1.0, 1.0))

    warm = np.sum([_spot(places, centre, radius) for centre, radius in _warm_spots(points)], 0)
    albedo *= 1 - 0.22 * np.clip(warm, 0, 1)[:, None] * (0.1, 1.0, 0.8)
    tired = np.sum([_spot(places, points[eye].mean(0) - (0, 14, 0), 12) for eye in EYES], 0)
    albedo *= 1 - 0.18 * tired[:, None] * (0.6, 0.8, 0.6)
    albedo = _mix(albedo, albedo * (0.45, 0.5, 0.55), palette.stubble * _beard(places, points))
    albedo = _mix(albedo, palette.lips, 0.85 * _inside(places, points[LIPS], 1.5))
    albedo *= 1 - 0.6 * _along(places, _mouth_line(points), 0.9)[:, None]
    for eye in EYES:
        outline = points[eye]
        albedo *= 1 - 0.8 * _along(places, outline[:4], 1.1)[:, None]  # upper lashes
        albedo *= 1 - 0.35 * _along(places, outline[[3, 4, 5, 0]], 0.9)[:, None]
    for brow in BROWS:
        hairs = _along(places, points[brow] - (0, 2, 0), palette.brow_width)
        hairs *= np.clip(0.8 + 0.2 * noise["strand"], 0, 1)
        albedo = _mix(albedo, palette.hair, 0.85 * hairs)
    return np.clip(albedo, 0.002, 0.95)


def paint_eyes(places: np.ndarray, topology: HeadTopology, palette: Palette) -> np.ndarray:
    """Albedo of the eyeballs, gazing straight ahead; arguments as `paint_skin`."""
    points = topology.neutral[topology.landmarks]
    albedo = np.empty_like(places)
    for side, eye in zip((-1, 1), EYES, strict=True):
        mine = side * places[:, 0] > 0
        centre = points[eye].mean(0)
        radius = np.linalg.norm((places[mine] - centre)[:, :2], axis=1)
        fibres = 1 + 0.25 * palette.noise["grain"](places[mine])[:, None]
        colour = _mix(np.array([0.62, 0.58, 0.55]), palette.iris * fibres, radius < IRIS_RADIUS)
        ring = np.exp(-(((radius - IRIS_RADIUS) / 0.7) ** 2))
        colour = _mix(colour, np.array([0.02, 0.015, 0.01]), 0.7 * ring)
        albedo[mine] = _mix(colour, np.array([0.004, 0.004, 0.004]), radius < PUPIL_RADIUS)
    return albedo


def hair_amount(places: np.ndarray, topology: HeadTopology, palette: Palette) -> np.ndarray:
    """How much of the scalp's hair grows at `(N, 3)` places of the neutral head, `(N,)` in [0, 1].

    The line runs over the forehead, down the temples, and behind the ears to the neck.
    """
    points = topology.neutral[topology.landmarks]
    top = points[19:25, 1].mean() + palette.hairline
    x, y, z = places.T
    temple = np.abs(points[0, 0])
    line = top - 55 * (np.abs(x) / temple) ** 3 - np.maximum(0, 1.2 * (40 - z))
    line = np.maximum(line, points[33, 1] - 25)
    line += 3 * palette.noise["blotch"](places)
    behind_ears = np.clip((45 - z) / 12, 0, 1)
    high = np.clip((y - top + 8) / 10, 0, 1)
    return np.clip((y - line) / 9, 0, 1) * np.maximum(behind_ears, high)


def paint_hair(places: np.ndarray, palette: Palette) -> np.ndarray:
    """Colour of the hair: strands that run down the head; `(N, 3)` linear."""
    strands = palette.noise["strand"](places * (1.0, 0.12, 0.5))
    return palette.hair * np.exp(0.35 * strands + 0.15 * palette.noise["mottle"](places))[:, None]


def _warm_spots(points: np.ndarray) -> list[tuple[np.ndarray, float]]:
    cheeks = [
        0.5 * (points[eye].mean(0) + points[side]) for eye, side in ((EYES[0], 48), (EYES[1], 54))
    ]
    outward = [cheek + (12 * np.sign(cheek[0]), -4, 0) for cheek in cheeks]
    return [(outward[0], 22.0), (outward[1], 22.0), (points[30], 13.0), (points[8], 15.0)]


def _beard(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1 on chin, jaw and upper lip, fading over the cheeks."""
    x, y, z = places.T
    top = points[33, 1] + 28 * (np.abs(x) / abs(points[3, 0])) ** 2
    below = np.clip((top - y) / 10, 0, 1) * np.clip((y - points[8, 1] + 35) / 25, 0, 1)
    return below * np.clip((z - 10) / 25, 0, 1)


def _mouth_line(points: np.ndarray) -> np.ndarray:
    upper, lower = points[[60, 61, 62, 63, 64]], points[[60, 67, 66, 65, 64]]
    return 0.5 * (upper + lower)


def _spot(places: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-((places - centre) ** 2).sum(-1) / radius**2)


def _along(places: np.ndarray, line: np.ndarray, width: float) -> np.ndarray:
    """1 on a polyline `(n, 3)`, falling to 0 at about `width` mm; tapers towards its ends."""
    nearest = np.full(len(places), np.inf)
    for start, end in pairwise(line):
        edge = end - start
        t = np.clip((places - start) @ edge / (edge @ edge), 0, 1)
        away = np.linalg.norm((places - start - t[:, None] * edge)[:, :2], axis=1)
        nearest = np.minimum(nearest, away + 25 * (places[:, 2] < line[:, 2].min() - 15))
    return np.clip(1.25 - nearest / width, 0, 1) ** 1.5


def _inside(places: np.ndarray, outline: np.ndarray, softness: float) -> np.ndarray:
    """1 inside a closed outline `(n, 3)`, seen from the front; its edge is `softness` mm wide."""
    polygon = outline[:, :2].astype(np.float32)
    near = (np.abs(places[:, :2] - polygon.mean(0)) < np.ptp(polygon, axis=0)).all(1)
    result = np.zeros(len(places))
    distance = [
        cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in places[near, :2]
    ]
    front = places[near, 2] > outline[:, 2].min() - 12
    result[near] = front * np.clip(0.5 + np.array(distance) / softness, 0, 1)
    return result


def _mix(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    weight = np.asarray(weight, np.float64)[:, None]
    return first * (1 - weight) + second * weight


def _waves(random: np.random.Generator, scale: float, count: int = 24) -> Noise:
    """A smooth random field of unit variance with features of about `scale` mm."""
    directions = random.standard_normal((3, count)) / scale
    phases = random.uniform(0, 2 * np.pi, count)

    def field(places: np.ndarray) -> np.ndarray:
        return np.sqrt(2 / count) * np.cos(places @ directions + phases).sum(-1)

    return field
