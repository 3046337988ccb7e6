"""The little of Wavefront OBJ that blendshape folders use, vertex order untouched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfface.morphable.readers.files import require_file, wrong


@dataclass(frozen=True, eq=False)
class ObjMesh:
    """Attributes: vertices `(V, 3)`, triangles `(T, 3)` int32, material of each triangle `(T,)`
    of str, uv `(V, 2)` float32 of each vertex (at a seam, of one of its corners), v up, and the
    number of faces before they were cut into triangles."""

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray
    uv: np.ndarray
    face_count: int


def read_obj_vertices(path: Path) -> tuple[np.ndarray, int]:
    """Returns the `(V, 3)` float32 positions of an OBJ file, in its order, and its face count.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it holds no vertices, a vertex line without three numbers, or was cut
            within a line.
    """
    text = _text(path)
    return _numbers(path, text, b"v", 3), text.count(b"\nf ")


def read_obj(path: Path) -> ObjMesh:
    """Reads vertices, faces (polygons are cut into fans), materials and texture coordinates.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it is not an OBJ mesh with faces, or was cut within a line.
    """
    text = _text(path)
    vertices, texture = _numbers(path, text, b"v", 3), _numbers(path, text, b"vt", 2)
    corners: list[list[tuple[int, int]]] = []
    materials: list[str] = []
    material = ""
    for line in text.split(b"\n"):
        if line.startswith(b"usemtl "):
            material = line.split()[1].decode("utf-8", "replace")
        elif line.startswith(b"f "):
            corners.append([_corner(path, word) for word in line.split()[1:]])
            materials.append(material)
    fans = [
        ((face[0], face[k], face[k + 1]), name)
        for face, name in zip(corners, materials, strict=True)
        for k in range(1, len(face) - 1)
    ]
    if not fans:
        raise wrong(path, "faces ('f' lines)", "none")
    index = np.array([fan for fan, _ in fans], np.int64)  # (T, 3 corners, vertex and texture)
    for part, count, what in ((0, len(vertices), "vertices"), (1, len(texture), "texture points")):
        lowest, highest = index[..., part].min(), index[..., part].max()
        if lowest < 0 or highest >= count:
            raise wrong(path, f"faces over its {count} {what}", f"number {highest + 1} in a face")
    uv = np.zeros((len(vertices), 2), np.float32)
    uv[index[..., 0]] = texture[index[..., 1]]
    names = np.array([name for _, name in fans])
    return ObjMesh(vertices, index[..., 0].astype(np.int32), names, uv, len(corners))


def _text(path: Path) -> bytes:
    text = require_file(path, "an OBJ mesh").read_bytes()
    if not text.endswith(b"\n"):
        raise wrong(path, "an OBJ mesh whose last line is whole", repr(text[-20:]))
    return b"\n" + text


def _corner(path: Path, word: bytes) -> tuple[int, int]:
    try:
        vertex, texture = word.split(b"/")[:2]
        return int(vertex) - 1, int(texture) - 1
    except ValueError:
        raise wrong(path, "face corners 'vertex/texture'", word.decode("latin1")) from None


def _numbers(path: Path, text: bytes, key: bytes, columns: int) -> np.ndarray:
    """Returns the first numbers of every line that begins with `key`, as `(*, columns)`."""
    number = rb"[ \t]+([-+.0-9eE]+)"
    rows = re.findall(rb"^" + key + number * columns, text, re.MULTILINE)
    expected, count = f"{columns} numbers in '{key.decode()}' lines", text.count(b"\n" + key + b" ")
    if len(rows) != count or not count:
        raise wrong(path, expected, f"them in {len(rows)} of {count} such lines")
    try:
        return np.array(rows, dtype=bytes).astype(np.float32)
    except ValueError as error:
        raise wrong(path, expected, error) from error
