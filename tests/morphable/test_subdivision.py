"""Catmull-Clark subdivision against positions that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfface.morphable.subdivision import catmull_clark, triangulate

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """An n by n grid of unit squares in the plane z = 0."""
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    index = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1)
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3), quads.reshape(-1, 4)


def test_cube_gives_the_textbook_points():
    matrix, quads = catmull_clark(CUBE_QUADS, 8)
    fine = matrix @ CUBE
    assert fine.shape == (8 + 12 + 6, 3) and quads.shape == (24, 4)
    np.testing.assert_allclose(fine[:8], CUBE * 5 / 9)  # (F + 2 M + 0 P) / 3 = P (1/3 + 4/3) / 3
    np.testing.assert_allclose(np.sort(np.abs(fine[8:20]), 1), np.tile([0, 0.75, 0.75], (12, 1)))
    np.testing.assert_allclose(np.abs(fine[20:]).max(1), 1.0)


def test_orientation_is_kept():
    matrix, quads = catmull_clark(CUBE_QUADS, 8)
    for vertices, faces in ((CUBE, CUBE_QUADS), (matrix @ CUBE, quads)):
        a, b, _, d = np.moveaxis(vertices[faces], 1, 0)
        outward = (np.cross(b - a, d - a) * vertices[faces].mean(1)).sum(1)
        assert (outward > 0).all() or (outward < 0).all()
        signs = np.sign(outward[0])
        assert signs == np.sign(outward).mean()


def test_weights_are_affine_and_planes_stay_planes():
    vertices, quads = grid(4)
    matrix, fine_quads = catmull_clark(quads, len(vertices))
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1.0)
    fine = matrix @ vertices
    np.testing.assert_allclose(fine[:, 2], 0.0)
    # A regular grid's inner vertices do not move, its border stays straight.
    inner = ((vertices[:, :2] > 0) & (vertices[:, :2] < 4)).all(1)
    np.testing.assert_allclose(fine[: len(vertices)][inner], vertices[inner], atol=1e-12)
    border = np.flatnonzero((vertices[:, 0] == 0) & (vertices[:, 1] % 4 > 0))  # corners round
    np.testing.assert_allclose(fine[border, 0], 0.0, atol=1e-12)
    assert len(fine_quads) == 4 * len(quads)


def test_it_commutes_with_a_linear_basis():
    rng = np.random.default_rng(0)
    vertices, quads = grid(3)
    basis, coefficients = rng.normal(size=(len(vertices), 3, 5)), rng.normal(size=5)
    matrix, _ = catmull_clark(quads, len(vertices))
    fine_basis = (matrix @ basis.reshape(len(vertices), -1)).reshape(-1, 3, 5)
    np.testing.assert_allclose(
        matrix @ (vertices + basis @ coefficients),
        matrix @ vertices + fine_basis @ coefficients,
        atol=1e-12,
    )


def test_mirrored_quads_are_cut_along_mirrored_diagonals():
    vertices, quads = grid(4)
    index = np.arange(25).reshape(5, 5)
    symmetry = index[::-1].ravel()
    triangles = triangulate(quads, symmetry)
    assert triangles.shape == (2 * len(quads), 3)
    as_set = {frozenset(t) for t in triangles.tolist()}
    assert as_set == {frozenset(t) for t in symmetry[triangles].tolist()}
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


@pytest.mark.parametrize(
    ("quads", "message"),
    [
        (np.zeros((2, 3), int), r"quads: expected shape \(Q, 4\), got \(2, 3\)"),
        (np.array([[0, 1, 2, 9]]), r"quads: expected indices in \[0, 4\), got 0 to 9"),
        (np.array([[0, 1, 2, 3]] * 3), "quads: expected edges of one or two quads, got one of 3"),
    ],
)
def test_wrong_quads_are_named(quads, message):
    with pytest.raises(ValueError, match=message):
        catmull_clark(quads, 4)
