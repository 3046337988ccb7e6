"""The symmetric point-to-plane distance on surfaces whose distances are known."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from tfface import metrics
from tfface.metrics.point_to_plane import _on_border

SAME = metrics.Similarity(1.0, np.eye(3), np.zeros(3))


def sheet(half, step, height=lambda x, y: 0.0 * x):
    """A grid from -half to half in x and y."""
    line = np.arange(-half, half + step / 2, step)
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    count = len(line)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + count], axis=-1)
    upper = np.stack([corner + 1, corner + count + 1, corner + count], axis=-1)
    return np.stack([x, y, height(x, y)], axis=-1), np.concatenate([lower, upper])


def bowl(half, step):
    return sheet(half, step, lambda x, y: 60 * np.cos(x / 70) * np.cos(y / 90) + 5 * np.sin(x / 20))


def test_one_surface_in_two_meshes_of_another_size_and_place():
    scan, (vertices, triangles) = bowl(120, 3.0), bowl(118, 4.1)
    turn = Rotation.from_rotvec([0.02, -0.03, 0.05]).as_matrix()
    moved = 0.9 * vertices @ turn.T + [2.0, 1.0, -3.0]
    start = metrics.Similarity(1 / 0.9, np.eye(3), np.zeros(3))
    tip = np.array([0.0, 0.0, 60.0])
    found = metrics.symmetric_point_to_plane(scan, (moved, triangles), nose_tip=tip, initial=start)
    assert found.mean < 0.05
    assert found.alignment.scale == pytest.approx(1 / 0.9, rel=2e-3)


def test_stripes_above_and_below():
    """A millimetre along the z axis, on a surface that tells its size."""

    def dome(x, y):
        return 80 * np.cos(x / 80) * np.cos(y / 80)

    def stripes(x, y):
        return dome(x, y) + np.where(np.floor((x + 10) / 24) % 2 == 0, 1.0, -1.0)

    scan, mesh = sheet(120, 4.0, dome), sheet(119, 2.0, stripes)
    tip = np.array([0.0, 0.0, 80.0])
    found = metrics.symmetric_point_to_plane(scan, mesh, nose_tip=tip, initial=SAME)
    near = scan[0][np.linalg.norm(scan[0] - tip, axis=-1) < 95]
    x, y = near[:, 0] / 80, near[:, 1] / 80
    slope = np.hypot(np.sin(x) * np.cos(y), np.cos(x) * np.sin(y))
    expected = np.mean(1 / np.sqrt(1 + slope**2))
    assert found.from_mesh.mean() == pytest.approx(expected, rel=0.02)
    assert found.from_scan.mean() == pytest.approx(expected, rel=0.02)
    assert found.mean == pytest.approx((found.from_mesh.mean() + found.from_scan.mean()) / 2)


def test_what_lies_beside_the_crop_does_not_count():
    def wild(x, y):
        return np.where(np.hypot(x, y) > 110, 30 * np.sin(x), 0.0)

    scan, mesh = sheet(150, 4.0), sheet(180, 3.0, wild)
    found = metrics.symmetric_point_to_plane(scan, mesh, nose_tip=np.zeros(3), initial=SAME)
    assert found.mean < 1e-3
    assert len(found.from_mesh) > 1000


def test_a_part_of_the_mesh():
    """What does not count, as a mouth's inside, is a millimetre off; all of it is aligned."""
    scan = bowl(120, 4.0)
    vertices, triangles = bowl(119, 3.0)
    part = vertices[:, 0] < 20
    vertices = vertices - np.where(vertices[:, :1] > 26, [[0.0, 0.0, 1.0]], 0.0)
    options = {"nose_tip": np.array([0.0, 0.0, 60.0]), "initial": SAME}
    found = metrics.symmetric_point_to_plane(scan, (vertices, triangles), part=part, **options)
    whole = metrics.symmetric_point_to_plane(scan, (vertices, triangles), **options)
    assert len(found.from_mesh) < 0.7 * len(whole.from_mesh)
    assert len(found.from_scan) < 0.7 * len(whole.from_scan)
    assert found.alignment.translation == pytest.approx(whole.alignment.translation)
    with pytest.raises(ValueError, match="part: expected shape"):
        metrics.symmetric_point_to_plane(scan, (vertices, triangles), part=part[1:], **options)


def test_triangles_that_touch_the_border_with_one_corner():
    """What lies beyond that corner is as near to them as to those with an edge there."""
    fan = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4]])
    assert _on_border(fan).all()
    _, triangles = sheet(4, 1.0)
    inside = np.isin(triangles % 9, range(1, 8)) & np.isin(triangles // 9, range(1, 8))
    np.testing.assert_array_equal(_on_border(triangles), ~inside.all(axis=1))


def test_nothing_in_common_or_near_the_nose():
    ball = trimesh.creation.icosphere(subdivisions=2)
    scan = np.asarray(ball.vertices) * 90, np.asarray(ball.faces)
    with pytest.raises(ValueError):
        metrics.symmetric_point_to_plane(scan, scan, nose_tip=np.array([900.0, 0, 0]), initial=SAME)
