"""The transfer curve of sRGB (IEC 61966-2-1): colours of pictures to linear light and back."""

from __future__ import annotations

import numpy as np


def srgb_to_linear(colours: np.ndarray) -> np.ndarray:
    """Linear light of sRGB-encoded values of any shape, clipped to [0, 1]."""
    colours = np.clip(colours, 0.0, 1.0)
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: np.ndarray) -> np.ndarray:
    """sRGB-encoded values of linear light of any shape, clipped to [0, 1]."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
