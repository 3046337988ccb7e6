"""Wrong and truncated model files: an error that names file, expected and found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.morphable import make_model_files as make
from tests.morphable.make_model_files import WRITERS, SmallFace
from tfface.morphable.model import FaceModelError
from tfface.morphable.readers import (
    read_basel_2009,
    read_basel_2017,
    read_face_model,
    read_flame,
    read_ict_facekit,
    read_surrey,
)

FILES = [name for name in WRITERS if "." in name]
READERS = {
    ".mat": read_basel_2009,
    ".h5": read_basel_2017,
    ".pkl": read_flame,
    ".npz": read_flame,
    ".bin": read_surrey,
}


@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file(name: str, part: float, written: Path, tmp_path: Path) -> None:
    whole = (written / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(FaceModelError, match=f"{name}: expected .* found"):
        read_face_model(path)
    with pytest.raises(FaceModelError, match=f"{name}: expected .* found"):
        READERS[path.suffix](path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"\0" * 2000, b"GIF89a" + b"7" * 2000, b"\xff" * 3])
def test_a_file_of_something_else(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for read in (read_face_model, READERS[path.suffix]):
        with pytest.raises(FaceModelError, match=f"{name}: expected .* found"):
            read(path)


@pytest.mark.parametrize("name", FILES)
def test_missing_empty_or_a_folder(name: str, tmp_path: Path) -> None:
    read = READERS[Path(name).suffix]
    with pytest.raises(FileNotFoundError, match=f"{name}: expected"):
        read(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"{name}: expected"):
        read_face_model(tmp_path / name)
    (tmp_path / name).touch()
    for reader in (read, read_face_model):
        with pytest.raises(FaceModelError, match=f"{name}: expected .* found an empty file"):
            reader(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(FaceModelError, match=f"{name}: expected .* found a folder"):
        read(tmp_path / name)


BASEL_2009_FAULTS = [
    ({"tl": None}, "'tl'"),
    ({"texEV": None}, "'texEV'"),
    ({"shapeMU": np.zeros((100, 1))}, "'shapeMU' of 3 numbers a vertex"),
    ({"shapePC": np.zeros((30, 5))}, r"'shapePC' of shape .* \(30, 5\)"),
    ({"shapeEV": np.ones((4, 1))}, r"'shapeEV' of shape \(5, 1\), found shape \(4, 1\)"),
    ({"tl": np.array([[0.0, 1.0, 2.0]])}, "name vertices 0 to"),
    ({"texMU": "red"}, "'texMU' to hold numbers"),
]
BASEL_2017_FAULTS = [
    ({"color/model/mean": None}, "'color/model/mean'"),
    ({"shape/representer/cells": None}, "'shape/representer/cells'"),
    ({"shape/model/mean": np.zeros((5, 3))}, "'shape/model/mean' of shape"),
    ({"expression/model/pcaBasis": np.zeros((9, 3))}, r"found shape \(9, 3\)"),
    ({"shape/model/pcaVariance": np.full(5, np.nan)}, "'shape/model/pcaVariance' to be finite"),
    ({"shape/representer/cells": np.full((3, 9), 10**6)}, "name vertices 0 to"),
    ({"metadata/landmarks/json": "{nonsense"}, "a list of {id, coordinates}"),
]
FLAME_FAULTS = [
    ({"f": None}, "the array 'f'"),
    ({"v_template": None}, "the array 'v_template'"),
    ({"shapedirs": np.zeros((7, 3, 400))}, "'shapedirs' of shape"),
    ({"v_template": np.zeros((9, 2))}, r"'v_template' of shape \(\*, 3\)"),
    ({"f": np.full((4, 3), 10**6)}, "'f' to name vertices"),
]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [("basel2009.mat", *fault) for fault in BASEL_2009_FAULTS]
    + [("basel2017.h5", *fault) for fault in BASEL_2017_FAULTS]
    + [("flame2023.pkl", *fault) for fault in FLAME_FAULTS]
    + [("flame2020.npz", *fault) for fault in FLAME_FAULTS],
)
def test_wrong_keys_and_shapes(
    name: str, changes: dict[str, object], message: str, face: SmallFace, tmp_path: Path
) -> None:
    path = WRITERS[name](tmp_path / name, face, **changes)
    with pytest.raises(FaceModelError, match=f"{name}: expected .*{message}"):
        READERS[path.suffix](path)


def test_a_matlab_7_3_file_is_named_as_such(tmp_path: Path) -> None:
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    (tmp_path / "basel2009.mat").write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(FaceModelError, match=r"basel2009.mat: expected a MATLAB 5 .* found .* 7.3"):
        read_face_model(tmp_path / "basel2009.mat")


def test_flame_with_too_few_modes(face: SmallFace, tmp_path: Path) -> None:
    few = make.flame_arrays(face)["shapedirs"][..., :150]
    path = make.write_flame_npz(tmp_path / "flame.npz", face, shapedirs=few)
    with pytest.raises(FaceModelError, match=r"300 identity modes.*found 150 modes"):
        read_flame(path)


def test_a_model_in_wrong_units(face: SmallFace, tmp_path: Path) -> None:
    path = make.write_flame_npz(tmp_path / "flame.npz", face, v_template=face.mean.astype(float))
    with pytest.raises(FaceModelError, match=r"flame.npz: expected a mean face of 60 to 800 mm"):
        read_flame(path)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"\x09", "version 1 to 4"),
        (4, b"\xff\xff\xff\x7f", "bytes of the mean"),
        (8, b"\xff\xff\xff\xff", "the size of the mean"),
        (12, b"\0\0\xc0\x7f", "the mean of the shape model to be finite"),
    ],
)
def test_damaged_eos_archives(
    offset: int, value: bytes, message: str, written: Path, tmp_path: Path
) -> None:
    data = bytearray((written / "surrey.bin").read_bytes())
    data[offset : offset + len(value)] = value
    (tmp_path / "surrey.bin").write_bytes(data)
    with pytest.raises(FaceModelError, match=f"surrey.bin: expected .*{message}"):
        read_surrey(tmp_path / "surrey.bin")
    (tmp_path / "surrey.bin").write_bytes((written / "surrey.bin").read_bytes() + b"more")
    with pytest.raises(FaceModelError, match="found 4 more bytes"):
        read_surrey(tmp_path / "surrey.bin")


@pytest.mark.parametrize("part", [0.02, 0.4, 0.8, 0.999])
@pytest.mark.parametrize("name", ["generic_neutral_mesh.obj", "identity001.obj", "expression0.obj"])
def test_truncated_ict_meshes(name: str, part: float, written: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(written / "FaceXModel", tmp_path / "FaceXModel")
    whole = (folder / name).read_bytes()
    cut = whole[: int(part * len(whole))]
    for content in (cut, cut[: cut.rindex(b"\n") + 1]):  # within a line, and after one
        (folder / name).write_bytes(content)
        with pytest.raises(FaceModelError, match=r"\.obj: expected .*found"):
            read_ict_facekit(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vertex_indices.json", b"", "an empty file"),
        ("vertex_indices.json", b"{", "JSONDecodeError"),
        ("vertex_indices.json", b'{"expressions": []}', "idx_to_landmark_verts"),
        ("vertex_indices.json", b'{"expressions": [], "idx_to_landmark_verts": [1]}', "68"),
        ("identity000.obj", b"hello\n", "3 numbers in 'v' lines, found them in 0 of 0"),
        ("identity000.obj", b"v 1 2 three\n", "3 numbers in 'v' lines, found them in 0 of 1"),
        ("identity000.obj", b"v 1 2 3\n", "as in generic_neutral_mesh.obj, found 1 and 0"),
        ("identity000.obj", b"v 1 2 3-4\n", "3 numbers in 'v' lines"),
        ("generic_neutral_mesh.obj", b"v 1 2 3\nvt 0 0\nf 1/1 2/1 3/1\n", "number 3 in a face"),
    ],
)
def test_wrong_files_in_an_ict_folder(
    name: str, content: bytes, message: str, written: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(written / "FaceXModel", tmp_path / "FaceXModel")
    (folder / name).write_bytes(content)
    with pytest.raises(FaceModelError, match=f"{name}: expected .*{message}"):
        read_ict_facekit(tmp_path)  # the folder around it will do


def test_missing_ict_files(written: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: expected a folder"):
        read_ict_facekit(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"generic_neutral_mesh.obj: expected"):
        read_face_model(tmp_path)
    with pytest.raises(FaceModelError, match=r"surrey.bin: expected a folder .* found a file"):
        read_ict_facekit(written / "surrey.bin")
