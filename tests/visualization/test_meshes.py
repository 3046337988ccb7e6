import numpy as np
import pytest
import trimesh

from tfface.rendering.srgb import srgb_to_linear
from tfface.visualization import meshes


@pytest.fixture
def coloured_sphere():
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=80)
    colours = np.random.default_rng(0).uniform(0, 1, (len(sphere.vertices), 3))
    return np.asarray(sphere.vertices), np.asarray(sphere.faces), colours


def test_obj_keeps_geometry_order_and_colours(tmp_path, coloured_sphere):
    vertices, triangles, colours = coloured_sphere
    meshes.write_obj(tmp_path / "mesh.obj", vertices, triangles, colours)
    lines = [line.split() for line in (tmp_path / "mesh.obj").read_text().splitlines()]
    rows = np.array([line[1:] for line in lines if line[0] == "v"], float)
    np.testing.assert_allclose(rows[:, :3], vertices, atol=6e-5)
    np.testing.assert_allclose(rows[:, 3:], colours, atol=6e-5)
    faces = np.array([line[1:] for line in lines if line[0] == "f"], int)
    np.testing.assert_array_equal(faces - 1, triangles)


def test_obj_opens_in_trimesh(tmp_path, coloured_sphere):
    vertices, triangles, colours = coloured_sphere
    meshes.write_obj(tmp_path / "mesh.obj", vertices, triangles, colours)
    mesh = trimesh.load(tmp_path / "mesh.obj", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.vertices, vertices, atol=6e-5)
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3], 255 * colours, atol=1)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 80**3, rel=0.05)  # outward triangles


def test_glb_is_the_same_mesh_with_linear_colours(tmp_path, coloured_sphere):
    vertices, triangles, colours = coloured_sphere
    meshes.write_glb(tmp_path / "mesh.glb", vertices, triangles, colours)
    mesh = trimesh.load(tmp_path / "mesh.glb", force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-4)
    np.testing.assert_array_equal(mesh.faces, triangles)
    stored = mesh.visual.vertex_colors[:, :3] / 255
    np.testing.assert_allclose(stored, srgb_to_linear(colours), atol=0.003)
    outward = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    assert ((mesh.vertex_normals * outward).sum(1) > 0.98).all()


def test_colours_outside_the_range_are_clipped(tmp_path, coloured_sphere):
    vertices, triangles, colours = coloured_sphere
    meshes.write_obj(tmp_path / "mesh.obj", vertices, triangles, colours * 3 - 1)
    meshes.write_glb(tmp_path / "mesh.glb", vertices, triangles, colours * 3 - 1)
    mesh = trimesh.load(tmp_path / "mesh.obj", process=False, maintain_order=True)
    expected = 255 * np.clip(colours * 3 - 1, 0, 1)
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3], expected, atol=1)
