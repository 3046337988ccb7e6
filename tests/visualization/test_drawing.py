"""Drawings of scenes whose every pixel is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from tfface.visualization import drawing, overlay, views
from tfface.visualization.posed_face import PhotoCamera, PosedFace

SIZE, RADIUS, DISTANCE = 96, 80.0, 1000.0


@pytest.fixture(scope="module")
def ball():
    """A ball a metre in front of a camera that sees it 70 pixels wide."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    normals = np.asarray(sphere.vertices) / RADIUS
    return PosedFace(
        vertices=np.asarray(sphere.vertices),
        normals=normals,
        triangles=np.asarray(sphere.faces, np.int32),
        albedo=np.tile([[0.8, 0.4, 0.2]], (len(normals), 1)),
        shading=np.full(normals.shape, 0.5),
        fitted=np.ones(len(normals)),
        rotation=np.eye(3),
        translation=np.array([0, 0, -DISTANCE]),
        camera=PhotoCamera(4.4 * SIZE, np.array([SIZE / 2, SIZE / 2])),
    )


@pytest.mark.slow
def test_a_drawing_does_not_depend_on_its_tiles(ball, monkeypatch):
    attributes = np.concatenate([ball.normals_camera, ball.vertices_camera], axis=1)
    whole = drawing.draw(ball, attributes, (0, 0, SIZE, SIZE), 2)
    monkeypatch.setattr(drawing, "TILE", 50)
    tiled = drawing.draw(ball, attributes, (0, 0, SIZE, SIZE), 2)
    np.testing.assert_allclose(tiled.coverage, whole.coverage, atol=0.26)  # a sample or so
    assert np.abs(tiled.coverage - whole.coverage).mean() < 1e-3
    inside = (tiled.coverage == 1) & (whole.coverage == 1)
    np.testing.assert_allclose(tiled.attributes[inside], whole.attributes[inside], atol=0.02)


def test_a_region_is_a_part_of_the_whole(ball):
    whole = drawing.draw(ball, ball.normals_camera, (0, 0, SIZE, SIZE))
    part = drawing.draw(ball, ball.normals_camera, (20, 5, 81, 60))
    np.testing.assert_allclose(part.attributes, whole.attributes[5:60, 20:81], atol=2e-3)


@pytest.mark.slow
def test_coverage_measures_the_outline(ball):
    coverage = drawing.draw(ball, ball.albedo, (0, 0, SIZE, SIZE), 4).coverage
    # A sphere's outline is seen under the angle asin(r / d).
    radius = 4.4 * SIZE * np.tan(np.arcsin(RADIUS / DISTANCE))
    assert coverage.sum() == pytest.approx(np.pi * radius**2, rel=0.005)
    assert ((coverage > 0) & (coverage < 1)).any()


def test_region_bounds_what_is_drawn_and_stays_in_the_picture(ball):
    coverage = drawing.draw(ball, ball.albedo, (0, 0, SIZE, SIZE)).coverage
    rows, columns = np.nonzero(coverage)
    x0, y0, x1, y1 = ball.region(SIZE, SIZE)
    assert x0 <= columns.min() <= x0 + 3
    assert x1 - 4 <= columns.max() < x1
    assert y0 <= rows.min() <= y0 + 3
    assert y1 - 4 <= rows.max() < y1
    shifted = replace(ball, translation=np.array([60.0, 0, -DISTANCE]))
    assert shifted.region(SIZE, SIZE)[2] == SIZE
    gone = replace(ball, translation=np.array([600.0, 0, -DISTANCE]))
    x0, y0, x1, y1 = gone.region(SIZE, SIZE)
    assert x0 == x1
    assert overlay.draw_overlay(np.full((SIZE, SIZE, 3), 9, np.uint8), gone).max() == 9


def test_overlay_shows_the_fitted_part_only(ball):
    photo = np.full((SIZE, SIZE, 3), 200, np.uint8)
    half = replace(ball, fitted=(ball.vertices[:, 0] > 0).astype(float))
    drawn = overlay.draw_overlay(photo, half)
    middle = SIZE // 2
    np.testing.assert_array_equal(drawn[middle, middle - 15], [200, 200, 200])
    np.testing.assert_allclose(drawn[middle, middle + 15], [102, 51, 26], atol=1)
    np.testing.assert_array_equal(drawn[2, 2], [200, 200, 200])


def test_depth_and_normals(ball, tmp_path):
    overlay.write_depth_and_normals(tmp_path / "d.npy", tmp_path / "n.png", ball, SIZE, SIZE)
    depth = np.load(tmp_path / "d.npy")
    middle = SIZE // 2
    assert depth[middle, middle] == pytest.approx(DISTANCE - RADIUS, abs=0.5)
    assert depth[0, 0] == overlay.NO_DEPTH
    normals = cv2.imread(str(tmp_path / "n.png"))[..., ::-1]
    np.testing.assert_allclose(normals[middle, middle], [128, 128, 255], atol=4)
    left, top = normals[middle, middle - 30], normals[middle - 30, middle]
    assert left[0] < 50 < 110 < left[1]  # points to -x
    assert top[1] > 205 > 145 > top[0]  # points to +y


def test_cropped_camera_sees_the_same_pixels(ball):
    points = ball.vertices_camera[::50]
    cropped = ball.cropped(np.array([10.0, 20.0]), 3.0).camera.project(points)
    np.testing.assert_allclose(cropped, 3 * (ball.camera.project(points) - [10, 20]))


def test_turned_view_frames_any_mesh(ball):
    for factor in (0.1, 30.0):
        view = views.draw_turned(
            replace(ball, vertices=factor * ball.vertices + 500), 30.0, size=90
        )
        drawn = (view != views.blank_panel(90)).any(-1)
        assert 70 < drawn.any(0).sum() < 88
        assert 70 < drawn.any(1).sum() < 88
        assert not drawn[[0, -1]].any()


def test_views_have_one_captioned_panel_each(ball):
    sheet = views.draw_views(np.full((SIZE, SIZE, 3), 70, np.uint8), ball)
    height, width = sheet.shape[:2]
    assert width == 7 * views.PANEL
    assert height > views.PANEL
    panels = np.split(sheet[: views.PANEL], 7, axis=1)
    centre = views.PANEL // 2
    assert (panels[0] == 70).all()
    np.testing.assert_allclose(panels[1][centre, centre], [102, 51, 26], atol=1)  # overlay
    np.testing.assert_allclose(panels[3][centre, centre], [204, 102, 51], atol=1)  # albedo
    np.testing.assert_array_equal(panels[1][0, 0], [70, 70, 70])
    for panel in panels[2:]:
        np.testing.assert_array_equal(panel[0, 0], views.blank_panel()[0, 0])
    captions = sheet[views.PANEL :]
    assert all((part < 150).any() for part in np.split(captions, 7, axis=1))
