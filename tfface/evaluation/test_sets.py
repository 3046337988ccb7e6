"""The kinds of test sets, each read from the user's own copy."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tensorflow as tf
import trimesh
from scipy.io import loadmat

from tfface.code import CodeLayout
from tfface.config import ConfigError, EvaluationSet
from tfface.data.code_samplers import FaceSampler
from tfface.data.detection import FaceDetector
from tfface.data.photos import IMAGE_EXTENSIONS, read_photo
from tfface.data.synthetic_rendering import FacePainter
from tfface.evaluation.samples import Sample, Scan
from tfface.layers.face_decoder import FaceDecoder
from tfface.metrics.geometric import RIGID_LANDMARKS
from tfface.morphable.default import load_default_face_model
from tfface.rendering.rotations import rotation_matrix
from tfface.systems.code_regressor import compared_vertices
from tfface.visualization.posed_face import PhotoCamera, PosedFace

SEED = 8_000_003  # of drawn faces, apart from training's seeds; the run's is added
SIDE, MARGIN = 240, 60  # px of a drawn face's crop, and what surrounds it so that it is found
_SCANS = (".obj", ".ply", ".stl")
_POINTS = (".pp", ".txt", ".npy")


@dataclass(frozen=True)
class OpenTestSet:
    """The pictures of a set.

    Attributes:
        names: Of all.
        read: Name -> picture and what is known.
    """

    names: Sequence[str]
    read: Callable[[str], Sample]


def open_test_set(settings: EvaluationSet, seed: int) -> OpenTestSet:
    """Finds the pictures of a set.

    Args:
        settings: Which.
        seed: Of what is drawn.

    Raises:
        ConfigError: there are none.
    """
    if settings.kind == "drawn":
        assert settings.limit is not None
        names = [f"face{number:05d}" for number in range(settings.limit)]
        return OpenTestSet(names, functools.partial(_draw, _artist(settings), seed))
    root = Path(settings.path or "")
    if not root.is_dir():
        raise ConfigError(f"{root}: expected the folder of {settings.kind}")
    find, read = _READERS[settings.kind]
    chosen = re.compile(settings.match)
    names = [name for name in find(root) if chosen.search(name)][: settings.limit]
    if not names:
        raise ConfigError(f"{root}: expected pictures of {settings.kind}, found none")
    return OpenTestSet(names, lambda name: read(root, name, settings))


def _photos(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith(".")
    )


def _photos_without_textures(root: Path) -> list[str]:
    """Photos; the colours of a scan lie beside it as pictures, too."""
    textures = set()
    for scan in (path for path in root.rglob("*") if path.suffix.lower() in _SCANS):
        textures |= {scan.with_suffix(ending) for ending in IMAGE_EXTENSIONS}
    for file in root.rglob("*.mtl"):
        lines = [line.split() for line in file.read_text(errors="replace").splitlines()]
        textures |= {file.parent / words[-1] for words in lines if words[:1] == ["map_Kd"]}
    return [name for name in _photos(root) if root / name not in textures]


def _read_photo(root: Path, name: str, settings: EvaluationSet) -> Sample:
    points = (root / name).with_suffix(".pts")
    image = read_photo(root / name)
    if points.is_file():
        return Sample(name, image, _read_pts(points))
    detected = _detector().detect(image)
    return Sample(name, image, detected[0].landmarks if detected else None)


@functools.lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector()


def _read_pts(path: Path) -> np.ndarray:
    """Of 300-W, whose first pixel's centre is at (1, 1)."""
    inside = path.read_text().partition("{")[2].partition("}")[0]
    points = np.array([line.split() for line in inside.strip().splitlines()], np.float64)
    if points.shape != (68, 2):
        raise ConfigError(f"{path}: expected 68 points, got shape {points.shape}")
    return points - 0.5


def _read_scanned(root: Path, name: str, settings: EvaluationSet) -> Sample:
    folder = (root / name).parent
    scan = _read_scan(_only(folder, _SCANS), _only(folder, _POINTS), settings)
    return Sample(name, read_photo(root / name), scan=scan)


def _now(root: Path) -> list[str]:
    return (root / "imagepathsvalidation.txt").read_text().split()


def _read_now(root: Path, name: str, settings: EvaluationSet) -> Sample:
    person = name.partition("/")[0]
    points = _only(root / "scans_lmks_onlypp" / person, _POINTS)
    scan = _read_scan(_only(root / "scans" / person, _SCANS), points, settings)
    scan = replace(scan, neutral=True)
    return Sample(name, read_photo(root / "iphone_pictures" / name), scan=scan)


def _read_aflw(root: Path, name: str, settings: EvaluationSet) -> Sample:
    known = loadmat((root / name).with_suffix(".mat"))
    # Its first pixel's centre is at (1, 1); the pose is pitch, yaw and roll.
    landmarks = known["pt3d_68"][:2].T.astype(np.float64) - 0.5
    yaw = float(np.degrees(known["Pose_Para"][0, 1]))
    return Sample(name, read_photo(root / name), landmarks, yaw, fixed_jaw=True)


def _facewarehouse(root: Path) -> list[str]:
    photos = root.glob("Tester_*/TrainingPose/pose_*.png")
    return sorted(p.relative_to(root).as_posix() for p in photos if p.with_suffix(".obj").is_file())


def _read_facewarehouse(root: Path, name: str, settings: EvaluationSet) -> Sample:
    vertices, triangles = _load_mesh((root / name).with_suffix(".obj"), settings)
    scan = _scan(vertices, triangles, vertices[settings.landmarks])
    return Sample(name, read_photo(root / name), scan=scan)


_READERS: Mapping[
    str, tuple[Callable[[Path], list[str]], Callable[[Path, str, EvaluationSet], Sample]]
] = {
    "photos": (_photos, _read_photo),
    "scans": (_photos_without_textures, _read_scanned),
    "now": (_now, _read_now),
    "aflw2000": (_photos, _read_aflw),
    "facewarehouse": (_facewarehouse, _read_facewarehouse),
}


def _only(folder: Path, endings: Sequence[str]) -> Path:
    """The one file of a folder that ends so."""
    files = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in endings]
    if len(files) != 1:
        raise ConfigError(f"{folder}: expected one of {', '.join(endings)}, found {len(files)}")
    return files[0]


def _read_points(path: Path) -> np.ndarray:
    """Seven landmarks of a scan."""
    if path.suffix == ".npy":
        points = np.load(path)
    elif path.suffix == ".pp":
        marks = ElementTree.parse(path).getroot().iter("point")
        points = np.array([[float(mark.get(axis, "nan")) for axis in "xyz"] for mark in marks])
    else:
        points = np.loadtxt(path)
    if points.shape != (7, 3):
        raise ConfigError(f"{path}: expected seven points, got shape {points.shape}")
    if not np.isfinite(points).all():
        raise ConfigError(f"{path}: expected three coordinates of each point")
    return points.astype(np.float64)


def _read_scan(mesh: Path, points: Path, settings: EvaluationSet) -> Scan:
    return _scan(*_load_mesh(mesh, settings), settings.unit * _read_points(points))


def _load_mesh(path: Path, settings: EvaluationSet) -> tuple[np.ndarray, np.ndarray | None]:
    """Vertices in mm, and triangles, if it is more than a cloud of points."""
    # So that textures do not split vertices.
    ply = path.suffix.lower() == ".ply"
    own: dict[str, Any] = {"fix_texture": False} if ply else {"maintain_order": True}
    mesh = trimesh.load(path, process=False, **own)
    if path.suffix.lower() == ".stl" and isinstance(mesh, trimesh.Trimesh):
        mesh.merge_vertices()  # which it has one of for each corner
    if not isinstance(mesh, (trimesh.Trimesh, trimesh.PointCloud)):
        raise ConfigError(f"{path}: expected one mesh, got a {type(mesh).__name__}")
    triangles = np.asarray(getattr(mesh, "faces", np.zeros((0, 3), int)))
    vertices = settings.unit * np.asarray(mesh.vertices, np.float64)
    return vertices, triangles if len(triangles) else None


def _scan(vertices: np.ndarray, triangles: np.ndarray | None, landmarks: np.ndarray) -> Scan:
    """What counts is the disc of Feng et al. 2018, of which NoW's evaluation takes 1.4 radii."""
    right, bridge_right, bridge_left, left, under_nose = landmarks[:5]
    bridge = (bridge_right + bridge_left) / 2
    centre = under_nose + 0.3 * (bridge - under_nose)
    size = np.linalg.norm(right - left) + np.linalg.norm(bridge - under_nose)
    radius = float(1.4 * size / 2)
    if not (np.linalg.norm(vertices - centre, axis=1) <= radius).any():
        raise ConfigError("expected points of the scan between its landmarks, which lie elsewhere")
    return Scan(vertices, triangles, landmarks, centre, radius)


class _Artist(NamedTuple):
    sampler: FaceSampler
    painter: FacePainter
    scanned: np.ndarray  # (V,) what a scanner sees: not the sockets of the eyes, nor the throat


def _artist(settings: EvaluationSet) -> _Artist:
    model = load_default_face_model()
    decoder = FaceDecoder.of_model(model, SIDE)
    return _Artist(
        FaceSampler(model, decoder, settings.synthetic),
        FacePainter(model, decoder, settings.synthetic),
        compared_vertices(model, decoder),
    )


def _draw(artist: _Artist, seed: int, name: str) -> Sample:
    """One face, with a margin around its crop."""
    sampler, painter, scanned = artist
    seeds = tf.unstack(tf.random.split(tf.constant([SEED + seed, int(name[4:])], tf.int64)))
    code = sampler.draw(1, seeds[0])
    painted = painter(code, seeds[1])
    image = np.round(255 * np.clip(painted["image"][0], 0, 1)).astype(np.uint8)
    image = np.pad(image, (*2 * [(MARGIN, MARGIN)], (0, 0)), mode="edge")
    truth, model = _truth(code, painter.decoder, scanned), load_default_face_model()
    face = scanned > 0.5
    triangles = model.triangles[face[model.triangles].all(axis=1)]
    marks = truth.vertices[model.landmarks]
    numbers = np.cumsum(face) - 1
    scan = _scan(truth.vertices[face], numbers[triangles], marks[list(RIGID_LANDMARKS)])
    landmarks = painted["landmarks"][0].numpy() + MARGIN
    return Sample(name, image, landmarks, scan=scan, truth=truth)


def _truth(code: tf.Tensor, decoder: FaceDecoder, scanned: np.ndarray) -> PosedFace:
    """The face that was drawn, in the camera of the picture with its margin."""
    parts = {k: v.numpy()[0] for k, v in CodeLayout(decoder.code_sizes).split(code).items()}
    model = load_default_face_model()
    vertices = model.vertices(parts["identity"], parts["expression"])
    ones = np.ones_like(vertices)
    camera = PhotoCamera(decoder.focal_length * SIDE, np.full(2, SIDE / 2 + MARGIN))
    return PosedFace(
        vertices, ones, model.triangles, ones, ones, scanned,
        rotation_matrix(tf.constant(parts["rotation"][None]))[0].numpy(), parts["translation"],
        camera,
    )  # fmt: skip
