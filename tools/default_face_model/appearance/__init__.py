"""The reflectance of the default face model: real skins and a pigment generator, then a PCA."""

from __future__ import annotations

import numpy as np

from default_face_model.appearance import skin_textures
from default_face_model.appearance.basis import principal_components
from default_face_model.appearance.head import FineHead
from default_face_model.appearance.painter import Painter
from default_face_model.appearance.person import draw_person
from default_face_model.appearance.templates import FaceTemplates
from default_face_model.sources import Sources

DRAWS, SAMPLES, MODES = 1500, 768, 80
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
        "albedo_mean" (V, 3), "albedo" (V, 3, 80) scaled to one standard deviation,
        "albedo_samples" (768, 80) coefficients of painted people, in sigmas, and "albedo_held"
        (80,) the fraction of the variance that the first modes hold. Colours are sRGB-encoded.
    """
    rng = np.random.default_rng(seed)
    templates = FaceTemplates(head)
    names, maps = skin_patterns(head, templates, sources)
    painter = Painter(head, maps, rng)
    dark = np.array(["african" in name for name in names])
    colours = np.empty((draws, len(head.vertices), 3), np.float32)
    for i in range(draws):
        colours[i] = painter.paint(draw_person(rng, dark), rng)
    mean, basis, coefficients, held = principal_components(
        colours, importance(head, templates), MODES
    )
    return {
        "albedo_mean": (0.5 * (mean + mean[head.mirror])).astype(np.float32),
        "albedo": basis.astype(np.float32),
        "albedo_samples": coefficients[: min(SAMPLES, draws)].astype(np.float32),
        "albedo_held": held.astype(np.float32),
    }


def skin_patterns(
    head: FineHead, templates: FaceTemplates, sources: Sources
) -> tuple[list[str], np.ndarray]:
    """Returns names and log colour patterns (S, V, 3) of the real skins, without their hair."""
    colours = skin_textures.skins(sources, head.uv)
    bare = templates.front & (templates.lips < 0.1) & (head.eye_distance > 8.0)
    bare &= (templates.place[:, 1] > -70.0) & (templates.place[:, 1] < 90.0)
    names, maps = skin_textures.pigment_maps(colours, bare)
    scalp = templates.hair(forehead=6.0, temples=8.0, sideburns=25.0, nape=15.0)
    keep = head.skin * (1.0 - scalp) * (1.0 - 0.6 * templates.lips)
    return names, PATTERN * maps * keep[:, None]


def importance(head: FineHead, templates: FaceTemplates) -> np.ndarray:
    """Weight (V,) of each vertex in the PCA: its area, most on the face, least where unseen."""
    face = templates.front * (templates.place[:, 1] > -95.0) * (templates.azimuth < 80.0)
    weight = 0.12 + 0.88 * face
    weight = weight * np.where(head.skin, 1.0, 0.3)
    weight = np.where(head.eye_exposed, 4.0, weight)
    return head.areas * weight
