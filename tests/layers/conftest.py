"""Small face models, with and without a cage."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from tests.meshes import sphere
from tfface.morphable.model import ControlMesh, MorphableModel

IDENTITY, EXPRESSION, ALBEDO = 5, 3, 4


def small_model(with_cage: bool) -> MorphableModel:
    """A ball with random modes, in millimetres; with a cage, its mesh is the cage subdivided."""
    random = np.random.default_rng(8)
    points, triangles = sphere(2, radius=90.0)
    count, cage_count = len(points), 30
    matrix = (
        sp.random(count, cage_count, 0.1, "csr", random_state=1) if with_cage else sp.eye(count)
    )
    size = matrix.shape[1]
    cage = ControlMesh(
        matrix=sp.csr_matrix(matrix),
        mean=random.normal(scale=90, size=(size, 3)) if with_cage else points,
        identity=random.normal(size=(size, 3, IDENTITY)),
        expression=random.normal(size=(size, 3, EXPRESSION)),
    )

    def fine(basis: np.ndarray) -> np.ndarray:
        return (matrix @ basis.reshape(size, -1)).reshape(count, *basis.shape[1:])

    return MorphableModel(
        name="ball",
        source="made for tests",
        licence="CC0",
        mean=fine(cage.mean),
        identity=fine(cage.identity),
        expression=fine(cage.expression),
        albedo_mean=random.uniform(0.3, 0.6, size=(count, 3)),
        albedo=0.05 * random.normal(size=(count, 3, ALBEDO)),
        triangles=triangles,
        uv=np.zeros((count, 2)),
        landmarks=np.arange(68, dtype=np.int32),
        contour=np.zeros((17, 2), np.int32),
        symmetry=np.arange(count, dtype=np.int32),
        control=cage if with_cage else None,
    )


@pytest.fixture(params=[False, True], ids=["plain", "cage"])
def face_model(request: pytest.FixtureRequest) -> MorphableModel:
    return small_model(request.param)
