"""The geometric errors on shapes whose distances are known."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from tfface import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def bumpy_sphere(subdivisions=4):
    """A closed surface without any symmetry, about 90 mm in radius."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    x, y, z = sphere.vertices.T
    radius = 90 + 8 * x * y + 10 * z**3 + 6 * np.sin(3 * x + 1) + 5 * y**2
    return np.asarray(sphere.vertices) * radius[:, None], np.asarray(sphere.faces)


def test_closest_points_on_one_triangle():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    cases = {
        (0.2, 0.2, 5.0): (0.2, 0.2, 0.0),  # inside
        (-1.0, -1.0, 0.0): (0, 0, 0),  # corner a
        (3.0, -1.0, 1.0): (1, 0, 0),  # corner b
        (-0.5, 2.0, 0.0): (0, 1, 0),  # corner c
        (0.5, -2.0, 1.0): (0.5, 0, 0),  # edge ab
        (-2.0, 0.25, 0.0): (0, 0.25, 0),  # edge ac
        (1.0, 1.0, 0.0): (0.5, 0.5, 0),  # edge bc
    }
    for point, expected in cases.items():
        np.testing.assert_allclose(metrics.closest_points(np.array(point), corners), expected)


def test_mesh_distance_is_exact_with_triangles_of_very_different_sizes(rng):
    vertices, triangles = bumpy_sphere(2)
    huge = len(vertices) + np.arange(3)
    vertices = np.concatenate([vertices, [[-900.0, -900, 150], [900, -900, 150], [0, 900, 150]]])
    triangles = np.concatenate([triangles, [huge]])
    points = rng.normal(size=(500, 3)) * 120
    found = metrics.MeshDistance(vertices, triangles).query(points, proposals=4)
    every = metrics.closest_points(points[:, None], vertices[triangles][None])
    expected = np.linalg.norm(every - points[:, None], axis=-1).min(axis=1)
    np.testing.assert_allclose(found.distances, expected, atol=1e-9)


def test_fit_similarity_recovers_a_known_one(rng):
    source = rng.normal(size=(20, 3))
    truth = metrics.Similarity(3.5, Rotation.from_rotvec([0.3, 2, -1]).as_matrix(), np.arange(3.0))
    found = metrics.fit_similarity(source, truth.apply(source))
    assert found.scale == pytest.approx(3.5)
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, truth.translation, atol=1e-12)
    np.testing.assert_allclose(found.inverse(found.apply(source)), source, atol=1e-12)


def test_fit_similarity_never_mirrors(rng):
    source = rng.normal(size=(20, 3))
    found = metrics.fit_similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_fit_similarity_refuses_points_on_a_line():
    line = np.outer(np.arange(5.0), [1, 2, 3])
    with pytest.raises(ValueError, match="not on one line"):
        metrics.fit_similarity(line, line)


def test_per_vertex_error_forgives_translation_and_scale_only(rng):
    truth = rng.normal(size=(100, 3)) * 70
    np.testing.assert_allclose(
        metrics.per_vertex_error(1.2 * truth + [5, -9, 900], truth), 0, atol=1e-9
    )
    turned = truth @ Rotation.from_rotvec([0, 0.2, 0]).as_matrix().T
    assert metrics.per_vertex_error(turned, truth).mean() > 5


def test_per_vertex_error_of_one_moved_pair():
    # Four corners of a square; two opposite ones rise by h. The mean plane rises by h/2, and
    # the scale that fits best is 1 over (spread with the rise) times the spread without.
    truth = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    h = 0.5
    estimate = truth.copy()
    estimate[:2, 2] = h
    scale = 4 / (4 + 4 * (h / 2) ** 2)
    expected = np.hypot(1 - scale, scale * h / 2)
    np.testing.assert_allclose(metrics.per_vertex_error(estimate, truth), expected)


def test_scan_to_mesh_of_concentric_spheres_without_alignment():
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=80)
    scan = trimesh.creation.icosphere(subdivisions=4, radius=83).vertices
    here = metrics.Similarity(1.0, np.eye(3), np.zeros(3))
    result = metrics.scan_to_mesh(
        scan, sphere.vertices, sphere.faces, nose_tip=[0, 0, 83], initial=here, iterations=0
    )
    assert result.mean == pytest.approx(3, abs=0.03)
    assert result.used.sum() < len(scan)
    assert np.linalg.norm(scan[result.used] - [0, 0, 83], axis=1).max() <= 95


def test_scan_to_mesh_solves_scale_and_pose():
    vertices, triangles = bumpy_sphere()
    away = metrics.Similarity(0.01, Rotation.from_rotvec([1, 2, 0.5]).as_matrix(), np.ones(3))
    mesh = away.apply(vertices)  # another unit, another place
    landmarks = np.array([3, 50, 200, 400, 700, 900])
    noise = np.random.default_rng(1).normal(size=(6, 3)) * 3
    initial = metrics.fit_similarity(mesh[landmarks], vertices[landmarks] + noise)
    result = metrics.scan_to_mesh(
        vertices, mesh, triangles, nose_tip=vertices[0], initial=initial, radius=130
    )
    assert result.mean < 1e-3
    assert result.alignment.scale == pytest.approx(100, rel=1e-4)


def test_scan_to_mesh_measures_a_known_bump():
    vertices, triangles = bumpy_sphere()
    direction = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    centre = direction[triangles[0, 0]]
    bump = 2.0 * np.clip((direction @ centre - 0.95) / 0.05, 0, None)  # 2 mm high
    scan = vertices + bump[:, None] * direction
    start = metrics.Similarity(1.02, np.eye(3), np.array([1.0, -2, 1]))
    result = metrics.scan_to_mesh(
        scan, vertices, triangles, nose_tip=scan[0], initial=start, radius=300
    )
    assert result.mean == pytest.approx(bump.mean(), abs=0.05)
    assert 1.7 < result.distances.max() < 2.1  # the whole surface gives way to it a little


def test_scan_to_mesh_needs_points_near_the_nose():
    vertices, triangles = bumpy_sphere(1)
    here = metrics.Similarity(1.0, np.eye(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"95\.0 mm of the nose tip"):
        metrics.scan_to_mesh(vertices, vertices, triangles, nose_tip=[0, 0, 999], initial=here)


def test_the_hausdorff_distance_of_shifted_spheres_is_the_shift():
    vertices, triangles = bumpy_sphere(3)
    sphere = 90 * vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    larger = sphere * (95 / 90)
    assert metrics.hausdorff_distance((sphere, triangles), (sphere, triangles)) < 1e-9
    found = metrics.hausdorff_distance((sphere, triangles), (larger, triangles))
    assert found == pytest.approx(5.0, rel=0.03)  # the triangles lie beneath the sphere


def test_the_hausdorff_distance_is_the_largest_of_all():
    random = np.random.default_rng(4)
    sphere, triangles = bumpy_sphere(3)
    meshes = [(sphere + random.normal(0, 3, sphere.shape), triangles) for _ in range(2)]
    distances = [
        metrics.MeshDistance(*meshes[1 - i]).query(meshes[i][0]).distances.max() for i in range(2)
    ]
    assert metrics.hausdorff_distance(*meshes) == pytest.approx(max(distances), rel=1e-9)


def test_the_hausdorff_distance_of_nothing():
    mesh = bumpy_sphere(1)
    for pair in ((mesh, (mesh[0], mesh[1][:0])), ((mesh[0], mesh[1][:0]), mesh)):
        with pytest.raises(ValueError, match="triangles: expected"):
            metrics.hausdorff_distance(*pair)


def test_the_hausdorff_distance_sees_a_part_that_the_other_lacks():
    vertices, triangles = bumpy_sphere(3)
    half = triangles[(vertices[triangles][..., 2] > 0).all(axis=1)]
    full, cut = (vertices, triangles), (vertices, half)
    found = metrics.hausdorff_distance(full, cut)
    assert found == metrics.hausdorff_distance(cut, full)
    assert found > 80
