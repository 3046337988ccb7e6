"""One detector and one photo of a face for all tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.data.detection import DetectedFace, FaceDetector


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A public-domain photo, (512, 512, 3) uint8, with one face about 100 pixels wide."""
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="session")
def face(detector: FaceDetector, astronaut: np.ndarray) -> DetectedFace:
    return detector.detect(astronaut)[0]
