"""ICT-FaceKit Light: identity and expression meshes in a folder (Li et al., CVPR 2020)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.assemble import SKIN, PublishedModel, assemble, blendshape_samples
from tfface.morphable.readers.files import PathLike, require_file, wrong
from tfface.morphable.readers.obj import ObjMesh, read_obj, read_obj_vertices

NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
MM_PER_UNIT = 10.0  # the files are in centimetres: the eyes' centres are 63.9 mm apart
TRANSPARENT = ("M_LacrimalFluid", "M_EyeBlend", "M_EyeOcclusion", "M_EyeLashes")
COLOURS = {  # sRGB by the start of the material's name; the files carry none
    "M_GumsTongue": (0.55, 0.30, 0.30),
    "M_Teeth": (0.85, 0.82, 0.76),
    "M_Sclera": (0.86, 0.83, 0.81),
    "M_Iris": (0.86, 0.83, 0.81),
}
IRIS = (6.0, (0.33, 0.24, 0.18))  # mm from the eye's axis, sRGB
PUPIL = (2.2, (0.05, 0.05, 0.05))


def read_ict_facekit(folder: PathLike, template: MorphableModel | None = None) -> MorphableModel:
    """Reads the folder `FaceXModel` of ICT-FaceKit Light.

    Get it from github.com/ICT-VGL/ICT-FaceKit (MIT licence). 100 identity meshes at one standard
    deviation and 53 expression meshes at full strength; any subset of them is read. A mode is a
    mesh minus the neutral one. Expressions are blendshapes (0 to 1, ARKit's names):
    `expression_samples` holds each at half and at full strength.

    Lengths are centimetres in the files, taken times ten. The transparent shells that a game
    engine's shaders need (tears, lashes, occlusion) are left out, so 24,591 of the 26,719
    vertices stay. The model has no colours: skin, teeth, gums, and eyes get plain ones. Texture
    coordinates lie on seven tiles side by side, and are divided by their number.

    Args:
        folder: `FaceXModel`, or the folder that contains it.
        template: The annotated model that supplies jaw lines and regions (default: tfface's).

    Raises:
        FileNotFoundError: if the folder or one of its files is missing.
        FaceModelError: if a file is not what it should be.
    """
    folder = Path(folder)
    if (folder / "FaceXModel").is_dir():
        folder = folder / "FaceXModel"
    if folder.is_file():
        raise wrong(folder, "a folder with " + NEUTRAL, "a file")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder with {NEUTRAL}, found no such folder")
    neutral = read_obj(folder / NEUTRAL)
    known, names = _read_indices(folder / INDICES)
    identities = sorted(folder.glob("identity[0-9]*.obj"))
    if not identities:
        raise wrong(folder, "identity000.obj and following", "none")
    expressions = [path for path in (folder / f"{name}.obj" for name in names) if path.exists()]
    opaque = ~np.isin(neutral.materials, TRANSPARENT)
    keep = np.unique(neutral.triangles[opaque])
    number = np.full(len(neutral.vertices), -1)
    number[keep] = np.arange(len(keep))
    identity = _modes(neutral, identities, keep)
    expression = _modes(neutral, expressions, keep)
    if max(known, default=0) >= len(number) or min(number[known], default=0) < 0:
        raise wrong(folder / INDICES, f"landmarks on the {len(keep)} opaque vertices", max(known))
    tiles = np.ceil(max(1.0, float(neutral.uv[keep, 0].max())))
    published = PublishedModel(
        path=folder,
        name="ICT-FaceKit Light",
        source="github.com/ICT-VGL/ICT-FaceKit, Li et al., Learning Formation of "
        "Physically-Based Face Attributes, CVPR 2020",
        licence="MIT",
        mean=neutral.vertices[keep] * MM_PER_UNIT,
        identity=identity,
        expression=expression,
        triangles=number[neutral.triangles[opaque]],
        albedo_mean=_colours(neutral)[keep],
        uv=neutral.uv[keep] / [tiles, 1.0],
        known=dict(enumerate(number[known].tolist())),
        expression_samples=blendshape_samples(len(expressions)) if expressions else None,
    )
    return assemble(published, template)


def _read_indices(path: Path) -> tuple[list[int], list[str]]:
    """Returns the 68 landmark vertices and the names of the expressions."""
    require_file(path, "the vertex numbers of ICT-FaceKit")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        landmarks = [int(vertex) for vertex in table["idx_to_landmark_verts"]]
        names = [str(name) for name in table["expressions"]]
    except (ValueError, KeyError, TypeError) as error:
        expected = "JSON with 'idx_to_landmark_verts' and 'expressions'"
        raise wrong(path, expected, f"{type(error).__name__}: {error}") from error
    if len(landmarks) != 68 or min(landmarks) < 0:
        raise wrong(path, "68 vertex numbers in 'idx_to_landmark_verts'", len(landmarks))
    return landmarks, names


def _modes(neutral: ObjMesh, paths: list[Path], keep: np.ndarray) -> np.ndarray:
    """Returns `(V, 3, K)`: every mesh minus the neutral one, in mm."""
    modes = np.empty((len(keep), 3, len(paths)), np.float32)
    expected = len(neutral.vertices), neutral.face_count
    for k, path in enumerate(paths):
        vertices, face_count = read_obj_vertices(path)
        found = len(vertices), face_count
        if found != expected:
            wanted = f"{expected[0]} vertices and {expected[1]} faces as in {NEUTRAL}"
            raise wrong(path, wanted, f"{found[0]} and {found[1]}")
        modes[..., k] = (vertices[keep] - neutral.vertices[keep]) * MM_PER_UNIT
    return modes


def _colours(mesh: ObjMesh) -> np.ndarray:
    """Returns `(V, 3)` plain colours by material, with an iris and a pupil on each eye."""
    colours = np.tile(np.array(SKIN, np.float32), (len(mesh.vertices), 1))
    for start, colour in COLOURS.items():
        colours[np.unique(mesh.triangles[np.char.startswith(mesh.materials, start)])] = colour
    for side in ("Left", "Right"):
        eye = np.unique(
            mesh.triangles[np.isin(mesh.materials, ["M_Sclera" + side, "M_Iris" + side])]
        )
        centre = mesh.vertices[eye].sum(0) / max(len(eye), 1)
        from_centre = MM_PER_UNIT * (mesh.vertices[eye] - centre)
        for radius, colour in (IRIS, PUPIL):
            near_axis = np.hypot(from_centre[:, 0], from_centre[:, 1]) < radius
            colours[eye[near_axis & (from_centre[:, 2] > 0)]] = colour
    return colours
