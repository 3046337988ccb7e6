"""tfface: monocular 3D face reconstruction in TensorFlow and Keras.

Example:
    >>> import tfface
    >>> faces = tfface.reconstruct("photo.jpg")        # list of FaceReconstruction
    >>> model = tfface.load_face_model("default")      # a MorphableModel

Conventions, kept everywhere (other docstrings point here)

Letters
    B batch, V vertices, T triangles, K modes of a linear basis, H and W image height and width,
    N points or numbers of a code. Batch first: `vertices [B, V, 3]`, `triangles [T, 3]` int32,
    `images [B, H, W, 3]` float32.
Units
    Lengths in millimetres, angles in radians, colours in [0, 1]. Coefficients of every linear
    basis are in units of one standard deviation; a basis is stored already scaled.
Model space
    Right-handed, origin near the head's centre, x to the subject's left (right in a frontal
    picture), y up, z out of the face. Triangles are counter-clockwise seen from outside.
Camera space
    The same axes, the camera at the origin looking along -z (OpenGL), so what it sees has z < 0.
    Pose: `p_camera = R p_model + t`. Normals and the spherical-harmonics light are in camera space.
Pixels
    x right, y down, the centre of the top-left pixel at (0.5, 0.5). Perspective camera:
    `x_px = cx + f X / -Z`, `y_px = cy - f Y / -Z`.
Crops
    A square of S pixels; its camera has the focal length 4.5 S and the principal point (S/2, S/2).
    On the whole photo that is 4.5 times the side of the crop box, and the centre of the box.
    Recognition networks see chips instead: turned and scaled so that the corners of the eyes and
    the nose's base lie where dlib puts them (`tfface.rendering.chip_alignment`).
Colour
    RGB, sRGB-encoded; albedo, light and shading live in those same values, as in the papers. Code
    that works in linear light converts at its border and says so.
Rotation
    A 3-vector (axis-angle) in codes, a matrix everywhere else.
Spherical harmonics
    Real, 9 coefficients a channel, order 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2, normalised; the
    constants are written in `tfface.rendering.spherical_harmonics`.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# TensorFlow leaves oneDNN off on some CPUs where it makes convolutions up to twice as fast. Set
# before TensorFlow is imported, where alone it counts; the user's own setting wins.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# name -> (module, attribute), imported on first use: `import tfface` loads no TensorFlow. The
# module `tfface.reconstruct` is itself callable, as it carries the name of the function.
_LAZY: dict[str, tuple[str, str | None]] = {
    "FaceReconstruction": ("tfface.reconstruction", "FaceReconstruction"),
    "MorphableModel": ("tfface.morphable.model", "MorphableModel"),
    "load_config": ("tfface.config", "load_config"),
    "load_face_model": ("tfface.morphable.load", "load_face_model"),
    "reconstruct": ("tfface.reconstruct", None),
    "reconstruct_together": ("tfface.reconstruct", "reconstruct_together"),
}

__all__ = ["__version__", "shipped_model_path", *_LAZY]


def shipped_model_path(name: str) -> Path:
    """Returns the folder of a trained model that ships with tfface: a SavedModel.

    Args:
        name: A folder of `savedmodels/`, for instance `"mofa"`.

    Raises:
        FileNotFoundError: if no such model ships; the message lists those that do.
    """
    package = Path(__file__).resolve().parent
    # An installed wheel carries the folder inside the package, a checkout beside it.
    roots = (package / "savedmodels", package.parent / "savedmodels")
    for root in roots:
        if (root / name / "saved_model.pb").is_file():
            return root / name
    found = sorted({path.parent.name for root in roots for path in root.glob("*/saved_model.pb")})
    raise FileNotFoundError(f"shipped model: expected one of {found}, got {name!r}")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'tfface' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    loaded = importlib.import_module(module)
    return loaded if attribute is None else getattr(loaded, attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
