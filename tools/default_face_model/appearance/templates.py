"""Where things are on a face: weights in [0, 1] at the vertices, drawn in the canonical frame.

The numbers are millimetres on the canonical mean head (`FineHead.canonical`): x to the subject's
left, the pupils at (+-31.5, 36), the mouth's line at -37.5, the chin's edge at -84.
"""

from __future__ import annotations

import numpy as np

from default_face_model.appearance.head import CANONICAL_EYES, CANONICAL_PUPILS, FineHead

# Brow: centre line from the eye's centre (outwards, up) and half height, from inner to outer end.
BROW_OUT = np.array([-16.0, -8.0, 1.0, 10.0, 18.0, 26.0])
BROW_UP = np.array([12.2, 14.0, 15.6, 16.6, 15.4, 11.6])
BROW_HALF = np.array([3.4, 4.0, 3.8, 3.2, 2.4, 1.2])
# Head seen from above: degrees from the front; heights of the hairline and of the beard's borders.
HAIR_AZIMUTH = np.array([0.0, 18.0, 33.0, 45.0, 55.0, 63.0, 72.0, 84.0, 98.0, 108.0, 125.0, 180.0])
HAIR_HEIGHT = np.array([111.0, 110.0, 103.0, 90.0, 74.0, 62.0, 40.0, 42.0, 40.0, 0.0, -32.0, -40.0])
BEARD_AZIMUTH = np.array([0.0, 10.0, 14.0, 20.0, 32.0, 46.0, 58.0, 66.0, 74.0, 82.0, 90.0])
BEARD_TOP = np.array([-44.0, -41.0, -36.0, -33.0, -33.0, -28.0, -17.0, 0.0, 25.0, 45.0, 50.0])
BEARD_BOTTOM = np.array([-98.0, -98.0, -97.0, -96.0, -93.0, -86.0, -77.0, -67.0, -50.0, -25.0, 0.0])
AXIS_DEPTH = -70.0


def step(value: np.ndarray, width: float) -> np.ndarray:
    """Rises smoothly from 0 to 1 as the value goes from -width to width."""
    t = np.clip(0.5 + 0.5 * value / width, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bump(places: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """A Gaussian about a centre; places (V, D), one radius (one sigma) an axis."""
    return np.exp(-0.5 * (((places - np.array(centre)) / np.array(radii)) ** 2).sum(-1))


class FaceTemplates:
    """Weights (V,) of fixed regions, as attributes, and methods that draw the variable ones."""

    def __init__(self, head: FineHead) -> None:
        place = head.canonical
        self.head = head
        self.place = np.column_stack([np.abs(place[:, 0]), place[:, 1:]])
        self.azimuth = np.degrees(np.arctan2(self.place[:, 0], place[:, 2] - AXIS_DEPTH))
        self.front = head.skin & (place[:, 2] > -60.0)
        self.lips = head.lips * head.skin
        self.ears = head.ears * head.skin
        bare = self.front * (1.0 - head.lips)
        # Lashes sit on the lid's edge, which the upper lid turns down and forward.
        upper = step(place[:, 1] - CANONICAL_EYES, 3.0)
        reach = 1.5 + upper * (1.6 + 0.04 * (self.place[:, 0] - 0.5 * CANONICAL_PUPILS))
        self.lashes = bare * step(reach - head.eye_distance, 0.8) * (0.35 + 0.65 * upper)
        self.lids = bare * np.exp(-0.5 * (head.eye_distance / 4.5) ** 2)
        self.under_eyes = self._patch((29.0, 24.0), (9.0, 4.5))
        self.cheeks = self._patch((42.0, -2.0, -10.0), (13.0, 13.0, 22.0))
        self.nose = self._patch((0.0, -4.0, 30.0), (14.0, 10.0, 18.0))
        self.chin = self._patch((0.0, -72.0), (16.0, 10.0))
        self.forehead = self._patch((0.0, 82.0), (38.0, 20.0))

    def _patch(self, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
        return self.front * bump(self.place[:, : len(centre)], centre, radii)

    def brows(
        self, up: float, thickness: float, arch: float, tail: float, gap: float
    ) -> np.ndarray:
        """Both brows; `thickness` is a factor, the others are mm.

        Args:
            up: moves the brows upwards.
            thickness: 1 is typical.
            arch: bends the middle upwards.
            tail: lengthens the outer end.
            gap: moves the inner ends apart.
        """
        outwards = self.place[:, 0] - 0.5 * CANONICAL_PUPILS
        height = self.place[:, 1] - CANONICAL_EYES
        along = (outwards - BROW_OUT[0] - gap) / (BROW_OUT[-1] - BROW_OUT[0] - gap + tail)
        knots = (BROW_OUT - BROW_OUT[0]) / (BROW_OUT[-1] - BROW_OUT[0])
        bent = BROW_UP + up + arch * np.sin(np.pi * np.clip(knots * 1.1 - 0.15, 0, 1))
        clipped = np.clip(along, 0.0, 1.0)
        centre = np.interp(clipped, knots, bent)
        half = np.interp(clipped, knots, BROW_HALF) * thickness
        length = BROW_OUT[-1] - BROW_OUT[0]
        beyond = np.maximum(-along, along - 1.0).clip(0.0) * length
        across = np.hypot(height - centre, beyond)
        inner = 0.55 + 0.45 * step(along - 0.12, 0.15)
        return self.front * step(half - across, 1.7) * inner

    def hair(self, forehead: float, temples: float, sideburns: float, nape: float) -> np.ndarray:
        """Hair on the scalp; every argument moves a part of the hairline, mm downwards."""
        azimuth = self.azimuth
        line = np.interp(azimuth, HAIR_AZIMUTH, HAIR_HEIGHT)
        line = line - forehead * np.exp(-0.5 * (azimuth / 22.0) ** 2)
        line = line - temples * np.exp(-0.5 * ((azimuth - 38.0) / 12.0) ** 2)
        line = line - sideburns * np.exp(-0.5 * ((azimuth - 73.0) / 5.0) ** 2)
        line = line - nape * step(azimuth - 115.0, 15.0)
        return step(self.place[:, 1] - line, 8.5) * self.head.skin * (1.0 - self.ears)

    def beard(self, cheek_line: float) -> np.ndarray:
        """Beard of cheeks, jaw and chin; `cheek_line` moves its upper border, mm downwards."""
        top = np.interp(self.azimuth, BEARD_AZIMUTH, BEARD_TOP) - cheek_line
        bottom = np.interp(self.azimuth, BEARD_AZIMUTH, BEARD_BOTTOM)
        height = self.place[:, 1]
        weight = step(top - height, 5.0) * step(height - bottom, 9.0)
        weight = weight * step(86.0 - self.azimuth, 6.0) * (1.0 - self.ears) * self.head.skin
        below_lip = bump(self.place[:, :2], (10.0, -53.0), (5.0, 2.5))
        return weight * (1.0 - np.minimum(1.0, self.lips * 1.5)) * (1.0 - 0.6 * below_lip)

    def moustache(self) -> np.ndarray:
        """Upper lip: a chevron that thins towards the corners of the mouth."""
        x, height = self.place[:, 0], self.place[:, 1]
        centre = np.interp(x, [0.0, 8.0, 18.0, 26.0, 31.0], [-24.5, -24.0, -27.0, -33.0, -40.0])
        half = np.interp(x, [0.0, 2.5, 10.0, 20.0, 27.0, 33.0], [3.2, 4.6, 5.2, 4.6, 3.4, 0.0])
        weight = step(half - np.abs(height - centre), 2.2) * step(32.0 - x, 3.0)
        return self.front * weight * (1.0 - np.minimum(1.0, self.lips * 1.5))

    def goatee(self) -> np.ndarray:
        """Chin, with the lines that join it to the moustache."""
        x, height = self.place[:, 0], self.place[:, 1]
        half_width = np.interp(height, [-95.0, -84.0, -70.0, -60.0], [14.0, 18.0, 20.0, 17.0])
        chin = step(half_width - x, 5.0) * step(-57.5 - height, 4.0) * step(height + 97.0, 8.0)
        line = np.interp(height, [-66.0, -50.0, -36.0], [20.0, 27.0, 29.0])
        sides = step(3.8 - np.abs(x - line), 2.5) * step(-34.0 - height, 4.0)
        sides = sides * step(height + 74.0, 5.0)
        patch = bump(self.place[:, :2], (0.0, -54.0), (3.5, 3.5))
        weight = np.maximum(np.maximum(chin, 0.8 * sides), 0.6 * patch)
        return self.front * weight * (1.0 - np.minimum(1.0, self.lips * 1.5))
