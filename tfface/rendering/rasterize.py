"""A z-buffer in plain TensorFlow: which triangle each pixel sees, batched and perspective-correct.

A vertex enters as homogeneous pixels h = (h_x, h_y, w), its pixel being (h_x / w, h_y / w), and an
order z: of two surfaces the one with less z / w is seen. Seen from the pixel centre (x, y), a
triangle of corners h_i is the 2D triangle of u_i = (h_x - w x, h_y - w y), and the areas
e_i = u_j x u_k are its barycentric coordinates up to scale: perspective-correct, and valid also for
a triangle that passes behind the camera (homogeneous rasterisation, Olano and Greer 1997). Two
triangles get exactly opposite values on a common edge, so that no pixel falls between them.

Steps: (1) the box of pixel centres of every triangle; (2) one candidate for each pixel of each box;
(3) areas and order of every candidate; (4) the first in order of each pixel. No gradient flows
through these; barycentrics and depth of what is seen have an analytic one.
Index arithmetic is in int64, which GPUs do themselves (TensorFlow computes int32 on the host).
Conventions: see `tfface`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

Gradients = Literal["extended", "fixed"]

_MARGIN = 1e-2  # pixels by which boxes are widened against rounding; step (3) decides


@dataclass(frozen=True)
class Rasterization:
    """What each pixel centre sees.

    Attributes:
        triangle_ids: `[B, H, W]` int32 number of the nearest triangle, -1 on the background.
        barycentrics: `[B, H, W, 3]` weights of its corners at the surface point seen
            (perspective-correct, sum 1), 0 on the background.
        depth: `[B, H, W]` distance of that point along the viewing axis (-Z), mm; 0 on the
            background.
    """

    triangle_ids: tf.Tensor
    barycentrics: tf.Tensor
    depth: tf.Tensor

    @property
    def mask(self) -> tf.Tensor:
        """`[B, H, W]` bool, true where there is a surface."""
        return self.triangle_ids >= 0

    def __tf_flatten__(self) -> tuple[tuple[()], tuple[tf.Tensor, ...]]:
        """Lets a `tf.function` return it (the protocol of `tf.nest`)."""
        return (), (self.triangle_ids, self.barycentrics, self.depth)

    @classmethod
    def __tf_unflatten__(cls, metadata: Any, components: tuple[tf.Tensor, ...]) -> Rasterization:
        return cls(*components)


def rasterize(
    vertices_camera: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    height: int,
    width: int,
    near: float = 1.0,
    far: float = float("inf"),
    cull_back_faces: bool = True,
    gradients: Gradients = "extended",
) -> Rasterization:
    """Finds the nearest triangle at every pixel centre of a perspective camera.

    A pixel centre on an edge belongs to the triangle of which it is a top or left edge; of two
    triangles equally deep the one with the lower number is seen. Triangles that cross the near or
    far plane are cut there. Degenerate triangles, and those with a vertex that is not a number,
    are not drawn and get no gradient.

    Args:
        vertices_camera: `[B, V, 3]` camera-space positions, mm; float32 or float64.
        triangles: `[T, 3]` int32 vertex numbers, counter-clockwise seen from outside.
        focal_length: pixels, a scalar or `[B]`.
        principal_point: pixels, `[2]` or `[B, 2]`.
        height: H of the picture.
        width: W of the picture.
        near: surfaces nearer than this depth (mm) are not drawn.
        far: nor those farther than this.
        cull_back_faces: whether triangles that turn away from the camera are left out.
        gradients: what the barycentrics and depth of a pixel tell the vertices of the triangle
            seen there, whose number is taken as constant. "extended": both change as the vertices
            move, as though the triangle went on beyond its edges (Genova et al. 2018, section
            3.2). "fixed": barycentrics are constants, and depth changes with that of the vertices
            only (Richardson et al. 2017, eq. (7)).

    Raises:
        ValueError: an argument has another shape, dtype or value; the message names it.
    """
    vertices = _checked(vertices_camera, triangles, 3, "vertices_camera")
    _check_size(height, width)
    if not 0 < near < far:
        raise ValueError(f"near, far: expected 0 < near < far, got {near!r} and {far!r}")
    x, y, z = tf.unstack(vertices, axis=-1)
    focal = tf.reshape(tf.cast(focal_length, vertices.dtype), [-1, 1])
    centre = tf.reshape(tf.cast(principal_point, vertices.dtype), [-1, 2])
    homogeneous = tf.stack([focal * x - centre[:, :1] * z, -focal * y - centre[:, 1:] * z, -z], -1)
    # 1 / w is linear in the picture, so that -1 / w orders as w does.
    limits = (-1.0 / near, -1.0 / far)
    return _rasterize(
        homogeneous, -tf.ones_like(z), triangles, limits, height, width, cull_back_faces, gradients
    )


def rasterize_clip_space(
    vertices_clip: tf.Tensor,
    triangles: tf.Tensor,
    height: int,
    width: int,
    cull_back_faces: bool = False,
    gradients: Gradients = "extended",
) -> Rasterization:
    """As `rasterize`, for any camera: of vertices after its projection matrix.

    What lies in -w <= z <= w with w > 0 is drawn, that with the least z / w in front; x / w from
    -1 to 1 goes from the left to the right side of the picture and y / w from its bottom to its
    top, as in OpenGL. `depth` is w.

    Args:
        vertices_clip: `[B, V, 4]` (x, y, z, w); float32 or float64. z gets no gradient.
        triangles, height, width, cull_back_faces, gradients: as of `rasterize`.

    Raises:
        ValueError: an argument has another shape, dtype or value; the message names it.
    """
    vertices = _checked(vertices_clip, triangles, 4, "vertices_clip")
    _check_size(height, width)
    x, y, z, w = tf.unstack(vertices, axis=-1)
    homogeneous = tf.stack([(w + x) * (width / 2), (w - y) * (height / 2), w], axis=-1)
    limits = (-1.0, 1.0)
    return _rasterize(homogeneous, z, triangles, limits, height, width, cull_back_faces, gradients)


def rasterize_orthographic(
    vertices_image: tf.Tensor,
    triangles: tf.Tensor,
    height: int,
    width: int,
    cull_back_faces: bool = True,
    gradients: Gradients = "extended",
) -> Rasterization:
    """As `rasterize`, for weak perspective: of vertices that are in the picture already.

    Args:
        vertices_image: `[B, V, 3]` (x, y, depth): pixels, and a depth of any unit and sign.
        triangles, height, width, cull_back_faces, gradients: as of `rasterize`.

    Raises:
        ValueError: an argument has another shape, dtype or value; the message names it.
    """
    vertices = _checked(vertices_image, triangles, 3, "vertices_image")
    _check_size(height, width)
    x, y, z = tf.unstack(vertices, axis=-1)
    limits = (-float("inf"), float("inf"))
    homogeneous = tf.stack([x, y, tf.ones_like(z)], axis=-1)
    seen = _rasterize(homogeneous, z, triangles, limits, height, width, cull_back_faces, gradients)
    depth = interpolate(vertices[..., 2:], seen, tf.convert_to_tensor(triangles))[..., 0]
    return Rasterization(seen.triangle_ids, seen.barycentrics, depth)


def interpolate(
    attributes: tf.Tensor, rasterization: Rasterization, triangles: tf.Tensor
) -> tf.Tensor:
    """Attributes of the surface points seen; differentiable in the attributes.

    Args:
        attributes: `[B, V, C]` values at the vertices.
        rasterization: of the mesh.
        triangles: `[T, 3]` vertex numbers.

    Returns:
        `[B, H, W, C]`, zero on the background.
    """
    corners = tf.gather(triangles, tf.maximum(rasterization.triangle_ids, 0))  # (B, H, W, 3)
    values = tf.gather(attributes, corners, axis=1, batch_dims=1)  # (B, H, W, 3, C)
    weights = tf.cast(rasterization.barycentrics, values.dtype)
    return tf.reduce_sum(weights[..., None] * values, axis=-2)


def render(
    vertices_camera: tf.Tensor,
    colours: tf.Tensor,
    triangles: tf.Tensor,
    focal_length: tf.Tensor | float,
    principal_point: tf.Tensor | tuple[float, float],
    height: int,
    width: int,
    background: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Draws a mesh with vertex colours over a background.

    Args:
        vertices_camera: `[B, V, 3]` camera-space positions, mm.
        colours: `[B, V, 3]` vertex colours, already shaded.
        triangles: `[T, 3]` int32 vertex numbers, counter-clockwise seen from outside.
        focal_length: pixels, a scalar or `[B]`.
        principal_point: pixels, `[2]` or `[B, 2]`.
        height: H of the picture.
        width: W of the picture.
        background: anything that broadcasts to `[B, H, W, 3]`.

    Returns:
        `[B, H, W, 4]`: RGB (not clipped) and coverage (1 on the mesh, 0 on the background).
    """
    seen = rasterize(vertices_camera, triangles, focal_length, principal_point, height, width)
    coverage = tf.cast(seen.mask, colours.dtype)[..., None]
    surface = interpolate(colours, seen, triangles)
    composite = surface + (1 - coverage) * tf.cast(background, colours.dtype)
    return tf.concat([composite, coverage], axis=-1)


def _rasterize(
    homogeneous: tf.Tensor,
    order: tf.Tensor,
    triangles: tf.Tensor,
    limits: tuple[float, float],
    height: int,
    width: int,
    cull_back_faces: bool,
    gradients: Gradients,
) -> Rasterization:
    """The common part: vertices `[B, V, 3]`, their orders `[B, V]`, and the orders drawn."""
    if gradients not in ("extended", "fixed"):
        raise ValueError(f"gradients: expected 'extended' or 'fixed', got {gradients!r}")
    triangles = tf.convert_to_tensor(triangles)

    @tf.custom_gradient
    def surface(homogeneous: tf.Tensor) -> tuple[Any, Any]:
        ids, barycentrics, depth = _see(
            homogeneous, order, triangles, limits, height, width, cull_back_faces
        )

        def gradient(_: tf.Tensor, on_barycentrics: tf.Tensor, on_depth: tf.Tensor) -> tf.Tensor:
            return _to_vertices(
                homogeneous, triangles, ids, barycentrics, depth,
                on_barycentrics if gradients == "extended" else None, on_depth,
            )  # fmt: skip

        return (ids, barycentrics, depth), gradient

    ids, barycentrics, depth = surface(homogeneous)
    if gradients == "fixed":
        barycentrics = tf.stop_gradient(barycentrics)
    return Rasterization(ids, barycentrics, depth)


def _see(
    homogeneous: tf.Tensor,
    order: tf.Tensor,
    triangles: tf.Tensor,
    limits: tuple[float, float],
    height: int,
    width: int,
    cull_back_faces: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Triangle ids, barycentrics and depth of every pixel."""
    batch = tf.shape(homogeneous, out_type=tf.int64)[0]
    triangle_count = tf.shape(triangles, out_type=tf.int64)[0]
    rows = tf.concat([homogeneous, order[..., None]], axis=-1)
    corners = tf.reshape(tf.gather(rows, triangles, axis=1), [-1, 12])  # (B * T, 12)

    boxes = _pixel_boxes(_columns(corners), limits[0], cull_back_faces, height, width)
    owner, column, row = _box_pixels(*boxes)  # (P,) candidates; owner in B * T
    seen = _columns(tf.gather(corners, owner))
    barycentrics, depth, place, hit = _intersect(seen, column, row, limits, cull_back_faces)

    pixel = (owner // triangle_count * height + row) * width + column
    nearest = _nearest(tf.where(hit, pixel, -1), place, tf.cast(batch * height * width, tf.int32))
    values = tf.concat([barycentrics, depth[None]], axis=0)
    values = tf.gather(tf.pad(tf.transpose(values), [[1, 0], [0, 0]]), nearest + 1)
    triangle = tf.cast(owner % triangle_count, tf.int32)
    triangle = tf.gather(tf.pad(triangle, [[1, 0]], constant_values=-1), nearest + 1)
    return (
        tf.reshape(triangle, [batch, height, width]),
        tf.reshape(values[:, :3], [batch, height, width, 3]),
        tf.reshape(values[:, 3], [batch, height, width]),
    )


def _to_vertices(
    homogeneous: tf.Tensor,
    triangles: tf.Tensor,
    ids: tf.Tensor,
    barycentrics: tf.Tensor,
    depth: tf.Tensor,
    on_barycentrics: tf.Tensor | None,
    on_depth: tf.Tensor,
) -> tf.Tensor:
    """Gradient `[B, V, 3]` on homogeneous vertices of that on barycentrics and depth.

    With the corners as columns of M, and p = (x, y, 1) the pixel, M b' = p has the solution
    b' = b / d, so that d = 1 / sum b'. A change of M changes b' by -M^-1 dM b'; hence the gradient
    on corner j is -M^-T g' b'_j with g' that on b', and M^-T is taken out of the sum over the
    pixels of a triangle. Without `on_barycentrics` only d = sum_j b_j w_j is differentiated.
    """
    batch, vertex_count = tf.unstack(tf.shape(homogeneous, out_type=tf.int64)[:2])
    count = tf.shape(triangles, out_type=tf.int64)[0]
    first = tf.range(batch)[:, None, None]
    triangle = tf.reshape(tf.where(ids >= 0, tf.cast(ids, tf.int64) + first * count, -1), [-1])
    segments = tf.cast(batch * count, tf.int32)
    b, d = tf.reshape(barycentrics, [-1, 3]), tf.reshape(depth, [-1, 1])
    on_d = tf.reshape(on_depth, [-1, 1])
    if on_barycentrics is None:
        sums = tf.math.unsorted_segment_sum(on_d * b, triangle, segments)
        on_corners = tf.pad(sums[:, :, None], [[0, 0], [0, 0], [2, 0]])  # w alone
    else:
        on_b = tf.reshape(on_barycentrics, [-1, 3])
        on_solution = d * (on_b - tf.reduce_sum(on_b * b, -1, keepdims=True)) - d * d * on_d
        solution = tf.math.divide_no_nan(b, d)
        outer = tf.reshape(on_solution[:, :, None] * solution[:, None], [-1, 9])
        sums = tf.math.unsorted_segment_sum(outer, triangle, segments)
        drawn = (
            tf.math.unsorted_segment_max(tf.ones_like(triangle, tf.int32), triangle, segments) > 0
        )
        corners = tf.reshape(tf.gather(homogeneous, triangles, axis=1), [-1, 3, 3])
        corners = tf.where(drawn[:, None, None], corners, tf.eye(3, dtype=corners.dtype))
        on_corners = -_times_inverse(corners, tf.reshape(sums, [-1, 3, 3]))
    vertices = tf.reshape(tf.cast(triangles, tf.int64) + first * vertex_count, [-1])
    total = tf.math.unsorted_segment_sum(
        tf.reshape(on_corners, [-1, 3]), vertices, tf.cast(batch * vertex_count, tf.int32)
    )
    return tf.reshape(total, tf.shape(homogeneous))


def _times_inverse(corners: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """`(n, corner j, 3)` M^-T values[:, j] of triangles `(n, corner, 3)`; values `(n, i, j)`.

    The columns of M^-T are cross products of corners over their determinant. They are taken
    around the first corner's pixel: around that of the picture, small triangles would cancel out.
    """
    w = corners[..., 2:]
    origin = tf.math.divide_no_nan(corners[:, :1, :2], w[:, :1])
    local = tf.concat([corners[..., :2] - origin * w, w], axis=-1)
    crosses = tf.linalg.cross(tf.roll(local, -1, axis=1), tf.roll(local, -2, axis=1))
    determinant = tf.reduce_sum(crosses[:, :1] * local[:, :1], axis=-1, keepdims=True)
    result = tf.matmul(values, crosses, transpose_a=True) / determinant
    xy = result[..., :2]
    return tf.concat([xy, result[..., 2:] - tf.reduce_sum(origin * xy, -1, keepdims=True)], -1)


def _checked(vertices: Any, triangles: Any, size: int, name: str) -> tf.Tensor:
    vertices, triangles = tf.convert_to_tensor(vertices), tf.convert_to_tensor(triangles)
    if vertices.dtype not in (tf.float32, tf.float64):
        raise ValueError(f"{name}: expected float32 or float64, got {vertices.dtype.name}")
    if vertices.shape.rank != 3 or vertices.shape[2] != size:
        raise ValueError(f"{name}: expected shape [B, V, {size}], got {vertices.shape}")
    if triangles.dtype not in (tf.int32, tf.int64):
        raise ValueError(f"triangles: expected int32, got {triangles.dtype.name}")
    if triangles.shape.rank != 2 or triangles.shape[1] != 3:
        raise ValueError(f"triangles: expected shape [T, 3], got {triangles.shape}")
    return vertices


def _check_size(height: int, width: int) -> None:
    for name, value in (("height", height), ("width", width)):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number of pixels, got {value!r}")


def _columns(corners: tf.Tensor) -> tf.Tensor:
    """`(3 corners, 4 coordinates, n)` from `(n, 12)`: gathering wants rows, arithmetic columns."""
    return tf.reshape(tf.transpose(corners), [3, 4, -1])


def _pixel_boxes(
    corners: tf.Tensor, nearest: float, cull_back_faces: bool, height: int, width: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """First pixel and size of the box of pixel centres of each triangle, both `(2, n)` int64."""
    w, z = corners[:, 2], corners[:, 3]
    distance = z - nearest * w  # from the near plane
    inside = distance >= 0
    visible = tf.reduce_any(inside, axis=0)
    # The corners of what is in front: those inside, and where edges cross the plane.
    step = tf.roll(corners, -1, axis=0) - corners
    crosses = inside != tf.roll(inside, -1, axis=0)
    part = tf.where(
        crosses, distance / tf.where(crosses, distance - tf.roll(distance, -1, 0), 1), 0
    )
    cuts = corners + part[:, None] * step
    kept = tf.concat([inside, crosses], axis=0)[:, None]
    ends = tf.concat([corners, cuts], axis=0)
    ahead = ends[:, 2:3] > 0
    points = ends[:, :2] / tf.where(ahead, ends[:, 2:3], 1)
    infinity = tf.constant(float("inf"), corners.dtype)
    lowest = tf.reduce_min(tf.where(kept, tf.where(ahead, points, -infinity), infinity), axis=0)
    highest = tf.reduce_max(tf.where(kept, tf.where(ahead, points, infinity), -infinity), axis=0)
    if cull_back_faces:
        whole = tf.reduce_all(inside, axis=0)
        (ax, ay), (bx, by) = (tf.unstack(points[k] - points[0]) for k in (1, 2))
        visible &= ~whole | (ax * by <= ay * bx)  # y points down: front faces turn clockwise
    last = tf.constant([[width - 1], [height - 1]], corners.dtype)
    low = tf.maximum(tf.math.ceil(lowest - 0.5 - _MARGIN), 0)
    high = tf.minimum(tf.floor(highest - 0.5 + _MARGIN), last)
    visible &= tf.reduce_all(high >= low, axis=0)  # also false where a vertex is not a number
    low, size = tf.where(visible, low, 0), tf.where(visible, high - low + 1, 0)
    return tf.cast(low, tf.int64), tf.cast(size, tf.int64)


def _box_pixels(low: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Lists the pixels of all boxes `(2, n)`: for each, its box, column and row, `(P,)` int64."""
    counts = size[0] * size[1]
    starts = tf.cumsum(counts, exclusive=True)
    total = tf.reduce_sum(counts)
    ones = tf.ones_like(starts, tf.int32)  # GPUs sum segments of int32, not of int64
    started = tf.math.unsorted_segment_sum(ones, starts, tf.cast(total + 1, tf.int32))
    owner = tf.cumsum(tf.cast(started[:-1], tf.int64)) - 1  # boxes that start by each place
    table = tf.stack([low[0], low[1], size[0], starts], axis=-1)
    first_column, first_row, columns, start = tf.unstack(tf.transpose(tf.gather(table, owner)))
    offset = tf.range(total) - start
    row = offset // columns
    return owner, first_column + offset - row * columns, first_row + row


def _intersect(
    corners: tf.Tensor,
    column: tf.Tensor,
    row: tf.Tensor,
    limits: tuple[float, float],
    cull_back_faces: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Barycentrics `(3, P)`, depth, order and hit `(P,)` of triangles `(3, 4, P)` at pixels."""
    w, z = corners[:, 2], corners[:, 3]
    x = corners[:, 0] - w * (tf.cast(column, w.dtype) + 0.5)
    y = corners[:, 1] - w * (tf.cast(row, w.dtype) + 0.5)
    (next_x, next_y, next_w), (last_x, last_y, last_w) = (
        [tf.roll(v, k, axis=0) for v in (x, y, w)] for k in (-1, 1)
    )
    areas = last_x * next_y - next_x * last_y
    # How the areas grow to the right and downwards.
    right, down = last_y * next_w - next_y * last_w, next_x * last_w - last_x * next_w
    total = tf.reduce_sum(areas, axis=0)
    if not cull_back_faces:
        sign = tf.sign(total)
        areas, total, right, down = areas * sign, total * sign, right * sign, down * sign
    facing = total > 0
    top_left = (right > 0) | ((right == 0) & (down > 0))
    inside = tf.reduce_all((areas > 0) | ((areas == 0) & top_left), axis=0)
    barycentrics = areas / tf.where(facing, total, 1)
    depth = tf.reduce_sum(barycentrics * w, axis=0)
    order = tf.reduce_sum(barycentrics * z, axis=0) / tf.where(depth > 0, depth, 1)
    hit = inside & facing & (depth > 0) & (order >= limits[0]) & (order <= limits[1])
    return barycentrics, depth, order, hit


def _nearest(pixel: tf.Tensor, order: tf.Tensor, pixel_count: tf.Tensor) -> tf.Tensor:
    """Number of the candidate that is first in order in each pixel (int64), -1 where there is none.

    A negative `pixel` is left out; of equals the first is taken.
    """
    least = tf.math.unsorted_segment_min(order, pixel, pixel_count)
    wins = (pixel >= 0) & (order == tf.gather(least, tf.maximum(pixel, 0)))
    number = tf.cast(tf.range(tf.size(order, tf.int64)), tf.int32)
    first = tf.math.unsorted_segment_min(number, tf.where(wins, pixel, -1), pixel_count)
    return tf.where(first < tf.int32.max, tf.cast(first, tf.int64), -1)
