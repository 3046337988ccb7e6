import numpy as np

from tfface.rendering.srgb import linear_to_srgb, srgb_to_linear

# 0.5 encodes about a fifth of the light; the two branches meet at 0.04045.
ENCODED, LINEAR = [0, 0.04045, 0.5, 1], [0, 0.0031308, 0.214041, 1]


def test_known_values():
    np.testing.assert_allclose(srgb_to_linear(ENCODED), LINEAR, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(LINEAR), ENCODED, atol=1e-6)


def test_there_and_back():
    colours = np.linspace(0, 1, 256).reshape(16, 16)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(colours)), colours, atol=1e-6)


def test_values_outside_are_clipped():
    np.testing.assert_allclose(srgb_to_linear([-1, 2]), [0, 1])
    np.testing.assert_allclose(linear_to_srgb([-1, 2]), [0, 1])
