"""Colours of black bodies against Planck's law and tabulated points."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.rendering.colour_temperature import (
    COMMON_LIGHTS,
    colour_of_temperature,
    random_light_colours,
)

# CIE 1931 xy of the Planckian locus (Wyszecki and Stiles, Color Science, table 1(3.11)).
LOCUS = {
    2000: (0.5267, 0.4133),
    2856: (0.4476, 0.4074),
    4000: (0.3805, 0.3768),
    5000: (0.3451, 0.3516),
    6500: (0.3135, 0.3237),
    10000: (0.2807, 0.2884),
    20000: (0.2565, 0.2577),
}
RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


@pytest.mark.parametrize("kelvin", [k for k in LOCUS if k > 2000])
def test_tabulated_points(kelvin: int) -> None:
    xyz = RGB_TO_XYZ @ colour_of_temperature(float(kelvin)).numpy()
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), LOCUS[kelvin], atol=1.5e-3)


def test_a_black_body_outside_srgb() -> None:
    """At 1800 K the blue of sRGB would be negative; at 2000 K red and green are as tabulated."""
    assert colour_of_temperature(1800.0)[2] == 0
    x, y = LOCUS[2000]
    rgb = np.linalg.inv(RGB_TO_XYZ) @ [x, y, 1 - x - y]
    colour = colour_of_temperature(2000.0).numpy()
    np.testing.assert_allclose(colour[1] / colour[0], rgb[1] / rgb[0], atol=0.01)


def test_hotter_is_bluer() -> None:
    colours = colour_of_temperature(np.linspace(1700, 20000, 200)).numpy()
    assert colours.min() >= 0
    np.testing.assert_allclose(colours.max(axis=-1), 1, rtol=1e-6)
    ratio = colours[:, 2] / colours[:, 0]
    assert (np.diff(ratio)[ratio[1:] > 0] > 0).all()


def test_out_of_range_takes_the_nearest_end() -> None:
    ends = colour_of_temperature([100.0, 1667.0, 25000.0, 1e6]).numpy()
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[2], ends[3])


def test_random_lights() -> None:
    colours = random_light_colours([1, 2], 2000).numpy()
    np.testing.assert_array_equal(colours, random_light_colours([1, 2], 2000))
    assert colours.min() >= 0
    exact = random_light_colours([1, 2], 2000, perturbation=0.0).numpy()
    known = colour_of_temperature(COMMON_LIGHTS).numpy()
    distance = np.abs(exact[:, None] - known).max(-1)
    assert distance.min(axis=1).max() < 1e-6
    counts = np.bincount(distance.argmin(axis=1), minlength=len(known))
    assert counts.min() > 180  # 250 are expected of each
    ratio = (colours / np.where(exact > 0, exact, np.nan)).ravel()
    assert abs(np.nanstd(ratio) - 0.05) < 0.005
