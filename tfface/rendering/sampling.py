"""Reading images at fractional pixel positions."""

from __future__ import annotations

import tensorflow as tf


def sample_bilinear(images: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Bilinear interpolation between pixel centres, clamped at the border: I(u) of eq. (8).

    Differentiable in the positions (piecewise: the gradient is the local slope of the image, and
    zero along an axis on which the position lies outside of the outermost pixel centres) and in the
    images. The scatter of the image gradient is only computed where something upstream asks for it.

    Args:
        images: `[B, H, W, C]` floating.
        pixels: `[B, N, 2]` positions (x, y); the centre of the top-left pixel is (0.5, 0.5).

    Returns:
        `[B, N, C]` of the images' dtype.
    """
    images, pixels = tf.convert_to_tensor(images), tf.convert_to_tensor(pixels)
    texels, x_weight, y_weight = _texels(images, pixels)
    above = texels[0] + x_weight * (texels[1] - texels[0])
    below = texels[2] + x_weight * (texels[3] - texels[2])
    sampled = above + y_weight * (below - above)
    return tf.ensure_shape(sampled, pixels.shape[:-1].concatenate(images.shape[-1:]))


def bilinear_slopes(images: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """The derivative of `sample_bilinear` by the position, `[B, N, C, 2]`: dI / du.

    Args:
        images, pixels: As of `sample_bilinear`.
    """
    images, pixels = tf.convert_to_tensor(images), tf.convert_to_tensor(pixels)
    texels, x_weight, y_weight = _texels(images, pixels)
    above, below = texels[1] - texels[0], texels[3] - texels[2]
    left, right = texels[2] - texels[0], texels[3] - texels[1]
    slopes = [above + y_weight * (below - above), left + x_weight * (right - left)]
    size = tf.cast(tf.shape(images)[2:0:-1], pixels.dtype)  # width, height
    between = (pixels > 0.5) & (pixels < size - 0.5)  # outside of it positions are clamped
    return tf.stack(slopes, axis=-1) * tf.cast(between, images.dtype)[..., None, :]


def inside_image(pixels: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """True where a `[..., 2]` position (x, y) lies on the image, [0, W] x [0, H]: `[...]` bool."""
    size = tf.cast(tf.stack([width, height]), pixels.dtype)
    return tf.reduce_all((pixels >= 0) & (pixels <= size), axis=-1)


def _texels(images: tf.Tensor, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The four texels around positions, `[4, B, N, C]`, and their weights `[B, N, 1]` in x, y."""
    batch, height, width, channels = tf.unstack(tf.shape(images))
    left, right, x_weight = _neighbours(pixels[..., 0], width)
    top, bottom, y_weight = _neighbours(pixels[..., 1], height)
    first_row = tf.range(batch)[:, None] * height
    upper, lower = (first_row + top) * width, (first_row + bottom) * width
    corners = tf.stack([upper + left, upper + right, lower + left, lower + right])  # (4, B, N)
    texels = tf.gather(tf.reshape(images, [-1, channels]), corners)
    x_weight, y_weight = (tf.cast(w, images.dtype)[..., None] for w in (x_weight, y_weight))
    return texels, x_weight, y_weight


def _neighbours(position: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Indices of the two pixel centres around a coordinate, and the weight of the second."""
    last = tf.cast(size - 1, position.dtype)
    position = tf.clip_by_value(position - 0.5, tf.zeros_like(last), last)
    first = tf.minimum(tf.floor(position), tf.maximum(last - 1, 0))  # a cell at the far border too
    weight = position - tf.stop_gradient(first)
    index = tf.cast(first, tf.int32)
    return index, tf.minimum(index + 1, size - 1), weight
