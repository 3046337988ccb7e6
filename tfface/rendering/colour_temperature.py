"""The colour of lamps and skies: from a temperature in kelvin to linear sRGB."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

COOLEST, HOTTEST = 1667.0, 25000.0  # kelvin, the range of the approximation
# CIE xy of the Planckian locus as cubic polynomials (Kim et al. 2002): x of 1000 / T on two
# pieces, y of x on three, highest power first.
_X = ((-0.2661239, -0.2343589, 0.8776956, 0.179910), (-3.0258469, 2.1070379, 0.2226347, 0.240390))
_Y = (
    (-1.1063814, -1.34811020, 2.18555832, -0.20219683),
    (-0.9549476, -1.37418593, 2.09137015, -0.16748867),
    (3.0817580, -5.87338670, 3.75112997, -0.37001483),
)
_X_PIECE, _Y_PIECES = 4000.0, (2222.0, 4000.0)  # kelvin where the pieces meet
# IEC 61966-2-1: linear sRGB of CIE XYZ.
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def colour_of_temperature(kelvin: tf.Tensor) -> tf.Tensor:
    """Linear sRGB of a black body, its largest channel 1.

    The Planckian locus in CIE xy by Kim et al.'s cubic splines ("Color Temperature Conversion
    System", US patent 7024034), within 0.001 of the locus; 6500 K is nearly white.

    Args:
        kelvin: `[...]` temperatures; outside of 1667 to 25000 the nearest end counts.

    Returns:
        `[..., 3]` in [0, 1]; channels that sRGB would have negative are 0.
    """
    kelvin = tf.clip_by_value(tf.convert_to_tensor(kelvin, tf.float32), COOLEST, HOTTEST)
    x_cool, x_hot = (tf.math.polyval(list(c), 1000.0 / kelvin) for c in _X)
    x = tf.where(kelvin < _X_PIECE, x_cool, x_hot)
    y_low, y_middle, y_high = (tf.math.polyval(list(c), x) for c in _Y)
    y = tf.where(kelvin < _Y_PIECES[0], y_low, tf.where(kelvin < _Y_PIECES[1], y_middle, y_high))
    xyz = tf.stack([x / y, tf.ones_like(x), (1.0 - x - y) / y], axis=-1)
    rgb = tf.nn.relu(tf.linalg.matvec(tf.constant(_XYZ_TO_RGB, tf.float32), xyz))
    return rgb / tf.reduce_max(rgb, axis=-1, keepdims=True)


# Approximations of common light sources, kelvin: candle, bulb, warm and cool fluorescent lamps,
# flash and noon sun, daylight, overcast sky, shade.
COMMON_LIGHTS = (1900.0, 2700.0, 3200.0, 4200.0, 5500.0, 6500.0, 7500.0, 10000.0)


def random_light_colours(seed: tf.Tensor, count: int, perturbation: float = 0.05) -> tf.Tensor:
    """Colours of random light sources, perturbed against overfitting (Genova et al., section 3.3).

    The paper names neither the sources nor the perturbation; here the sources are
    `COMMON_LIGHTS`, equally likely, and each channel is scaled by 1 + perturbation * normal.

    Args:
        seed: `[2]` int.
        count: how many.
        perturbation: relative standard deviation of each channel.

    Returns:
        `[count, 3]` linear sRGB, not negative, about 1 in the largest channel.
    """
    pick = tf.random.stateless_uniform([count], seed, 0, len(COMMON_LIGHTS), tf.int32)
    colours = colour_of_temperature(tf.gather(tf.constant(COMMON_LIGHTS), pick))
    other = tf.random.experimental.stateless_fold_in(seed, 1)
    noise = tf.random.stateless_normal([count, 3], other)
    return tf.nn.relu(colours * (1.0 + perturbation * noise))
