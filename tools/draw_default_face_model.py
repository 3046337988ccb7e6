"""Draws a sheet of random people of a face model: `python tools/draw_default_face_model.py`.

Each of the 24 people is drawn at one standard deviation, seen from the front and turned by 35
degrees; those of the lower half wear an expression. Look at the sheet after every change of the
default face model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.load import load_face_model
from tfface.morphable.model import MorphableModel
from tfface.rendering.rasterize import interpolate, rasterize

PEOPLE, PER_ROW, SIZE = 24, 4, 200
TURN = np.radians(35.0)
# Soft light from above and the front right, in SH coefficients.
LIGHT = np.array([2.3, 0.35, 0.7, -0.3, 0, 0, 0, 0, 0], np.float32)
GREY = 0.3


def draw_sheet(model: MorphableModel, seed: int) -> np.ndarray:
    """Returns the sheet, `(H, W, 3)` uint8 RGB."""
    random = np.random.default_rng(seed)
    decoder = FaceDecoder.of_model(model, 2 * SIZE)
    people = [_draw_person(model, decoder, random, i >= PEOPLE // 2) for i in range(PEOPLE)]
    rows = [np.hstack(people[i : i + PER_ROW]) for i in range(0, PEOPLE, PER_ROW)]
    return np.vstack(rows)


def _draw_person(
    model: MorphableModel, decoder: FaceDecoder, random: np.random.Generator, expressive: bool
) -> np.ndarray:
    """One person from the front and turned, side by side."""
    identity = random.standard_normal(model.identity.shape[-1])
    albedo = random.standard_normal(model.albedo.shape[-1])
    expression = np.zeros(model.expression.shape[-1])
    if expressive and model.expression_samples is not None and len(model.expression_samples):
        expression = random.choice(model.expression_samples)
    farther = np.multiply(decoder.initial_translation, (1.0, 1.0, 1.2))
    parts = {
        "identity": np.tile(identity, (2, 1)),
        "expression": np.tile(expression, (2, 1)),
        "albedo": np.tile(albedo, (2, 1)),
        "rotation": np.array([[0.0, 0.0, 0.0], [0.0, TURN, 0.0]]),
        "translation": np.tile(farther, (2, 1)),
        "illumination": np.tile(LIGHT[None, :, None], (2, 1, 3)),
    }
    face = decoder({name: tf.constant(part, tf.float32) for name, part in parts.items()})
    size, triangles = decoder.image_size, tf.constant(model.triangles)
    focal, centre = decoder.focal_length * size, (size / 2, size / 2)
    hit = rasterize(face["points"], triangles, focal, centre, size, size)
    pictures = interpolate(face["colours"], hit, triangles).numpy()
    pictures[~hit.mask.numpy()] = GREY
    pair = (255 * np.hstack(list(pictures.clip(0, 1)))).astype(np.uint8)
    return cv2.resize(pair, (2 * SIZE, SIZE), interpolation=cv2.INTER_AREA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--face-model", default="default", help="a file, or `default`")
    parser.add_argument("--output", type=Path, default=Path("docs/pictures/default_face_model.png"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sheet = draw_sheet(load_face_model(options.face_model), options.seed)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.output), sheet[..., ::-1])
    print(options.output)


if __name__ == "__main__":
    main()
