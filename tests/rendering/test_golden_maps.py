"""Depth, normals and PNCC of the default face model, which people have looked at."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.rendering.golden_maps import FOLDER, golden_maps


@pytest.mark.slow
def test_maps_of_the_default_face() -> None:
    """Rounding may move a value by one level, and a pixel on an edge to a neighbour."""
    for name, picture in golden_maps().items():
        golden = cv2.imread(str(FOLDER / f"default_face_{name}.png"), cv2.IMREAD_UNCHANGED)
        golden = golden if golden.ndim == 2 else golden[..., ::-1]
        assert golden.shape == picture.shape
        assert (np.abs(golden.astype(int) - picture) > 1).mean() < 0.001, name
