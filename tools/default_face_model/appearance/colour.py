"""Colours of skin and hair from pigments, in linear RGB, and the sRGB transfer curve.

Skin is one reflecting layer under two absorbers (Beer-Lambert): rho = rho0 exp(-m A_mel - h A_hb),
m the melanin, h the haemoglobin. Everything here is linear light unless a name says sRGB.
"""

from __future__ import annotations

import numpy as np

# Reflectance of skin without pigment, and absorption of one unit of each pigment (R, G, B).
BARE_SKIN = np.array([0.76, 0.545, 0.455])
MELANIN = np.array([0.66, 0.86, 1.02])
HAEMOGLOBIN = np.array([0.06, 0.46, 0.38])
# Yellow pigments (carotene, bilirubin) take blue only: the olive and sallow undertones.
YELLOW = np.array([0.0, 0.12, 0.55])

HAIR = {
    "black": np.array([0.018, 0.015, 0.014]),
    "dark brown": np.array([0.045, 0.030, 0.021]),
    "brown": np.array([0.085, 0.052, 0.032]),
    "blond": np.array([0.235, 0.155, 0.082]),
    "red": np.array([0.170, 0.068, 0.032]),
    "grey": np.array([0.205, 0.190, 0.172]),
}
IRIS = {
    "dark brown": np.array([0.028, 0.015, 0.010]),
    "brown": np.array([0.085, 0.042, 0.020]),
    "hazel": np.array([0.130, 0.092, 0.042]),
    "green": np.array([0.120, 0.122, 0.078]),
    "blue": np.array([0.105, 0.135, 0.160]),
}


def skin_colour(melanin: np.ndarray, haemoglobin: np.ndarray, yellow: np.ndarray) -> np.ndarray:
    """Returns linear RGB (..., 3) of skin with the given amounts of pigment."""
    density = (
        np.asarray(melanin)[..., None] * MELANIN
        + np.asarray(haemoglobin)[..., None] * HAEMOGLOBIN
        + np.asarray(yellow)[..., None] * YELLOW
    )
    return BARE_SKIN * np.exp(-density)
