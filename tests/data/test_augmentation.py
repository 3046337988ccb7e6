"""Augmentation: landmarks move with the pixels, seeds reproduce, zero means untouched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfface.data.augmentation import Augmentation, augment_geometry, augment_photometry
from tfface.data.landmarks import MIRROR

NOTHING = Augmentation()
MOVES = Augmentation(shift=0.06, scale=0.1, rotation=15.0, mirror=0.5)
DOTS = {0: (40.0, 60.0), 16: (100.0, 62.0), 30: (72.5, 75.2), 8: (70.0, 94.4)}


def picture_with_dots() -> tuple[dict[str, tf.Tensor], np.ndarray]:
    """A 144-pixel picture around a crop of 96, and one plane a dot: (144, 144, 4)."""
    y, x = np.mgrid[:144, :144] + 0.5
    planes = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / 18) for u, v in DOTS.values()]
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[list(DOTS)] = list(DOTS.values())
    example = {
        "landmarks": tf.constant(landmarks),
        "confidence": tf.range(68, dtype=tf.float32) / 68,
    }
    return example, np.stack(planes, axis=2).astype(np.float32)


def moved_dots(seed: int, settings: Augmentation, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the dots' pixels went, and where the landmarks say, in the order of `DOTS`."""
    example, planes = picture_with_dots()
    y, x = np.mgrid[:size, :size] + 0.5
    seen = []
    for plane in np.moveaxis(planes, 2, 0):
        image = tf.constant(np.repeat(plane[..., None], 3, axis=2))
        found = augment_geometry({**example, "image": image}, [seed, 7], settings, 96.0, size)
        weights = found["image"].numpy()[..., 0] ** 2
        seen.append([(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()])
    order = list(DOTS)
    if (found["confidence"].numpy() != example["confidence"].numpy()).any():
        np.testing.assert_array_equal(found["confidence"], example["confidence"].numpy()[MIRROR])
        order = [int(np.flatnonzero(index == MIRROR)[0]) for index in order]
    return np.array(seen), found["landmarks"].numpy()[order]


@pytest.mark.parametrize("size", [96, 120])
def test_landmarks_move_with_the_pixels(size: int) -> None:
    mirrored = 0
    for seed in range(6):
        seen, told = moved_dots(seed, MOVES, size)
        assert np.abs(seen - told).max() < 0.15
        mirrored += int(told[0, 0] > told[1, 0])
    assert 0 < mirrored < 6


def test_without_moves_the_middle_is_cut_out() -> None:
    example, planes = picture_with_dots()
    image = tf.constant(planes[..., :3])
    found = augment_geometry({**example, "image": image}, [1, 2], NOTHING, 96.0, 96)
    np.testing.assert_allclose(found["image"], planes[24:-24, 24:-24, :3], atol=1e-5)
    np.testing.assert_allclose(found["landmarks"], example["landmarks"] - 24, atol=1e-4)


@pytest.fixture(scope="module")
def picture() -> tf.Tensor:
    y, x = np.mgrid[:64, :64] / 64
    wave = 0.5 + 0.4 * np.sin(9 * x + 5 * y)
    return tf.constant(np.stack([wave, 0.8 * x, 0.3 + 0.4 * y], 2), tf.float32)


def test_photometry_of_nothing_is_nothing(picture: tf.Tensor) -> None:
    found = augment_photometry({"image": picture, "code": tf.ones(3)}, [0, 1], NOTHING)
    np.testing.assert_array_equal(found["image"], picture)
    np.testing.assert_array_equal(found["code"], np.ones(3))


STRONG = Augmentation(colour=1.0, blur=2.0, noise=0.1, jpeg=1.0, occlusion=1.0)


@pytest.mark.parametrize("name", ["occlusion", "colour", "blur", "noise", "jpeg"])
def test_each_photometric_change(name: str, picture: tf.Tensor) -> None:
    settings = replace(NOTHING, **{name: getattr(STRONG, name)})
    function = tf.function(lambda seed: augment_photometry({"image": picture}, seed, settings))
    results = [function(tf.constant([3, i]))["image"].numpy() for i in range(12)]
    for result in results:
        assert result.shape == (64, 64, 3)
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1
    changed = [not np.allclose(result, picture, atol=2e-3) for result in results]
    assert sum(changed) >= 2
    assert all(changed) or name in ("blur", "noise", "occlusion")
    again = function(tf.constant([3, 5]))["image"].numpy()
    np.testing.assert_array_equal(again, results[5])


def test_seeds_decide(picture: tf.Tensor) -> None:
    def change(seed: list[int]) -> np.ndarray:
        return augment_photometry({"image": picture}, seed, STRONG)["image"].numpy()

    np.testing.assert_array_equal(change([8, 1]), change([8, 1]))
    assert (change([8, 1]) != change([8, 2])).any()


def test_blur_keeps_the_mean_and_removes_detail(picture: tf.Tensor) -> None:
    from tfface.data.augmentation import _gaussian_blur

    noise = tf.random.stateless_uniform([64, 64, 3], [1, 1])
    blurred = _gaussian_blur(noise, tf.constant(2.0)).numpy()
    assert blurred.mean() == pytest.approx(noise.numpy().mean(), abs=0.01)
    # White noise through a Gaussian: the deviation falls by 2 sigma sqrt(pi).
    assert blurred.std() == pytest.approx(noise.numpy().std() / (4 * np.sqrt(np.pi)), rel=0.15)
