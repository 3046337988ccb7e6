"""Mesh files with vertex colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from tfface.rendering.srgb import srgb_to_linear


def write_obj(
    path: str | Path, vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray
) -> None:
    """Writes a Wavefront OBJ whose `v` lines carry six numbers, x y z r g b.

    Args:
        path: File to write.
        vertices: `(V, 3)` mm; written to a tenth of a micrometre.
        triangles: `(T, 3)` int, counted from zero; the file counts from one.
        colours: `(V, 3)` sRGB-encoded in [0, 1] (clipped), as mesh viewers read them.
    """
    rows = np.concatenate([vertices, np.clip(colours, 0, 1)], axis=1)
    lines = ["# tfface: model space, mm, x to the subject's left, y up, z out of the face\n"]
    vertex, face = "v" + " {:.4f}" * 6 + "\n", "f {} {} {}\n"
    lines += [vertex.format(*row) for row in rows.tolist()]
    lines += [face.format(*row) for row in (np.asarray(triangles) + 1).tolist()]
    Path(path).write_text("".join(lines), encoding="ascii")


def write_glb(
    path: str | Path, vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray
) -> None:
    """Writes a binary glTF 2.0 with normals and vertex colours.

    glTF defines COLOR_0 as linear, so the colours are decoded from sRGB; a viewer encodes them
    again. Lengths stay in millimetres, as in the OBJ, although glTF's unit is the metre.

    Args:
        path: File to write.
        vertices: `(V, 3)` mm.
        triangles: `(T, 3)` int.
        colours: `(V, 3)` sRGB-encoded in [0, 1] (clipped).
    """
    linear = np.round(255 * srgb_to_linear(colours)).astype(np.uint8)
    mesh = trimesh.Trimesh(vertices, triangles, vertex_colors=linear, process=False)
    Path(path).write_bytes(trimesh.exchange.gltf.export_glb(mesh.scene(), include_normals=True))
