"""Draws what makes one person's colouring: pigments, hair, brows, beard, eyes, lips, age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from default_face_model.appearance.colour import HAIR, IRIS

# sRGB red of facial skin: from the palest to the darkest people, and the typical spread.
RED_MEAN, RED_SPREAD, RED_LOWEST, RED_HIGHEST = 0.715, 0.12, 0.39, 0.86


@dataclass(frozen=True)
class Person:
    """One draw. Densities are opacities in [0, 1] of hair over skin; colours are linear RGB."""

    melanin: float
    haemoglobin: float
    yellow: float
    skin_weights: np.ndarray
    hair_colour: np.ndarray
    brow_colour: np.ndarray
    beard_colour: np.ndarray
    brow_density: float
    brow_shape: dict[str, float]
    hair_density: float
    hair_shape: dict[str, float]
    stubble: float
    beard: float
    moustache: float
    goatee: float
    beard_shape: dict[str, float]
    iris: np.ndarray
    sclera: float
    lip_red: float
    lip_dark: float
    flush: dict[str, float]
    under_eyes: float
    lashes: float
    freckles: float
    teeth: float


def melanin_of(red: float) -> float:
    """Melanin that gives skin the sRGB red value `red` (at mean haemoglobin)."""
    return float(max(0.02, -np.log((red / 0.875) ** 2.25) / 0.66))


def draw_person(rng: np.random.Generator, dark_skins: np.ndarray) -> Person:
    """Draws a person.

    Args:
        rng: the source of chance.
        dark_skins: (S,) bool, which skin textures are of dark skin.
    """
    red = _bounded_normal(rng, RED_MEAN, RED_SPREAD, RED_LOWEST, RED_HIGHEST)
    melanin = melanin_of(red)
    darkness = float(np.clip((melanin - 0.15) / 1.2, 0.0, 1.0))  # 0 pale, 1 from brown on
    female = float(rng.random() < 0.5)
    age = float(rng.beta(1.6, 1.6))
    natural, hair_colour = _hair_colour(rng, darkness, age)
    grey = np.clip(1.6 * (age - 0.45), 0.0, 0.9) * rng.random()
    brow_colour = (1 - 0.6 * grey) * _darker(natural, 0.55) + 0.6 * grey * HAIR["grey"] * 0.6
    beard_colour = (1 - grey) * _darker(natural, 0.8) + grey * HAIR["grey"] * 0.8
    return Person(
        melanin=melanin,
        haemoglobin=float(np.clip(rng.normal(0.48, 0.10), 0.2, 0.8)),
        yellow=float(np.clip(rng.normal(0.09, 0.065), -0.08, 0.28)),
        skin_weights=_skin_weights(rng, dark_skins, darkness),
        hair_colour=hair_colour,
        brow_colour=brow_colour,
        beard_colour=beard_colour,
        brow_density=float(np.clip(rng.normal(0.78 - 0.1 * female - 0.1 * grey, 0.1), 0.4, 0.95)),
        brow_shape={
            "up": float(rng.normal(0.3 * female, 0.45)),
            "thickness": float(np.clip(rng.normal(1.02 - 0.2 * female, 0.08), 0.65, 1.25)),
            "arch": float(rng.normal(0.6 * female - 0.2, 0.35)),
            "tail": float(rng.normal(0.0, 0.6)),
            "gap": float(rng.normal(0.0, 0.5)),
        },
        **_hair(rng, female, age),
        **_beard(rng, female),
        iris=_iris(rng, darkness),
        sclera=float(np.clip(rng.normal(0.0, 0.5), -1, 1)),
        lip_red=float(np.clip(rng.normal(0.62 + 0.22 * female, 0.24), 0.1, 1.6)),
        lip_dark=float(np.clip(rng.normal(0.12 + 0.08 * darkness, 0.07), -0.05, 0.4)),
        flush={
            "cheeks": float(rng.normal(0.13, 0.11)),
            "nose": float(rng.normal(0.12, 0.10)),
            "ears": float(rng.normal(0.15, 0.10)),
            "chin": float(rng.normal(0.05, 0.06)),
            "forehead": float(rng.normal(0.0, 0.06)),
        },
        under_eyes=float(np.clip(rng.normal(0.10 + 0.05 * age, 0.06), -0.05, 0.3)),
        lashes=float(np.clip(rng.normal(0.72 + 0.08 * female, 0.10), 0.4, 0.95)),
        freckles=float(np.clip(rng.normal(0.03 + 0.05 * age, 0.05), -0.03, 0.25)),
        teeth=float(np.clip(rng.normal(0.0, 0.5), -1, 1)),
    )


def _bounded_normal(
    rng: np.random.Generator, mean: float, spread: float, lowest: float, highest: float
) -> float:
    while True:
        value = rng.normal(mean, spread)
        if lowest <= value <= highest:
            return float(value)


def _darker(colour: np.ndarray, factor: float) -> np.ndarray:
    return np.maximum(colour * factor, HAIR["black"])


def _hair_colour(
    rng: np.random.Generator, darkness: float, age: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the natural colour and the one of the scalp, grey with age."""
    light = (1.0 - darkness) ** 1.5
    names = ["black", "dark brown", "brown", "blond", "red"]
    chances = np.array([0.25 + darkness, 0.60, 0.40 * light, 0.12 * light, 0.03 * light])
    first, second = rng.choice(5, 2, p=chances / chances.sum())
    mix = rng.beta(1.2, 3.0)
    natural = (1 - mix) * HAIR[names[first]] + mix * HAIR[names[second]]
    grey = np.clip(2.0 * (age - 0.45), 0.0, 0.85) * rng.random()
    return natural, (1 - grey) * natural + grey * HAIR["grey"]


def _skin_weights(rng: np.random.Generator, dark_skins: np.ndarray, darkness: float) -> np.ndarray:
    """Mixes two or three skins, of dark people the darker the skin is."""
    chance = np.where(dark_skins, 0.1 + darkness, 1.1 - darkness)
    chosen = rng.choice(len(dark_skins), 3, replace=False, p=chance / chance.sum())
    weights = np.zeros(len(dark_skins))
    weights[chosen] = rng.dirichlet([1.0, 1.0, 1.0]) * rng.uniform(0.7, 1.0)
    return weights


def _hair(rng: np.random.Generator, female: float, age: float) -> dict:
    receding = 0.0 if female else max(0.0, rng.normal(8.0 * age - 4.0, 5.0))
    bald = (not female) and rng.random() < 0.05
    return {
        "hair_density": float(rng.uniform(0.25, 0.5) if bald else rng.uniform(0.86, 0.97)),
        "hair_shape": {
            "forehead": float(rng.normal(1.0, 1.8) - 0.4 * receding),
            "temples": float(rng.normal(3.0 * female, 3.0) - receding),
            "sideburns": float(rng.normal(10.0, 6.0)),
            "nape": float(rng.normal(4.0, 5.0)),
        },
    }


def _beard(rng: np.random.Generator, female: float) -> dict:
    """Facial hair: none, stubble, a moustache, a goatee or a full beard."""
    parts = {"stubble": 0.0, "beard": 0.0, "moustache": 0.0, "goatee": 0.0}
    if not female:
        style = rng.choice(
            ["shaved", "stubble", "moustache", "goatee", "full"], p=[0.45, 0.30, 0.07, 0.07, 0.11]
        )
        density = rng.uniform(0.4, 0.8)
        parts["stubble"] = float(rng.uniform(0.02, 0.10))
        if style == "stubble":
            parts["stubble"] = float(rng.uniform(0.10, 0.30))
        if style in ("moustache", "goatee", "full"):
            parts["moustache"] = float(density)
        if style in ("goatee", "full"):
            parts["goatee"] = float(density)
        if style == "full":
            parts["beard"] = float(density * rng.uniform(0.75, 1.0))
    return {**parts, "beard_shape": {"cheek_line": float(rng.normal(0.0, 4.0))}}


def _iris(rng: np.random.Generator, darkness: float) -> np.ndarray:
    light = (1.0 - darkness) ** 2
    names = ["dark brown", "brown", "hazel", "green", "blue"]
    chances = np.array([0.25 + darkness, 0.45, 0.3 * light, 0.10 * light, 0.28 * light])
    first, second = rng.choice(5, 2, p=chances / chances.sum())
    mix = rng.beta(1.0, 4.0)
    return ((1 - mix) * IRIS[names[first]] + mix * IRIS[names[second]]) * rng.uniform(0.8, 1.25)
