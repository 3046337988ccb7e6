"""The reflectance of the default face model: real skins and a pigment generator, then a PCA."""

from __future__ import annotations

import numpy as np

from default_face_model.appearance import skin_textures
from default_face_model.appearance.basis import Layer, layered_components
from default_face_model.appearance.head import FineHead
from default_face_model.appearance.painter import Painter
from default_face_model.appearance.person import draw_person
from default_face_model.appearance.templates import FaceTemplates, step
from default_face_model.sources import Sources

DRAWS, SAMPLES = 1500, 768
SKIN_MODES, HAIR_MODES, BEARD_MODES = 58, 10, 12
# Amplitude of the real skins' patterns: some of their light and dark is baked-in shading.
PATTERN = 0.8


def build_albedo(head: FineHead, sources: Sources, seed: int = 0, draws: int = DRAWS) -> dict:
    """Builds the albedo model of the fine mesh.

    Args:
        head: the neutral mean head at the fine level.
        sources: the two CC0 packages.
        seed: the same seed gives the same model.
        draws: number of people painted.

    Returns:
        "albedo_mean" (V, 3), "albedo" (V, 3, 80) scaled to one standard deviation and
        "albedo_samples" (768, 80), coefficients of painted people in sigmas. Colours are
        sRGB-encoded. The modes are those of skin, brows, lips and eyes, then of scalp hair, then of
        facial hair.
    """
    rng = np.random.default_rng(seed)
    templates = FaceTemplates(head)
    names, maps = skin_patterns(head, templates, sources)
    painter = Painter(templates, maps, rng)
    dark = np.array(["african" in name for name in names])
    scalp = np.flatnonzero(templates.hair(25.0, 15.0, 40.0, 40.0) > 0)
    jaw = np.flatnonzero((templates.beard(-25.0) > 0) | (templates.place[:, 1] < -15.0) * head.skin)
    skin = np.empty((draws, len(head.vertices), 3), np.float32)
    hair = np.empty((draws, len(scalp), 3), np.float32)
    beard = np.empty((draws, len(jaw), 3), np.float32)
    for i in range(draws):
        bare, haired, bearded = painter.paint(draw_person(rng, dark), rng)
        skin[i], hair[i] = bare, (haired - bare)[scalp]
        beard[i] = (bearded - haired)[jaw]
    everywhere = np.arange(len(head.vertices))
    mean, basis, coefficients = layered_components(
        [
            Layer(skin, everywhere, SKIN_MODES),
            Layer(hair, scalp, HAIR_MODES, heavy_tails=True),
            Layer(beard, jaw, BEARD_MODES, heavy_tails=True),
        ],
        importance(head, templates),
    )
    return {
        "albedo_mean": (0.5 * (mean + mean[head.mirror])).astype(np.float32),
        "albedo": basis.astype(np.float32),
        "albedo_samples": coefficients[: min(SAMPLES, draws)].astype(np.float32),
    }


def skin_patterns(
    head: FineHead, templates: FaceTemplates, sources: Sources
) -> tuple[list[str], np.ndarray]:
    """Returns names and log colour patterns (S, V, 3) of the real skins, without their hair."""
    colours = skin_textures.skins(sources, head.uv)
    bare = templates.front & (templates.lips < 0.1) & (head.eye_distance > 8.0)
    bare &= (templates.place[:, 1] > -70.0) & (templates.place[:, 1] < 90.0)
    names, maps = skin_textures.pigment_maps(colours, bare)
    scalp = templates.hair(forehead=8.0, temples=10.0, sideburns=20.0, nape=15.0)
    # Beside the face the skins hold sideburns, ears that do not match ours, and the seam.
    keep = head.skin * (1.0 - scalp) * step(64.0 - templates.azimuth, 14.0)
    keep = keep * (1.0 - 0.6 * templates.lips) * step(templates.place[:, 1] + 95.0, 15.0)
    return names, PATTERN * maps * keep[:, None]


def importance(head: FineHead, templates: FaceTemplates) -> np.ndarray:
    """Weight (V,) of each vertex in the PCA: its area, most on the face, least where unseen."""
    face = templates.front * (templates.place[:, 1] > -95.0) * (templates.azimuth < 80.0)
    weight = 0.12 + 0.88 * face
    weight = weight * np.where(head.skin, 1.0, 0.3)
    weight = np.where(head.eye_exposed, 4.0, weight)
    return head.areas * weight
