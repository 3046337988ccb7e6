"""True head geometry: combinations of ICT-FaceKit's identity meshes, and scores against it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tfface.metrics.geometric import (
    NOSE_TIP,
    RIGID_LANDMARKS,
    ScanToMesh,
    fit_similarity,
    scan_to_mesh,
)
from tfface.morphable.readers.obj import read_obj, read_obj_vertices
from tfface.rendering.rasterize import rasterize

MM_PER_UNIT = 10.0
SKIN, EYES = ("M_Face", "M_BackHead"), ("M_Sclera", "M_Iris")
LARGEST_SIGMA = 2.0
SPREAD = 1.4  # widens the few identity modes of the sample to the variance of all hundred
SMILE = 0.3  # at most this much of the smile blendshape
VIEWS = [(yaw, pitch) for pitch in (-20, 10, 35) for yaw in (-60, -30, 0, 30, 60)]  # degrees


@dataclass(frozen=True, eq=False)
class HeadTopology:
    """What all heads share.

    Attributes:
        neutral: `(V, 3)` mm, the neutral mean head: painting is laid out on it.
        triangles: `(T, 3)` skin and eyeballs, without mouth, teeth, lashes and tear film.
        skin: `(V,)` bool.
        landmarks: `(68,)` iBUG vertices.
    """

    neutral: np.ndarray
    triangles: np.ndarray
    skin: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True, eq=False)
class IndependentHead:
    """One head with true geometry.

    Attributes:
        name: "head00", ...
        seed: Draws its colours.
        vertices: `(V, 3)` mm.
        topology: Triangles and landmarks.
        scan: `(P,)` vertices that count as the scan: outer skin that some camera can see.
    """

    name: str
    seed: int
    vertices: np.ndarray
    topology: HeadTopology
    scan: np.ndarray

    @property
    def landmarks(self) -> np.ndarray:
        """`(68, 3)` mm."""
        return self.vertices[self.topology.landmarks]


def make_heads(folder: str | Path, count: int, seed: int = 0) -> list[IndependentHead]:
    """Draws heads with normal coefficients, at most two sigma, widened, and a little smile.

    Args:
        folder: `ict_facekit_sample` or its `FaceXModel`.
        count: How many.
        seed: Draws coefficients and colours.

    Raises:
        FileNotFoundError: if the meshes are not there.
    """
    folder = Path(folder)
    folder = folder / "FaceXModel" if (folder / "FaceXModel").is_dir() else folder
    topology = read_topology(folder)
    identities = [_offset(path, topology) for path in sorted(folder.glob("identity[0-9]*.obj"))]
    smile = sum(_offset(folder / f"mouthSmile_{side}.obj", topology) for side in "LR")
    seen = seen_from_outside(topology)
    heads = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        sigmas = np.clip(random.standard_normal(len(identities)), -LARGEST_SIGMA, LARGEST_SIGMA)
        vertices = topology.neutral + SPREAD * np.tensordot(sigmas, identities, 1)
        vertices = vertices + SMILE * random.uniform() * smile
        colour_seed = int(random.integers(2**31))
        heads.append(IndependentHead(f"head{number:02d}", colour_seed, vertices, topology, seen))
    return heads


def read_topology(folder: Path) -> HeadTopology:
    """Reads the neutral mesh and its landmarks."""
    mesh = read_obj(folder / "generic_neutral_mesh.obj")
    landmarks = json.loads((folder / "vertex_indices.json").read_text())["idx_to_landmark_verts"]
    triangles = mesh.triangles[[name.startswith(SKIN + EYES) for name in mesh.materials]]
    skin_triangles = mesh.triangles[[name.startswith(SKIN) for name in mesh.materials]]
    skin = np.zeros(len(mesh.vertices), bool)
    skin[skin_triangles] = True
    neutral = MM_PER_UNIT * mesh.vertices.astype(np.float64)
    return HeadTopology(neutral, triangles, skin, np.array(landmarks, np.int32))


def seen_from_outside(topology: HeadTopology) -> np.ndarray:
    """Skin vertices of the neutral head that at least one of `VIEWS` sees, `(P,)` int."""
    seen = np.zeros(len(topology.neutral), bool)
    for yaw, pitch in VIEWS:
        camera = pose(topology.neutral, yaw, pitch) - [0, 0, 1500.0]
        hit = rasterize(
            tf.constant(camera[None], tf.float32), topology.triangles, 2400.0, (320, 320), 640, 640
        )
        ids = hit.triangle_ids.numpy()
        seen[topology.triangles[np.unique(ids[ids >= 0])]] = True
    return np.flatnonzero(seen & topology.skin)


def pose(points: np.ndarray, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Turns `(..., 3)` points: roll, then pitch, then yaw, in degrees."""
    return points @ Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_matrix().T


def score(
    head: IndependentHead, vertices: np.ndarray, triangles: np.ndarray, landmarks: np.ndarray
) -> ScanToMesh:
    """Scan-to-mesh distances of a reconstruction of a head.

    Args:
        head: The truth.
        vertices: `(V, 3)` reconstruction, any unit and pose.
        triangles: `(T, 3)`.
        landmarks: `(68, 3)` landmarks on the reconstruction.
    """
    rigid = list(RIGID_LANDMARKS)
    return scan_to_mesh(
        head.vertices[head.scan],
        vertices,
        triangles,
        nose_tip=head.landmarks[NOSE_TIP],
        initial=fit_similarity(landmarks[rigid], head.landmarks[rigid]),
    )


def _offset(path: Path, topology: HeadTopology) -> np.ndarray:
    vertices, _ = read_obj_vertices(path)
    return MM_PER_UNIT * vertices.astype(np.float64) - topology.neutral
