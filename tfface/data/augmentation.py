"""Random changes to training crops: pure TensorFlow functions of an example and a seed.

An example is a dict with `image` (H, W, 3) float32 in [0, 1] and, for the geometric part,
`landmarks` (68, 2) in pixels of the image and `confidence` (68,). Seeds are (2,) int tensors: the
same seed gives the same change, wherever and whenever it is computed. Synthetic faces, whose pose
is known, take the photometric part only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from tfface.data.landmarks import MIRROR

Example = dict[str, tf.Tensor]

_GREY = (0.299, 0.587, 0.114)
_PART_CHANGED = 0.4  # Of the pictures get noise, and as many get blur.


@dataclass(frozen=True)
class Augmentation:
    """How far crops may change; a zero switches a change off.

    Attributes:
        shift: largest shift along x and y, a fraction of the crop's side.
        scale: largest change of size, a fraction.
        rotation: largest in-plane rotation in degrees.
        mirror: probability of mirroring.
        colour: strength in [0, 1] of changes to gain, gamma, brightness, contrast, saturation.
        blur: largest sigma in pixels; half of the blurred pictures lose resolution instead.
        noise: largest standard deviation of Gaussian noise, in [0, 1] of the colour range.
        jpeg: probability of JPEG compression at quality 25 to 90.
        occlusion: probability of a rectangle or ellipse of colour or noise over the picture.
    """

    shift: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0
    mirror: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    occlusion: float = 0.0


def augment_geometry(
    example: Example, seed: tf.Tensor, settings: Augmentation, crop: tf.Tensor | float, size: int
) -> Example:
    """The middle of a picture, turned, scaled, shifted and perhaps mirrored, with its landmarks.

    Args:
        example: `image`, `landmarks`, `confidence`; the image holds a margin around the crop, so
            that what a turn brings in is real (1.5 times the crop is enough for 15 degrees).
        seed: (2,) int.
        settings: shift, scale, rotation and mirror are used.
        crop: side of the crop in pixels of the picture.
        size: side of the result in pixels; much less than `crop` would alias.
    """
    image = example["image"]
    moves = tf.random.stateless_uniform([5], seed, -1.0, 1.0)
    angle = moves[0] * settings.rotation * (math.pi / 180)
    scale = (1 + settings.scale) ** moves[1] * crop / size
    flip = tf.where(moves[4] * 0.5 + 0.5 < settings.mirror, -1.0, 1.0)
    # Maps crop pixels to picture pixels, both counted from their centres.
    linear = scale * tf.stack([[tf.cos(angle), -tf.sin(angle)], [tf.sin(angle), tf.cos(angle)]])
    linear *= tf.stack([flip, 1.0])
    centre = tf.cast(tf.shape(image)[1::-1], tf.float32) / 2 + moves[2:4] * settings.shift * crop
    corner = centre - tf.linalg.matvec(linear, [size / 2, size / 2])
    landmarks = tf.linalg.matvec(tf.linalg.inv(linear), example["landmarks"] - corner)
    mirrored = flip < 0
    order = tf.where(mirrored, tf.constant(MIRROR), tf.range(68, dtype=tf.int64))
    return {
        **example,
        "image": _sample(image, linear, corner, size),
        "landmarks": tf.gather(landmarks, order),
        "confidence": tf.gather(example["confidence"], order),
    }


def augment_photometry(example: Example, seed: tf.Tensor, settings: Augmentation) -> Example:
    """The example with a picture as another camera, light and file would have given it.

    Args:
        example: any dict with `image` (H, W, 3); the other entries pass through.
        seed: (2,) int.
        settings: colour, blur, noise, jpeg and occlusion are used.
    """
    image = example["image"]
    steps = (
        (_occlude, settings.occlusion),
        (_recolour, settings.colour),
        (_soften, settings.blur),
        (_add_noise, settings.noise),
        (_compress, settings.jpeg),
    )
    for index, (step, strength) in enumerate(steps):
        if strength > 0:
            image = step(image, _fold(seed, index), strength)
    return {**example, "image": image}


def _sample(image: tf.Tensor, linear: tf.Tensor, corner: tf.Tensor, size: int) -> tf.Tensor:
    """The crop whose pixel p shows the image at `linear p + corner`, bilinear, edges repeated."""
    # The op counts from pixel centres; `tfface` from the corner of the picture.
    offset = corner + tf.linalg.matvec(linear, [0.5, 0.5]) - 0.5
    rows = tf.concat([linear, offset[:, None]], axis=1)
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=tf.concat([tf.reshape(rows, [1, 6]), tf.zeros([1, 2])], axis=1),
        output_shape=[size, size],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    return tf.ensure_shape(warped[0], [size, size, 3])


def _recolour(image: tf.Tensor, seed: tf.Tensor, strength: float) -> tf.Tensor:
    """White balance, gamma, brightness, contrast and saturation; rarely grey altogether."""
    moves = strength * tf.random.stateless_uniform([7], seed, -1.0, 1.0)
    chance = tf.random.stateless_uniform([], _fold(seed, 1))
    image = tf.maximum(image, 1e-4) ** (1.8 ** moves[0])
    gain, contrast = 1 + 0.25 * moves[1:4], 1 + 0.4 * moves[5]
    saturation = tf.where(chance < 0.1 * strength, 0.0, 1 + 0.6 * moves[6])
    to_grey = tf.tile(tf.constant(_GREY)[:, None], [1, 3])
    mix = tf.linalg.diag(gain) @ (to_grey + saturation * (tf.eye(3) - to_grey))
    mean = tf.linalg.matvec(mix, tf.reduce_mean(image, axis=(0, 1)), transpose_a=True)
    # All but gamma is one affine map of colours, which costs a pass over the picture, not ten.
    colours = tf.reshape(image, [-1, 3]) @ (contrast * mix)
    colours = tf.nn.bias_add(colours, (1 - contrast) * mean + 0.15 * moves[4])
    return tf.clip_by_value(tf.reshape(colours, tf.shape(image)), 0.0, 1.0)


def _soften(image: tf.Tensor, seed: tf.Tensor, largest: float) -> tf.Tensor:
    """Gaussian blur, or the loss of resolution of a small photo."""
    chance, amount = tf.unstack(tf.random.stateless_uniform([2], seed))
    sigma = tf.maximum(amount * largest, 0.1)
    return tf.switch_case(
        tf.cast(chance < _PART_CHANGED, tf.int32) + tf.cast(chance < _PART_CHANGED / 2, tf.int32),
        [
            lambda: image,
            lambda: _gaussian_blur(image, sigma),
            lambda: _lose_resolution(image, 1 + 2 * sigma),
        ],
    )


def _gaussian_blur(image: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Separable Gaussian blur of a square picture, as a product with a matrix on either side."""
    ticks = tf.range(tf.cast(tf.shape(image)[0], tf.float32))
    matrix = tf.nn.softmax(-(((ticks[:, None] - ticks) / sigma) ** 2) / 2)
    planes = matrix @ tf.transpose(image, [2, 0, 1])
    return tf.transpose(tf.matmul(planes, matrix, transpose_b=True), [1, 2, 0])


def _lose_resolution(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """The picture shrunk by a factor and enlarged again."""
    full = tf.shape(image)[:2]
    small = tf.maximum(tf.cast(tf.cast(full, tf.float32) / factor, tf.int32), 8)
    shrunk = tf.image.resize(image, small, antialias=True)
    return tf.ensure_shape(tf.image.resize(shrunk, full), image.shape)


def _add_noise(image: tf.Tensor, seed: tf.Tensor, largest: float) -> tf.Tensor:
    """Gaussian noise, independent of the colour."""
    chance, amount = tf.unstack(tf.random.stateless_uniform([2], seed))

    def noisy() -> tf.Tensor:
        noise = tf.random.stateless_normal(tf.shape(image), _fold(seed, 1))
        return tf.clip_by_value(image + amount * largest * noise, 0.0, 1.0)

    return tf.cond(chance < _PART_CHANGED, noisy, lambda: image)


def _compress(image: tf.Tensor, seed: tf.Tensor, probability: float) -> tf.Tensor:
    """JPEG compression at a random quality."""
    return tf.cond(
        tf.random.stateless_uniform([], seed) < probability,
        lambda: tf.ensure_shape(
            tf.image.stateless_random_jpeg_quality(image, 25, 90, _fold(seed, 1)), image.shape
        ),
        lambda: image,
    )


def _occlude(image: tf.Tensor, seed: tf.Tensor, probability: float) -> tf.Tensor:
    """A turned rectangle or ellipse of one colour or of noise, anywhere on the picture."""
    return tf.cond(
        tf.random.stateless_uniform([], seed) < probability,
        lambda: _cover(image, _fold(seed, 1)),
        lambda: image,
    )


def _cover(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`_occlude` when it happens: half axes of 5 to 25 % of the picture's sides."""
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    draw = tf.random.stateless_uniform([7], seed)
    y, x = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    x, y = x + 0.5 - draw[0] * width, y + 0.5 - draw[1] * height
    cos, sin = tf.cos(draw[2] * math.pi), tf.sin(draw[2] * math.pi)
    along = (x * cos + y * sin) / (width * (0.05 + 0.2 * draw[3]))
    across = (y * cos - x * sin) / (height * (0.05 + 0.2 * draw[4]))
    ellipse, rectangle = along**2 + across**2, tf.maximum(tf.abs(along), tf.abs(across))
    hidden = tf.where(draw[5] < 0.5, ellipse, rectangle) < 1
    noise = tf.random.stateless_uniform(tf.shape(image), _fold(seed, 1))
    colour = tf.random.stateless_uniform([3], _fold(seed, 2))
    return tf.where(hidden[..., None], tf.where(draw[6] < 0.25, noise, colour), image)


def _fold(seed: tf.Tensor, index: int) -> tf.Tensor:
    """Another seed, one for every index."""
    return tf.random.experimental.stateless_fold_in(seed, index)
