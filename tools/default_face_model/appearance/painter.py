"""Paints a person's reflectance on the head: skin, then what lies over it, in linear RGB."""

from __future__ import annotations

import numpy as np

from default_face_model.appearance.colour import skin_colour
from default_face_model.appearance.head import FineHead
from default_face_model.appearance.person import Person
from default_face_model.appearance.templates import FaceTemplates, step
from tfface.rendering.srgb import linear_to_srgb

LASH = np.array([0.020, 0.014, 0.011])
SCLERA = np.array([0.50, 0.44, 0.405])
PUPIL = np.array([0.008, 0.007, 0.007])
TEETH = np.array([0.62, 0.55, 0.45])
MOUTH = np.array([0.10, 0.022, 0.020])
# Angles from the gaze, degrees: the rims of pupil and iris.
PUPIL_RIM, IRIS_RIM = 7.0, 20.5
# Fields of pigment: correlation lengths in mm, and how much of them is the same on both sides.
FIELD_LENGTHS = (45.0, 22.0)
FIELD_SYMMETRY = 0.85
FIELD_WAVES = 20


class Painter:
    """Paints people on one head.

    Args:
        templates: where things are on the fine mean head.
        skin_maps: (S, V, 3) log colour ratios of real skins to their typical facial colour.
        rng: chance for the grain, which all people share (a linear basis cannot hold each hair).
    """

    def __init__(
        self, templates: FaceTemplates, skin_maps: np.ndarray, rng: np.random.Generator
    ) -> None:
        self.head = head = templates.head
        self.templates = templates
        self.skin_maps = skin_maps
        noise = rng.normal(size=len(head.vertices))
        self.grain = np.clip(0.6 * noise + 0.4 * noise[head.mirror], -1.5, 1.5)
        self._waves = _smooth_waves(head, rng)
        self._moustache, self._goatee = self.templates.moustache(), self.templates.goatee()
        spots = head.smooth(noise[head.mirror] * 0.4 + noise, 2.5)
        spots = spots / spots[head.skin].std()
        self.spots = step(spots - 0.9, 0.6) * self.templates.front

    def paint(
        self, person: Person, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns sRGB-encoded colours (V, 3) without hair and beard, with hair, with both."""
        t = self.templates
        skin = self._skin(person, rng)
        haired = self._cover(
            skin, person.hair_colour, person.hair_density * t.hair(**person.hair_shape), 0.05
        )
        bearded = self._cover(haired, person.beard_colour, self._beard(person), 0.10)
        stages = []
        for colour in (skin, haired, bearded):
            brows = person.brow_density * t.brows(**person.brow_shape)
            colour = self._cover(colour, person.brow_colour, brows, 0.12)
            colour = self._cover(colour, LASH, person.lashes * t.lashes, 0.0)
            stages.append(linear_to_srgb(self._inside(colour, person)))
        return stages[0], stages[1], stages[2]

    def _skin(self, person: Person, rng: np.random.Generator) -> np.ndarray:
        t = self.templates
        tired = person.under_eyes
        melanin = person.melanin * np.exp(0.13 * self._field(rng))
        melanin = melanin + (0.1 + 0.5 * person.melanin) * (
            tired * (t.under_eyes + 0.8 * t.lids) + person.lip_dark * t.lips
        )
        melanin = melanin + (0.35 + 0.3 * person.melanin) * person.freckles * self.spots
        flush = person.flush
        haemoglobin = person.haemoglobin + 0.09 * self._field(rng)
        haemoglobin = haemoglobin + (
            flush["cheeks"] * t.cheeks
            + flush["nose"] * t.nose
            + flush["ears"] * t.ears
            + flush["chin"] * t.chin
            + flush["forehead"] * t.forehead
            + 0.5 * tired * t.under_eyes
            + 0.22 * t.lids
            + person.lip_red * t.lips
        )
        yellow = np.full(len(t.lips), person.yellow)
        colour = skin_colour(melanin, np.maximum(haemoglobin, 0.05), yellow)
        worn = np.flatnonzero(person.skin_weights)
        pattern = np.tensordot(person.skin_weights[worn], self.skin_maps[worn], 1)
        return colour * np.exp(pattern)

    def _field(self, rng: np.random.Generator) -> np.ndarray:
        """A smooth random field of unit variance, mostly the same left and right."""
        return self._waves @ rng.normal(size=self._waves.shape[1])

    def _beard(self, person: Person) -> np.ndarray:
        full = self.templates.beard(**person.beard_shape)
        moustache, goatee = self._moustache, self._goatee
        shadow = np.maximum.reduce([full, moustache, goatee])
        return np.maximum.reduce(
            [
                person.stubble * shadow,
                person.beard * full,
                person.moustache * moustache,
                person.goatee * goatee,
            ]
        )

    def _cover(
        self, colour: np.ndarray, hair: np.ndarray, weight: np.ndarray, roughness: float
    ) -> np.ndarray:
        opacity = np.clip(weight * (1.0 + roughness * self.grain), 0.0, 0.97)[:, None]
        return (1 - opacity) * colour + opacity * hair

    def _inside(self, colour: np.ndarray, person: Person) -> np.ndarray:
        """Puts in the eyes, the teeth and the mouth's inside."""
        head, colour = self.head, colour.copy()
        colour[head.eyes] = self._eyes(person)[head.eyes]
        depth = head.canonical[:, 2]
        # The light falls off towards the back teeth.
        light = 0.12 + 0.88 * step(depth - depth[head.teeth].max() + 9.0, 9.0)[:, None]
        colour[head.teeth] = (TEETH * np.exp(0.12 * person.teeth) * light)[head.teeth]
        rim = step(depth - 12.0, 10.0)[:, None]
        lip = 0.45 * np.median(colour[self.templates.lips > 0.8], axis=0)
        colour[head.inner_mouth] = (rim * lip + (1 - rim) * MOUTH)[head.inner_mouth]
        return colour

    def _eyes(self, person: Person) -> np.ndarray:
        head = self.head
        direction = head.eye_direction
        angle = np.degrees(np.arccos(np.clip(direction[:, 2], -1.0, 1.0)))
        spokes = 1.0 + 0.10 * self.grain
        collar = 1.0 + 0.35 * np.exp(-0.5 * ((angle - 10.0) / 2.5) ** 2)
        limbus = 1.0 - 0.6 * step(angle - 18.3, 2.0)
        iris = person.iris * (spokes * collar * limbus)[:, None]
        sideways = np.abs(direction[:, 0])
        white = SCLERA * np.exp(0.06 * person.sclera)
        pink = np.array([0.04, 0.30, 0.34]) * step(sideways - 0.62, 0.25)[:, None]
        shade = 1.0 - 0.38 * step(direction[:, 1] - 0.10, 0.35) - 0.25 * step(sideways - 0.6, 0.3)
        white = white * np.exp(-pink) * shade[:, None]
        outside = step(angle - IRIS_RIM, 1.2)[:, None]
        inside = step(PUPIL_RIM - angle, 1.0)[:, None]
        lit = 1.0 - 0.35 * step(direction[:, 1] - 0.05, 0.3)[:, None]
        colour = outside * white + (1 - outside) * iris * lit
        return (1 - inside) * colour + inside * PUPIL


def _smooth_waves(head: FineHead, rng: np.random.Generator) -> np.ndarray:
    """Random Fourier features (V, W) of a smooth Gaussian process of unit variance."""
    features = []
    for length in FIELD_LENGTHS:
        angle = head.canonical @ (rng.normal(size=(3, FIELD_WAVES)) / length)
        features += [np.cos(angle), np.sin(angle)]
    waves = np.concatenate(features, axis=1) / np.sqrt(FIELD_WAVES * len(FIELD_LENGTHS))
    even = 0.5 * (waves + waves[head.mirror])
    return even + (1.0 - FIELD_SYMMETRY) * (waves - even)
