"""The z-buffer against analytic coverage and ray casting."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import Delaunay

from tests.meshes import sphere
from tfface.rendering.cameras import perspective_projection
from tfface.rendering.rasterize import (
    Rasterization,
    interpolate,
    rasterize,
    rasterize_orthographic,
)
from tfface.rendering.render import render
from tfface.rendering.rotations import rotation_matrix

RANDOM = np.random.default_rng(5)
ONE = np.array([[0, 1, 2]], np.int32)
FOCAL, SIZE = 40.0, 24


def camera_points(pixels: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """`(1, V, 3)` camera-space points that project to given pixels at given depths."""
    x = (pixels[:, 0] - SIZE / 2) * depths / FOCAL
    y = -(pixels[:, 1] - SIZE / 2) * depths / FOCAL
    return np.stack([x, y, -depths], axis=-1)[None].astype(np.float32)


def draw(vertices: np.ndarray, triangles: np.ndarray, **options: object) -> Rasterization:
    return rasterize(vertices, triangles, FOCAL, (SIZE / 2, SIZE / 2), SIZE, SIZE, **options)


def cast_rays(vertices: np.ndarray, triangles: np.ndarray, cull: bool) -> tuple[np.ndarray, ...]:
    """Triangle, barycentrics and depth of every pixel by solving for each ray and triangle."""
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    x, y = (column - SIZE / 2) / FOCAL, -(row - SIZE / 2) / FOCAL
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1)
    ids, depth = np.full((SIZE, SIZE), -1), np.full((SIZE, SIZE), np.inf)
    weights = np.zeros((SIZE, SIZE, 3))
    for number, corners in enumerate(vertices[triangles].astype(np.float64)):
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        if cull and normal @ corners[0] >= 0:
            continue
        solved = rays @ np.linalg.inv(corners)  # ray = weights @ corners / depth
        here = 1 / solved.sum(axis=-1)
        hit = (solved * here[..., None] >= 0).all(axis=-1) & (here >= 1) & (here < depth)
        ids[hit], depth[hit] = number, here[hit]
        weights[hit] = (solved * here[..., None])[hit]
    return ids, weights, np.where(ids >= 0, depth, 0)


def test_coverage_of_a_triangle() -> None:
    """Pixels whose centre lies in the triangle or on its left edge, and no other."""
    corners = np.array([[3.0, 20], [21, 14], [8, 2]])  # counter-clockwise as seen
    drawn = draw(camera_points(corners, np.array([100.0, 100, 100])), ONE)
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    inside, on_edges = np.ones((SIZE, SIZE), bool), []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = end - start
        outwards = edge[0] * (row - start[1]) - edge[1] * (column - start[0])
        left = edge[1] > 0  # runs downwards
        inside &= (outwards <= 0) if left else (outwards < 0)
        on_edges.append((outwards == 0).any())
    assert any(on_edges)
    np.testing.assert_array_equal(drawn.mask[0], inside)
    np.testing.assert_array_equal(drawn.triangle_ids[0], np.where(inside, 0, -1))
    np.testing.assert_allclose(drawn.depth[0], np.where(inside, 100, 0), rtol=1e-6)


def test_nearer_triangle_wins() -> None:
    square = np.array([[4.0, 20], [20, 20], [20, 4], [4, 4]])
    vertices = np.concatenate(
        [camera_points(square, np.full(4, depth)) for depth in (200.0, 100.0, 150.0)], axis=1
    )
    triangles = np.array([[0, 1, 2], [4, 5, 7], [8, 9, 10], [8, 10, 11]], np.int32)
    drawn = draw(vertices, triangles)
    np.testing.assert_array_equal(np.unique(drawn.triangle_ids[0]), [-1, 1, 2, 3])
    assert drawn.triangle_ids[0, 18, 8] == 1  # lower left: the half square at 100
    assert drawn.triangle_ids[0, 8, 18] == 2  # upper right: the square at 150, which hides 200
    np.testing.assert_allclose(drawn.depth[0, 18, 8], 100, rtol=1e-6)


def test_intersecting_triangles_swap_where_they_meet() -> None:
    square = np.array([[2.0, 22], [22, 22], [22, 2], [2, 2]])
    tilted = camera_points(square, np.array([80.0, 160, 160, 80]))
    upright = camera_points(square, np.full(4, 110.0))
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    vertices = np.concatenate([tilted, upright], axis=1)
    expected = cast_rays(vertices[0], triangles, cull=True)
    drawn = draw(vertices, triangles)
    np.testing.assert_array_equal(np.asarray(drawn.triangle_ids[0]) < 2, expected[0] < 2)
    np.testing.assert_allclose(drawn.depth[0], expected[2], rtol=1e-5)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("distance", [40.0, 14.0])
def test_equals_ray_casting(cull: bool, distance: float) -> None:
    """Perspective-correct barycentrics and depths of a strongly foreshortened, open sphere."""
    vertices, triangles = sphere(2, radius=9.0)
    triangles = RANDOM.permutation(triangles)[40:]
    rotation = rotation_matrix(tf.constant([0.2, 0.5, -0.3], tf.float64)).numpy()
    vertices = (vertices @ rotation.T + [1.5, -1, -distance]).astype(np.float32)
    ids, weights, depth = cast_rays(vertices, triangles, cull)
    drawn = draw(vertices[None], triangles, cull_back_faces=cull)
    same = np.asarray(drawn.triangle_ids[0]) == ids
    assert same.mean() > 0.995  # centres on an edge may go to either side
    np.testing.assert_allclose(drawn.barycentrics[0][same], weights[same], atol=1e-4)
    np.testing.assert_allclose(drawn.depth[0][same], depth[same], rtol=1e-5)


def test_triangle_through_the_camera_plane() -> None:
    """A floor that runs from in front of the camera to behind it is cut at `near`, not dropped."""
    floor = np.array([[[-500.0, -5, 300], [500, -5, 300], [0, -5, -400]]], np.float32)
    for near in (1.0, 30.0):
        drawn = draw(floor, ONE, near=near)
        ids, weights, depth = cast_rays(floor[0], ONE, cull=True)
        visible = (ids == 0) & (depth >= near)
        assert visible.sum() > 50
        np.testing.assert_array_equal(drawn.mask[0], visible)
        np.testing.assert_allclose(drawn.barycentrics[0][visible], weights[visible], atol=1e-4)


def test_camera_inside_a_mesh_and_behind_it() -> None:
    vertices, triangles = sphere(2, radius=50.0)
    inside = draw(vertices[None], triangles, cull_back_faces=False)
    assert inside.mask.numpy().all()
    assert not draw(vertices[None], triangles).mask.numpy().any()
    assert not draw(vertices[None] + [0, 0, 200], triangles).mask.numpy().any()


def test_no_cracks_and_no_overlaps_between_neighbours() -> None:
    """Vertices on pixel centres and edges through them: the hardest case for a fill rule."""
    x, y = np.meshgrid(np.arange(2.5, 22, 3), np.arange(2.5, 22, 3))
    count = x.shape[0]
    corners = np.stack([x, y], axis=-1).reshape(-1, 2)
    first = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).reshape(-1)
    quads = np.stack([first, first + count, first + count + 1, first + 1], axis=-1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    depths = RANDOM.uniform(90, 110, size=len(corners))
    drawn = draw(camera_points(corners, depths), triangles)
    assert drawn.mask[0, 3:20, 3:20].numpy().all()


@pytest.mark.slow
def test_no_cracks_in_a_mesh_of_any_shape() -> None:
    """Of triangles of all sizes that pave the picture, every pixel sees one."""
    random = np.random.default_rng(8)
    points = np.concatenate([random.uniform(-20, 90, (4000, 2)), random.uniform(0, 9, (800, 2))])
    triangles = Delaunay(points).simplices.astype(np.int32)
    vertices = np.pad(points, [(0, 0), (0, 1)])[None].astype(np.float32)
    options = {"cull_back_faces": False}
    for draw_all in (rasterize_orthographic, tf.function(rasterize_orthographic)):
        drawn = draw_all(vertices, triangles, 70, 70, **options)
        assert drawn.mask.numpy().all()
        # Drawn without the triangles that are seen there, no pixel is covered again.
        order = np.unique(drawn.triangle_ids)
        unseen = np.delete(triangles, order, axis=0)
        assert not draw_all(vertices, unseen, 70, 70, **options).mask.numpy().any()


@pytest.mark.slow
def test_large_and_small_pictures_of_one_mesh() -> None:
    """Triangles in windows of every size, and paved ones, see what float64 sees."""
    vertices, triangles = sphere(3, radius=90.0)
    points = vertices[None] + [0, 0, -600]
    for size in (16, 60, 150, 400):
        arguments = (triangles, 3.0 * size, (size / 2, size / 2), size, size)
        drawn = rasterize(points.astype(np.float32), *arguments)
        exact = rasterize(points, *arguments)
        same = drawn.triangle_ids.numpy() == exact.triangle_ids.numpy()
        assert same.mean() > 0.999
        np.testing.assert_allclose(drawn.depth[same], exact.depth[same], rtol=1e-5)


def test_ties_go_to_the_lower_number() -> None:
    square = camera_points(np.array([[4.0, 20], [20, 20], [20, 4]]), np.full(3, 100.0))
    for corners in (ONE, ONE[:, ::-1]):
        drawn = draw(square, np.tile(corners, (5, 1)), cull_back_faces=False)
        assert set(np.unique(drawn.triangle_ids)) == {-1, 0}


def test_far_plane_cuts() -> None:
    tilted = camera_points(np.array([[2.0, 22], [22, 22], [12, 2]]), np.array([80.0, 80, 200]))
    whole, cut = draw(tilted, ONE), draw(tilted, ONE, far=110.0)
    np.testing.assert_array_equal(cut.mask, whole.mask & (whole.depth <= 110))
    assert 0 < cut.mask.numpy().sum() < whole.mask.numpy().sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices_camera": np.zeros((4, 3), np.float32)}, r"vertices_camera: expected shape \["),
        ({"vertices_camera": np.zeros((1, 4, 2), np.float32)}, r"expected shape \[B, V, 3\], got"),
        (
            {"vertices_camera": np.zeros((1, 4, 3), np.int32)},
            "expected float32 or float64, got int",
        ),
        ({"triangles": np.zeros((2, 4), np.int32)}, r"triangles: expected shape \[T, 3\], got"),
        (
            {"triangles": np.zeros((2, 3), np.float32)},
            "triangles: expected int32 or int64, got float",
        ),
        ({"vertices_camera": None}, "vertices_camera: expected a tensor, got None"),
        ({"focal_length": [1.0, 2.0]}, "focal_length: expected one for each of 1 pictures, got"),
        ({"principal_point": 4.0}, r"principal_point: expected shape \[B, 2\], got"),
        ({"height": 8.5}, "height: expected a positive number of pixels, got 8.5"),
        ({"width": 0}, "width: expected a positive number of pixels, got 0"),
        ({"near": 5.0, "far": 2.0}, "near, far: expected 0 < near < far, got 5.0 and 2.0"),
        ({"gradients": "some"}, "gradients: expected 'extended' or 'fixed', got 'some'"),
    ],
)
def test_errors_name_the_argument(change: dict[str, object], message: str) -> None:
    arguments = {
        "vertices_camera": np.zeros((1, 4, 3), np.float32), "triangles": ONE, "focal_length": 9.0,
        "principal_point": (4, 4), "height": 8, "width": 8,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        rasterize(**{**arguments, **change})


def test_interpolate_names_the_argument() -> None:
    points = camera_points(np.array([[4.0, 20], [20, 20], [20, 4]]), np.full(3, 100.0))
    drawn = draw(points, ONE)
    with pytest.raises(ValueError, match=r"attributes: expected shape \[B, V, C\], got \(3, 3\)"):
        interpolate(points[0], drawn, ONE)
    with pytest.raises(ValueError, match=r"attributes: expected 1 pictures, got \(2, 3, 3\)"):
        interpolate(np.repeat(points, 2, axis=0), drawn, ONE)
    with pytest.raises(ValueError, match=r"triangles: expected shape \[T, 3\]"):
        interpolate(points, drawn, np.zeros((1, 4), np.int32))
    with pytest.raises(ValueError, match="colours: expected one for each of"):
        render(points, points[:, :2], ONE, FOCAL, (12, 12), 24, 24)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("antialiased", [False, True])
def test_pictures_with_bad_vertices_and_triangles(value: float, antialiased: bool) -> None:
    ball, triangles = sphere(1, radius=8.0)
    vertices = (ball[None] + [0, 0, -40]).astype(np.float32)
    vertices[0, 3] = value
    triangles = np.concatenate([triangles, [[0, 1, 99], [-1, 4, 5]]]).astype(np.int32)
    points, colours = tf.constant(vertices), tf.constant(np.abs(ball[None]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([points, colours])
        picture = render(
            points, colours, triangles, FOCAL, (12, 12), SIZE, SIZE, antialiased=antialiased
        )
        loss = tf.reduce_sum(picture**2)
    assert np.isfinite(picture).all()
    for gradient in tape.gradient(loss, [points, colours]):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


def test_antialiasing_spares_what_passes_behind_the_camera() -> None:
    """Beside the triangles of a vertex behind the camera nothing is blended."""
    vertices, triangles = sphere(2, radius=9.0)
    vertices = vertices[None] + [0, 0, -24.0]
    vertices[0, int(np.argmax(vertices[0, :, 2]))] = [3, 3, 20]
    arguments = (tf.ones_like(vertices), triangles, FOCAL, (12.0, 12.0), SIZE, SIZE)
    sharp = render(tf.constant(vertices), *arguments)[0, :, :, 3].numpy()
    smooth = render(tf.constant(vertices), *arguments, antialiased=True)[0, :, :, 3].numpy()
    assert 0.3 < sharp.mean() < 1
    inner = cv2.erode(sharp, np.ones((3, 3)))
    np.testing.assert_array_equal(smooth[inner > 0], 1)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.slow
def test_triangles_of_missing_vertices_are_not_drawn(traced: bool) -> None:
    points = camera_points(np.array([[4.0, 20], [20, 20], [20, 4]]), np.full(3, 100.0))
    triangles = np.array([[0, 1, 7], [-1, 1, 2], [0, 1, 2]], np.int32)

    def values(points: tf.Tensor) -> tuple[Rasterization, tf.Tensor]:
        seen = draw(points, triangles)
        return seen, interpolate(points, seen, triangles)

    seen, drawn = (tf.function(values) if traced else values)(tf.constant(points))
    expected = draw(points, ONE)
    assert expected.mask.numpy().any()
    np.testing.assert_array_equal(seen.triangle_ids, np.where(expected.mask, 2, -1))
    np.testing.assert_allclose(drawn, interpolate(points, expected, ONE), rtol=1e-6)


def test_cameras_of_a_batch() -> None:
    vertices, triangles = sphere(1, radius=8.0)
    vertices = np.stack([vertices, 1.3 * vertices]) + [0, 0, -40]
    focal, centre = np.array([40.0, 60.0]), np.array([[12.0, 10.0], [9.0, 14.0]])
    together = rasterize(vertices, triangles, focal, centre, 20, 24)
    assert together.triangle_ids.shape == (2, 20, 24)
    for one in range(2):
        alone = rasterize(vertices[one : one + 1], triangles, focal[one], centre[one], 20, 24)
        for name in ("triangle_ids", "barycentrics", "depth"):
            np.testing.assert_array_equal(getattr(together, name)[one], getattr(alone, name)[0])


def test_interpolated_pixels_are_the_pixels() -> None:
    """Perspective-correct weights of the corners give the point that the pixel sees."""
    vertices, triangles = sphere(2, radius=9.0)
    points = tf.constant(vertices[None] + [2, 1, -25], tf.float32)
    drawn = draw(points, triangles)
    seen = interpolate(points, drawn, triangles)
    pixels = perspective_projection(seen, FOCAL, (SIZE / 2, SIZE / 2))
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    mask = drawn.mask[0].numpy()
    assert mask.sum() > 100
    np.testing.assert_allclose(pixels[0][mask], np.stack([column, row], -1)[mask], atol=1e-4)
    np.testing.assert_array_equal(seen[0][~mask], 0)


def test_render_composites_and_has_a_gradient_to_the_colours() -> None:
    vertices, triangles = sphere(1, radius=8.0)
    points = tf.constant(vertices[None] + [0, 0, -40], tf.float32)
    colours = tf.fill([1, len(vertices), 3], 0.25)
    background = tf.constant([0.9, 0.8, 0.7])
    with tf.GradientTape() as tape:
        tape.watch(colours)
        image = render(
            points, colours, triangles, FOCAL, (SIZE / 2, SIZE / 2), SIZE, SIZE, background
        )
        value = tf.reduce_sum(image[..., 0])
    mask = image[0, :, :, 3].numpy() == 1
    np.testing.assert_allclose(image[0][mask][:, :3], 0.25, rtol=1e-6)
    np.testing.assert_allclose(image[0][~mask], [[0.9, 0.8, 0.7, 0]] * (~mask).sum(), rtol=1e-6)
    gradient = tape.gradient(value, colours)
    np.testing.assert_allclose(tf.reduce_sum(gradient), mask.sum(), rtol=1e-5)


@pytest.mark.slow
def test_function_dataset_and_eager_agree() -> None:
    vertices, triangles = sphere(1, radius=8.0)
    points = (vertices[None] + [[[0.0, 0, -40]], [[2, 1, -30]]]).astype(np.float32)
    eager = draw(points, triangles)
    traced = tf.function(
        lambda v: draw(v, triangles), input_signature=[tf.TensorSpec([None, None, 3])]
    )(points)
    assert isinstance(traced, Rasterization)
    np.testing.assert_array_equal(traced.triangle_ids, eager.triangle_ids)
    np.testing.assert_allclose(traced.depth, eager.depth, rtol=1e-6)
    dataset = tf.data.Dataset.from_tensor_slices(points).map(
        lambda v: draw(v[None], triangles).depth
    )
    np.testing.assert_allclose(np.concatenate(list(dataset)), eager.depth, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
def test_hopeless_vertices_draw_nothing_wrong(value: float) -> None:
    vertices, triangles = sphere(1, radius=8.0)
    points = (vertices[None] + [0, 0, -40]).astype(np.float32)
    points[0, 0] = value
    drawn = draw(points, triangles)
    spared = ~(triangles == 0).any(axis=-1)
    expected = draw((vertices[None] + [0, 0, -40]).astype(np.float32), triangles[spared])
    covered = expected.mask.numpy()
    assert np.isfinite(drawn.depth).all()
    assert (drawn.mask.numpy() | ~covered).all()


@pytest.mark.slow
def test_empty_meshes_and_batches() -> None:
    empty = draw(np.zeros((2, 3, 3), np.float32), np.zeros((0, 3), np.int32))
    assert empty.triangle_ids.shape == (2, SIZE, SIZE)
    assert not empty.mask.numpy().any()
    assert draw(np.zeros((0, 3, 3), np.float32), ONE).depth.shape == (0, SIZE, SIZE)
    some = tf.function(
        draw, input_signature=[tf.TensorSpec([1, 3, 3]), tf.TensorSpec([None, 3], tf.int32)]
    )
    assert not some(np.zeros((1, 3, 3)), np.zeros((0, 3), np.int32)).mask.numpy().any()
