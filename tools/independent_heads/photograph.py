"""Photo-like pictures of the test heads: perspective, coloured light, shadow, gloss, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import tensorflow as tf

from independent_heads.heads import HeadTopology, IndependentHead, pose
from independent_heads.painting import (
    Palette,
    draw_palette,
    hair_amount,
    paint_eyes,
    paint_hair,
    paint_skin,
)
from tfface.rendering.normals import MeshTopology, vertex_normals
from tfface.rendering.rasterize import interpolate, rasterize
from tfface.rendering.srgb import linear_to_srgb

SUPERSAMPLING = 2
HEAD_HEIGHT = 250.0  # mm from crown to chin, hair included
SHADOW_SIZE, SHADOW_FOCAL, LIGHT_DISTANCE = 512, 1000.0, 1500.0  # px, px, mm


@dataclass(frozen=True, eq=False)
class Scene:
    """Light, camera and background of one picture.

    Attributes:
        distance: mm from the camera to the head.
        height: Of the head, as a fraction of the picture.
        shift: `(2,)` of the head's centre, as fractions of the picture.
        light: `(3,)` unit direction towards the key light, camera space.
        key, ambient, sky: `(3,)` linear colours.
        gloss: Strength of the highlight.
        background: `(2, 3)` linear colours, above and below.
        clothes: `(3,)` linear.
        blur: Pixels, standard deviation.
        noise: Of sRGB values, standard deviation.
    """

    distance: float
    height: float
    shift: np.ndarray
    light: np.ndarray
    key: np.ndarray
    ambient: np.ndarray
    sky: np.ndarray
    gloss: float
    background: np.ndarray
    clothes: np.ndarray
    blur: float
    noise: float


def draw_scene(random: np.random.Generator) -> Scene:
    """Draws a portrait's circumstances."""
    light = np.array([random.uniform(-0.8, 0.8), random.uniform(0.1, 0.8), 1.0])
    tint = lambda: np.exp(0.06 * random.standard_normal(3))  # noqa: E731
    strength = random.uniform(0.5, 1.0)
    return Scene(
        distance=random.uniform(800, 1600),
        height=random.uniform(0.55, 0.68),
        shift=random.uniform(-0.04, 0.04, 2),
        light=light / np.linalg.norm(light),
        key=strength * tint(),
        ambient=random.uniform(0.25, 0.45) * tint(),
        sky=random.uniform(0.1, 0.3) * tint(),
        gloss=random.uniform(0.02, 0.07),
        background=random.uniform(0.03, 0.7) * np.exp(0.15 * random.standard_normal((2, 3))),
        clothes=0.3 * random.uniform(0.03, 1, 3),
        blur=random.uniform(0.5, 0.9),
        noise=random.uniform(0.006, 0.016),
    )


def photograph(head: IndependentHead, yaw: float, size: int = 480) -> np.ndarray:
    """Takes the picture of a head; the same head and yaw give the same picture.

    Args:
        head: The head.
        yaw: Degrees; positive turns the face to the picture's right.
        size: Side of the picture, pixels.

    Returns:
        `(size, size, 3)` uint8, sRGB.
    """
    palette = draw_palette(np.random.default_rng([head.seed, 0]))
    random = np.random.default_rng([head.seed, 1, round(yaw) % 360])
    scene = draw_scene(random)
    pitch, roll = random.normal(0, 4), random.normal(0, 3)
    fine = size * SUPERSAMPLING
    surface = _look(head, palette, scene, (yaw, pitch, roll), fine)
    picture = _backdrop(scene, random, fine)
    picture[surface.mask] = _shade(surface, head.topology, palette, scene)
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    picture = cv2.GaussianBlur(picture, (0, 0), scene.blur)
    encoded = linear_to_srgb(picture) + scene.noise * random.standard_normal(picture.shape)
    return np.round(255 * np.clip(encoded, 0, 1)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Surface:
    """What the N covered pixels see: mask `(H, W)`, the rest `(N, ...)`."""

    mask: np.ndarray
    places: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    lit: np.ndarray


def _look(
    head: IndependentHead,
    palette: Palette,
    scene: Scene,
    angles: tuple[float, float, float],
    size: int,
) -> _Surface:
    topology = head.topology
    mesh = MeshTopology(topology.triangles, len(head.vertices))
    hair = hair_amount(topology.neutral, topology, palette) * topology.skin
    bald = vertex_normals(tf.constant(head.vertices[None]), mesh)[0].numpy()
    tufts = 1 + 0.12 * palette.noise["mottle"](topology.neutral)
    shape = head.vertices + (11 * hair * tufts)[:, None] * bald
    centre = np.array([0.0, head.landmarks[8, 1] + HEAD_HEIGHT / 2, 30.0])
    focal = scene.height * size * scene.distance / HEAD_HEIGHT
    camera = pose(shape - centre, *angles) - [0, 0, scene.distance]
    normals = vertex_normals(tf.constant(camera[None]), mesh)[0].numpy()
    lit = _shadow(camera, topology.triangles, scene)

    principal = size * (0.5 + scene.shift)
    vertices = tf.constant(camera[None], tf.float32)
    hit = rasterize(vertices, topology.triangles, focal, principal, size, size)
    flags = np.stack([topology.skin, hair, lit], -1)
    attributes = np.concatenate([topology.neutral, camera, normals, flags], -1)
    seen = interpolate(tf.constant(attributes[None], tf.float32), hit, topology.triangles)[0]
    mask = hit.mask[0].numpy()
    values = seen.numpy()[mask].astype(np.float64)
    normals = values[:, 6:9] / np.maximum(np.linalg.norm(values[:, 6:9], axis=1), 1e-9)[:, None]
    skin, hair, lit = values[:, 9] > 0.5, values[:, 10], values[:, 11]
    return _Surface(mask, values[:, :3], values[:, 3:6], normals, skin, hair, lit)


def _shadow(camera: np.ndarray, triangles: np.ndarray, scene: Scene) -> np.ndarray:
    """Share of the key light that reaches each vertex, `(V,)`: a softened shadow map."""
    axis = scene.light
    right = np.cross([0, 1, 0], axis)
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(axis, right), axis])
    seen = (camera - camera.mean(0)) @ frame.T - [0, 0, LIGHT_DISTANCE]
    centre = SHADOW_SIZE / 2
    hit = rasterize(
        tf.constant(seen[None], tf.float32), triangles, SHADOW_FOCAL, (centre, centre),
        SHADOW_SIZE, SHADOW_SIZE,
    )  # fmt: skip
    depth = np.where(hit.mask[0], hit.depth[0], 1e9)
    pixels = np.stack([seen[:, 0], -seen[:, 1]], -1) * SHADOW_FOCAL / -seen[:, 2:] + centre
    lit = np.zeros(len(camera))
    offsets = [(dx, dy) for dx in range(-4, 5, 2) for dy in range(-4, 5, 2)]
    for offset in offsets:
        column, row = np.clip((pixels + offset).astype(int), 0, SHADOW_SIZE - 1).T
        lit += depth[row, column] > -seen[:, 2] - 6.0
    return lit / len(offsets)


def _shade(surface: _Surface, topology: HeadTopology, palette: Palette, scene: Scene) -> np.ndarray:
    """Linear colours `(N, 3)` of the covered pixels."""
    albedo = np.empty_like(surface.places)
    skin = surface.skin
    albedo[skin] = paint_skin(surface.places[skin], topology, palette)
    albedo[~skin] = paint_eyes(surface.places[~skin], topology, palette)
    hair = np.clip(2 * surface.hair - 0.3, 0, 1)[:, None]
    albedo = albedo * (1 - hair) + hair * paint_hair(surface.places, palette)

    normals = surface.normals
    towards = -surface.points / np.linalg.norm(surface.points, axis=1, keepdims=True)
    half = towards + scene.light
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    direct = np.clip(0.9 * normals @ scene.light + 0.1, 0, None) * surface.lit
    above = 0.5 + 0.5 * normals[:, 1:2]
    light = direct[:, None] * scene.key + scene.ambient + above * scene.sky
    sharpness = np.where(skin, 18.0, 160.0)
    strength = np.where(skin, scene.gloss * (1 - 0.7 * hair[:, 0]), 0.8) * surface.lit
    highlight = strength * np.clip((normals * half).sum(1), 0, 1) ** sharpness
    under_jaw = np.clip(
        (topology.neutral[topology.landmarks[8], 1] - surface.places[:, 1]) / 40, 0, 1
    )
    light *= 1 - 0.55 * under_jaw[:, None]
    return albedo * light + highlight[:, None] * scene.key


def _backdrop(scene: Scene, random: np.random.Generator, size: int) -> np.ndarray:
    """A blurred background with shoulders, `(size, size, 3)` linear float."""
    down = np.linspace(0, 1, size)[:, None, None]
    picture = scene.background[0] * (1 - down) + scene.background[1] * down
    coarse = np.exp(
        0.25 * random.standard_normal((6, 6, 1)) + 0.06 * random.standard_normal((6, 6, 3))
    )
    picture = picture * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[0:size, 0:size] / size
    centre = 0.5 + scene.shift[0]
    shoulder = 0.80 + scene.shift[1] + 1.2 * np.abs(columns - centre) ** 2.2
    edge = np.clip((rows - shoulder) * 60, 0, 1)[..., None]
    folds = cv2.resize(np.exp(0.3 * random.standard_normal((9, 9))), (size, size))[..., None]
    return np.clip(picture * (1 - edge) + edge * scene.clothes * folds, 0, 1)
