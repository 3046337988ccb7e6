"""The square crop of a face that every network sees, shared to the pixel by training and inference.

A box is `[x0, y0, x1, y1]` in pixels of the image it lies in: floats, square, axis aligned, free to
leave the image. Pixels follow `tfface`'s conventions: x right, y down, the centre of the top-left
pixel at (0.5, 0.5); so the box `[0, 0, W, W]` is a whole `W`-pixel-wide square image.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image

# The crop's side in units of the landmarks' largest standard deviation, and how far its centre lies
# above the landmarks', in sides: hair line to chin then fill the middle 73 % of the height.
SIDE_PER_DEVIATION = 5.7
RISE = 0.06
CROP_RULE = f"principal deviation x {SIDE_PER_DEVIATION}, rise {RISE}"  # For manifests.
EYES, MOUTH = slice(36, 48), slice(48, 60)
_CUBIC_SUPPORT = 2  # Source pixels that the cubic filter reaches on each side, when not shrinking.


def crop_box(landmarks: np.ndarray) -> np.ndarray:
    """The square crop of a face from its 68 landmarks.

    The side is proportional to the landmarks' standard deviation along their principal axis, which
    neither tilts with the head nor shrinks when it turns or nods (the other axis does). The centre
    is that of the landmarks' bounding box in the frame of the face (up = from mouth to eyes),
    raised towards the forehead.

    Args:
        landmarks: (68, 2) iBUG points in pixels of the image.

    Returns:
        (4,) float64 box `[x0, y0, x1, y1]`.

    Raises:
        ValueError: landmarks of another shape, not finite, or all in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"landmarks: expected (68, 2) finite numbers, got shape {points.shape}")
    deviation = math.sqrt(max(np.linalg.eigvalsh(np.cov(points.T, bias=True))[-1], 0.0))
    up = points[EYES].mean(0) - points[MOUTH].mean(0)
    height = float(np.linalg.norm(up))
    if deviation <= 0 or height <= 0:
        raise ValueError("landmarks: expected 68 points spread over a face, got a single place")
    up /= height
    frame = np.stack([[-up[1], up[0]], -up])  # Rows: the face's right-hand and downward directions.
    local = points @ frame.T
    side = SIDE_PER_DEVIATION * deviation
    centre = frame.T @ ((local.min(0) + local.max(0)) / 2) + RISE * side * up
    return np.concatenate([centre - side / 2, centre + side / 2])


def crop_image(image: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """The content of a square box, resampled to `size` x `size` pixels.

    Antialiased cubic resampling (the filter widens as the picture shrinks), exact to a fraction of
    a pixel; outside the image its edge pixels repeat.

    Args:
        image: (H, W, 3) uint8.
        box: (4,) `[x0, y0, x1, y1]` in pixels of the image.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) uint8.

    Raises:
        ValueError: a box that is empty or not finite, or an image of another kind.
    """
    return _resample(image, box, size, cv2.BORDER_REPLICATE)


def to_crop(points: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """Image pixels (..., 2) to pixels of the `size` x `size` crop of `box`."""
    box = _checked_box(box)
    return (np.asarray(points, np.float64) - box[:2]) * (size / (box[2:] - box[:2]))


def to_image(points: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """Pixels (..., 2) of the `size` x `size` crop of `box` to image pixels."""
    box = _checked_box(box)
    return np.asarray(points, np.float64) * ((box[2:] - box[:2]) / size) + box[:2]


def scale_box(box: np.ndarray, factor: float) -> np.ndarray:
    """The box grown by a factor about its centre."""
    box = _checked_box(box)
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * factor
    return np.concatenate([centre - half, centre + half])


def sample_square(
    image: np.ndarray, centre: np.ndarray, side: float, angle: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The content of a turned square, black outside the image, for the detection networks.

    Args:
        image: (H, W, 3) uint8.
        centre: (2,) centre of the square in pixels of the image.
        side: its side in pixels.
        angle: radians from the image's x axis to the square's, clockwise as seen (y points down).
        size: side of the result in pixels.

    Returns:
        the patch, (size, size, 3) uint8, and the (2, 3) affine map from its pixels to the image's.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    scale = side / size
    linear = scale * np.array([[cos, -sin], [sin, cos]])
    patch_to_image = np.column_stack([linear, np.asarray(centre) - linear @ (size / 2, size / 2)])
    reach = abs(cos) + abs(sin)
    upright = np.concatenate([centre - side / 2 * reach, centre + side / 2 * reach])
    if reach < 1 + 1e-6:
        return _resample(image, upright, size, cv2.BORDER_CONSTANT), patch_to_image
    # Shrink first, with antialiasing, to 1.5 times the wanted density; then only turn.
    middle = math.ceil(1.5 * size * reach)
    shrunk = _resample(image, upright, middle, cv2.BORDER_CONSTANT)
    step = side * reach / middle
    patch_to_shrunk = np.column_stack([linear, patch_to_image[:, 2] - upright[:2]]) / step
    # OpenCV counts from pixel centres: shift by half a pixel on both sides.
    patch_to_shrunk[:, 2] += patch_to_shrunk[:, :2] @ (0.5, 0.5) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(shrunk, patch_to_shrunk, (size, size), flags=flags), patch_to_image


def _resample(image: np.ndarray, box: np.ndarray, size: int, border: int) -> np.ndarray:
    """`crop_image` with a choice of what lies outside the image (an OpenCV border type)."""
    box = _checked_box(box)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}")
    height, width = image.shape[:2]
    margin = math.ceil(_CUBIC_SUPPORT * max(1.0, (box[2] - box[0]) / size)) + 1
    x0, y0 = np.floor(box[:2]).astype(int) - margin
    x1, y1 = np.ceil(box[2:]).astype(int) + margin
    # The part inside the image, at least one pixel wide, then as much border as is missing.
    left, right = min(max(x0, 0), width - 1), max(min(x1, width), 1)
    top, bottom = min(max(y0, 0), height - 1), max(min(y1, height), 1)
    left, top = min(left, right - 1), min(top, bottom - 1)
    region = image[top:bottom, left:right]
    missing = (max(top - y0, 0), max(y1 - bottom, 0), max(left - x0, 0), max(x1 - right, 0))
    if any(missing):
        region = cv2.copyMakeBorder(region, *missing, borderType=border)
    corner = np.array([left - missing[2], top - missing[0]])
    inner = tuple((box.reshape(2, 2) - corner).ravel())
    picture = Image.fromarray(np.ascontiguousarray(region))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=inner))


def _checked_box(box: np.ndarray) -> np.ndarray:
    """The box as (4,) float64; ValueError unless it is finite and has an inside."""
    box = np.asarray(box, np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise ValueError(f"box: expected [x0, y0, x1, y1] with x0 < x1, y0 < y1, got {box}")
    return box
