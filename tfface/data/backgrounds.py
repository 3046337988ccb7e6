"""What stands behind drawn faces: procedural textures, or cut-outs of a folder of pictures."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfface.data.distributions import muted_colours
from tfface.data.photos import PhotoError, is_video, iter_inputs, read_photo

CELLS = (3, 9, 28)  # cells of colour noise along a side, coarse to fine
LARGEST_FOLDER = 1000  # pictures that are kept in memory
_ROOM = 1.5  # a picture's side in sides of what is cut out of it, to leave some choice


class Backgrounds:
    """Draws backgrounds; deterministic in its seeds.

    Args:
        size: Side S of the backgrounds, pixels.
        folder: Of pictures; None draws textures alone. At most `LARGEST_FOLDER` of them are used.
        share: Probability that a background comes from the folder.

    Raises:
        PhotoError: the folder holds no picture, or a damaged one.
    """

    def __init__(self, size: int, folder: str | None = None, share: float = 0.0) -> None:
        self.size, self.share = size, share if folder is not None else 0.0
        self._enlarge = [_interpolation(size, cells) for cells in CELLS]
        self.pictures: tf.Tensor | None = None
        if self.share:
            self.pictures = _pictures(str(folder), round(_ROOM * size))

    def __call__(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns `[count, S, S, 3]` float32 in [0, 1]; the seed is `[2]` whole numbers."""
        seeds = tf.unstack(tf.random.split(seed, 3))
        textures = self._textures(count, seeds[0])
        if self.pictures is None:
            return textures
        from_folder = tf.random.stateless_uniform([count, 1, 1, 1], seeds[1]) < self.share
        return tf.where(from_folder, self._cut_outs(self.pictures, count, seeds[2]), textures)

    def _textures(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Colour noise of several scales over stripes or plain colour."""
        seeds = iter(tf.unstack(tf.random.split(seed, 4 + 2 * len(CELLS))))

        def uniform(shape: list[int], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
            return tf.random.stateless_uniform([count, *shape], next(seeds), low, high)

        picture = muted_colours(uniform([1, 1, 4], 0.05, 0.95))
        for enlarge in self._enlarge:
            cells = enlarge.shape[1]
            noise = tf.random.stateless_normal([count, cells, cells, 4], next(seeds))
            noise = 0.8 * noise[..., :1] + 0.2 * noise[..., 1:]
            level = 0.6 / cells**0.5 * uniform([1, 1, 1]) ** 3  # often smooth
            picture += level * tf.einsum("yi,xj,bijc->byxc", enlarge, enlarge, noise)
        ticks = (tf.range(self.size, dtype=tf.float32) + 0.5) / self.size
        angle, waves, phase = tf.unstack(
            uniform([3, 1, 1]) * [[[3.14]], [[40.0]], [[6.28]]], axis=1
        )
        along = tf.cos(angle) * ticks[None, None, :] + tf.sin(angle) * ticks[None, :, None]
        striped = tf.cast(uniform([1, 1, 1]) < 0.3, tf.float32)
        stripes = tf.sin(waves * along + phase)[..., None] * uniform([1, 1, 3], -0.25, 0.25)
        return tf.clip_by_value(picture + striped * stripes, 0.0, 1.0)

    def _cut_outs(self, pictures: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Random squares of random pictures, half of them mirrored."""
        seeds = tf.unstack(tf.random.split(seed, 3))
        numbers = tf.random.stateless_uniform([count], seeds[0], 0, pictures.shape[0], tf.int32)
        side = tf.random.stateless_uniform([count, 1], seeds[1], 1 / _ROOM, 1.0)
        draws = tf.random.stateless_uniform([count, 3], seeds[2])
        corner = draws[:, :2] * (1 - side)
        boxes = tf.concat([corner, corner + side], axis=1)  # y0, x0, y1, x1
        mirrored = tf.gather(boxes, [0, 3, 2, 1], axis=1)
        boxes = tf.where(draws[:, 2:] < 0.5, boxes, mirrored)
        size = [self.size, self.size]
        return tf.image.crop_and_resize(pictures, boxes, numbers, size) / 255.0


def _interpolation(size: int, cells: int) -> tf.Tensor:
    """`[size, cells]` weights that enlarge a line of cells smoothly."""
    lines = tf.image.resize(tf.eye(cells)[..., None], [size, cells], "bicubic")
    return lines[..., 0]


def background_files(folder: str) -> list[Path]:
    """The pictures of a folder that backgrounds are cut out of.

    Raises:
        PhotoError: there is none.
    """
    paths = [path for path in iter_inputs([folder]) if not is_video(path)]
    if not paths:
        raise PhotoError(f"{folder}: expected pictures, got none")
    return paths[:: -(-len(paths) // LARGEST_FOLDER)]


@functools.lru_cache(maxsize=1)  # a training has several streams
def _pictures(folder: str, side: int) -> tf.Tensor:
    """The squares `[N, side, side, 3]` uint8; a tensor, as graphs copy their constants."""
    return tf.convert_to_tensor(np.stack([_square(p, side) for p in background_files(folder)]))


def _square(path: Path, side: int) -> np.ndarray:
    """The middle square of a picture, `(side, side, 3)` uint8."""
    image = read_photo(path)
    short = min(image.shape[:2])
    top, left = (image.shape[0] - short) // 2, (image.shape[1] - short) // 2
    square = image[top : top + short, left : left + short]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
