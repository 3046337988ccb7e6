"""The Surrey Face Model as the library eos stores it (Huber et al., VISAPP 2016)."""

from __future__ import annotations

import tomllib

import numpy as np

from tfface.morphable.model import MorphableModel
from tfface.morphable.readers.assemble import (
    PublishedModel,
    assemble,
    blendshape_samples,
    unit_colours,
)
from tfface.morphable.readers.eos_archive import WHAT, read_blendshape_file, read_eos_model
from tfface.morphable.readers.files import PathLike, require_file, wrong

LANDMARKS = "ibug_to_sfm.txt"
LANDMARKED_SIZE = 3448  # vertices of the model whose landmarks the file lists
LAST_COMMON_VERTEX = 845  # what the file says is the same at every resolution


def read_surrey(
    shape_bin: PathLike,
    expressions_bin: PathLike | None = None,
    landmarks_txt: PathLike | None = None,
    template: MorphableModel | None = None,
) -> MorphableModel:
    """Reads `sfm_shape_3448.bin`, or any other model that eos saved (versions 1 to 4).

    The low-resolution shape model comes with eos (github.com/patrikhuber/eos, folder `share`),
    free for non-commercial use; larger ones, with colours, from cvssp.org/facemodel under their
    own licence. Lengths are millimetres.

    Expressions are, in this order: `expressions_bin`; those within the model; the file
    `expression_blendshapes_<V>.bin` beside it; none. Blendshapes count as modes at full strength,
    with `expression_samples` at half and full.

    Landmarks are those of `ibug_to_sfm.txt` (from eos, beside the model). It has none of the jaw
    but the chin and no inner mouth corners; those, or all if there is no such file, are found by
    laying `template` over the mean, guided by the known ones.

    Args:
        shape_bin: The model.
        expressions_bin: eos' blendshapes.
        landmarks_txt: eos' mapping from iBUG numbers (from 1) to vertices.
        template: The annotated model that supplies what is missing (default: tfface's).

    Raises:
        FileNotFoundError: if a named file is missing.
        FaceModelError: if a file is truncated or something else.
    """
    path = require_file(shape_bin, WHAT)
    content = read_eos_model(path)
    shape, vertex_count = content.shape, len(content.shape.mean) // 3
    beside = path.with_name(f"expression_blendshapes_{vertex_count}.bin")
    expression_mean, expression = content.expression_mean, content.expression
    blendshapes = content.blendshapes
    if expressions_bin is not None or (not expression.shape[1] and beside.exists()):
        expression = read_blendshape_file(expressions_bin or beside, 3 * vertex_count)
        expression_mean, blendshapes = np.zeros(3 * vertex_count, np.float32), True
    if landmarks_txt is None and path.with_name(LANDMARKS).exists():
        landmarks_txt = path.with_name(LANDMARKS)
    colour_mean = colour = None
    if content.colour:
        colour_mean, colour = unit_colours(content.colour.mean, content.colour.basis)
        colour_mean = colour_mean.reshape(vertex_count, 3)
        colour = colour.reshape(vertex_count, 3, -1)
    published = PublishedModel(
        path=path,
        name=f"Surrey Face Model ({vertex_count} vertices)",
        source="Huber et al., A Multiresolution 3D Morphable Face Model and Fitting Framework, "
        "VISAPP 2016",
        licence="non-commercial use only, cvssp.org/facemodel",
        mean=(shape.mean + expression_mean).reshape(vertex_count, 3),
        identity=shape.basis.reshape(vertex_count, 3, -1),
        expression=expression.reshape(vertex_count, 3, -1),
        triangles=shape.triangles,
        albedo_mean=colour_mean,
        albedo=colour,
        uv=content.uv,
        known=_read_landmarks(landmarks_txt, vertex_count) if landmarks_txt is not None else {},
        expression_samples=blendshape_samples(expression.shape[1]) if blendshapes else None,
    )
    return assemble(published, template)


def _read_landmarks(path: PathLike, vertex_count: int) -> dict[int, int]:
    """Returns iBUG number (from 0) -> vertex; the later vertices differ between resolutions."""
    last = vertex_count - 1 if vertex_count == LANDMARKED_SIZE else LAST_COMMON_VERTEX
    text = require_file(path, "eos' landmark mappings").read_text(
        encoding="utf-8", errors="replace"
    )
    try:
        table = tomllib.loads(text)["landmark_mappings"]
        every = {int(number) - 1: int(vertex) for number, vertex in table.items()}
        return {number: vertex for number, vertex in every.items() if vertex <= last}
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        expected = "a table [landmark_mappings] of lines 'number = vertex'"
        raise wrong(path, expected, f"{type(error).__name__}: {error}") from error
