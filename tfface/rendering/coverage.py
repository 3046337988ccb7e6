"""Which triangle each pixel centre sees.

A vertex enters as homogeneous pixels h = (h_x, h_y, w), its pixel being (h_x / w, h_y / w), and an
order z: of two surfaces the one with less z / w is seen. Seen from the pixel centre (x, y), a
triangle of corners h_i is the 2D triangle of u_i = (h_x - w x, h_y - w y). The areas
e_i = u_j x u_k are its barycentric coordinates up to scale, also of a triangle that passes behind
the camera (homogeneous rasterisation, Olano and Greer 1997). Two triangles get exactly opposite
values on a common edge, so that no pixel falls between them.

Most triangles of a head are smaller than a few pixels and in front of the camera. Of these the
areas are linear in the pixel around the triangle's first pixel; a matrix product gives them for a
window of pixels, and only pixels within a rounding error of an edge are decided by the areas above.
All other triangles list the pixels of their boxes, in portions that bound the memory. Each pixel
keeps the least 64-bit number of (order, triangle), which decides ties as well.

Index arithmetic is in int64, which GPUs do themselves (TensorFlow computes int32 on the host).
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

WINDOWS = (2, 3, 5)  # pixels on a side: triangles up to this size are drawn in windows
PORTION = 1 << 21  # pixels of boxes listed at a time
_MARGIN = 1e-2  # pixels by which boxes are widened against rounding; the areas decide
_ROUNDING = 1e-4  # px^2, many times the error of an area in a window
_EMPTY = tf.float64.max
_LAST = tf.int32.max


def nearest_triangles(
    homogeneous: tf.Tensor,
    order: tf.Tensor,
    triangles: tf.Tensor,
    limits: tuple[float, float],
    height: int,
    width: int,
    cull_back_faces: bool,
) -> tf.Tensor:
    """Returns `[B, H, W]` int32 numbers of the triangles seen, -1 where there is none.

    Args:
        homogeneous: `[B, V, 3]` homogeneous pixels.
        order: `[B, V]` z.
        triangles: `[T, 3]` vertex numbers.
        limits: the least and the largest z / w that are drawn.
        height: H.
        width: W.
        cull_back_faces: whether triangles that turn away are left out.
    """
    mesh = _Mesh.of(homogeneous, order, tf.cast(triangles, tf.int64), limits[0])
    frame = _Frame(height, width, limits, cull_back_faces)
    small, other = _sort_out(mesh, frame)
    buffer = _draw_boxes(mesh, other, frame)
    hits = [
        _draw_windows(mesh, rows, side, frame) for side, rows in zip(WINDOWS, small, strict=True)
    ]
    pixel, packed = (tf.concat(parts, axis=0) for parts in zip(*hits, strict=True))
    buffer = tf.minimum(buffer, tf.math.unsorted_segment_min(packed, pixel, mesh.pixels(frame)))
    return tf.reshape(_unpack(buffer), [mesh.batch, height, width])


@dataclass(frozen=True, eq=False)
class _Frame:
    height: int
    width: int
    limits: tuple[float, float]
    cull_back_faces: bool


@dataclass(frozen=True, eq=False)
class _Mesh:
    """Vertices, scaled so that w = 1 in front of the near plane, and triangles.

    Attributes:
        vertices: `(B * V, 4)` (x, y, w, z), scaled by a positive number each.
        ahead: `(B * V)` bool, in front of the near plane.
        triangles: `(T, 3)` int64.
        batch: B.
        vertex_count: V.
    """

    vertices: tf.Tensor
    ahead: tf.Tensor
    triangles: tf.Tensor
    batch: tf.Tensor
    vertex_count: tf.Tensor

    @classmethod
    def of(
        cls, homogeneous: tf.Tensor, order: tf.Tensor, triangles: tf.Tensor, nearest: float
    ) -> _Mesh:
        batch, count = tf.unstack(tf.shape(homogeneous, out_type=tf.int64)[:2])
        w = homogeneous[..., 2]
        ahead = (w > 0) & (order - nearest * w >= 0)
        scale = 1 / tf.where(ahead, w, tf.maximum(tf.abs(w), 1e-30))
        x, y, z = homogeneous[..., 0] * scale, homogeneous[..., 1] * scale, order * scale
        vertices = tf.stack([x, y, tf.where(ahead, tf.ones_like(w), w * scale), z], axis=-1)
        return cls(tf.reshape(vertices, [-1, 4]), tf.reshape(ahead, [-1]), triangles, batch, count)

    def pixels(self, frame: _Frame) -> tf.Tensor:
        return tf.cast(self.batch * frame.height * frame.width, tf.int32)

    def corners(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of triangles `(n,)` in B * T: corners `(3, 4, n)`, picture and triangle `(n,)`."""
        count = tf.shape(self.triangles, out_type=tf.int64)[0]
        picture = numbers // count
        triangle = numbers - picture * count
        rows = tf.gather(self.triangles, triangle) + picture[:, None] * self.vertex_count
        corners = tf.transpose(tf.reshape(tf.gather(self.vertices, rows), [-1, 12]))
        return tf.reshape(corners, [3, 4, -1]), picture, triangle


def _sort_out(mesh: _Mesh, frame: _Frame) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Numbers in B * T of the triangles for each window, and of those for lists of boxes."""
    # Vertices that are not in front are not numbers here, and neither is what follows from them.
    missing = tf.constant(float("nan"), mesh.vertices.dtype)
    points = tf.where(mesh.ahead[:, None], mesh.vertices[:, :2], missing)
    points = tf.reshape(points, [mesh.batch, mesh.vertex_count, 2])
    corners = tf.reshape(tf.gather(points, mesh.triangles, axis=1), [-1, 6])
    ax, ay, bx, by, cx, cy = tf.unstack(tf.transpose(corners))
    area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)  # y points down: front faces positive
    faces = area > 0 if frame.cull_back_faces else tf.not_equal(area, 0)
    left, right = _span(ax, bx, cx)
    top, bottom = _span(ay, by, cy)
    covers = (right >= tf.maximum(left, 0)) & (bottom >= tf.maximum(top, 0))
    covers &= (left < frame.width) & (top < frame.height) & faces
    within = (left >= 0) & (right < frame.width) & (top >= 0) & (bottom < frame.height) & covers
    size = tf.maximum(right - left, bottom - top) + 1
    behind = tf.math.is_nan(area)
    steps = zip((0, *WINDOWS[:-1]), WINDOWS, strict=True)
    small = [tf.where(within & (size > low) & (size <= high))[:, 0] for low, high in steps]
    large = tf.where((covers & ~(within & (size <= WINDOWS[-1]))) | behind)[:, 0]
    return small, large


def _span(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """First and last pixel centres that triangles may reach along an axis."""
    low, high = tf.minimum(tf.minimum(a, b), c), tf.maximum(tf.maximum(a, b), c)
    return tf.math.ceil(low - (0.5 + _MARGIN)), tf.floor(high - (0.5 - _MARGIN))


def _draw_windows(
    mesh: _Mesh, numbers: tf.Tensor, side: int, frame: _Frame
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels and packed orders that triangles cover in windows of `side` x `side` pixels."""
    corners, picture, triangle = mesh.corners(numbers)
    x, y, z = corners[:, 0], corners[:, 1], corners[:, 3]
    left, top = _span(*tf.unstack(x))[0], _span(*tf.unstack(y))[0]
    x, y = x - (left + 0.5), y - (top + 0.5)
    (jx, kx), (jy, ky) = ([tf.roll(v, s, axis=0) for s in (-1, 1)] for v in (x, y))
    planes = tf.stack([ky - jy, jx - kx, kx * jy - jx * ky])  # (3 coefficients, 3 areas, n)
    total = tf.reduce_sum(planes[2], axis=0)
    if not frame.cull_back_faces:
        planes, total = planes * tf.sign(total), tf.abs(total)
    order = tf.reduce_sum(planes * (z / total), axis=1, keepdims=True)
    planes = tf.transpose(tf.concat([planes, order], axis=1), [1, 2, 0])  # (4, n, 3)
    row, column = (
        tf.reshape(v, [-1]) for v in tf.meshgrid(range(side), range(side), indexing="ij")
    )
    window = tf.cast(tf.stack([column, row, tf.ones_like(row)]), x.dtype)
    values = tf.matmul(planes, window)  # (4, n, side^2)
    least = tf.minimum(tf.minimum(values[0], values[1]), values[2])
    hits = tf.where(least > -_ROUNDING)
    owner, place = hits[:, 0], hits[:, 1]
    offset = tf.cast(row * frame.width + column, tf.int64)
    first = (picture * frame.height + tf.cast(top, tf.int64)) * frame.width + tf.cast(
        left, tf.int64
    )
    pixel = tf.gather(first, owner) + tf.gather(offset, place)
    order = tf.gather_nd(values[3], hits)
    close = tf.where(tf.gather_nd(least, hits) <= _ROUNDING)
    inside, _, _ = _intersect(
        tf.gather(corners, tf.gather_nd(owner, close), axis=2),
        tf.gather_nd(pixel, close), frame,
    )  # fmt: skip
    pixel = tf.tensor_scatter_nd_update(
        pixel, close, tf.where(inside, tf.gather_nd(pixel, close), -1)
    )
    pixel = tf.where(order <= frame.limits[1], pixel, -1)
    return pixel, _pack(order, tf.gather(triangle, owner))


def _draw_boxes(mesh: _Mesh, numbers: tf.Tensor, frame: _Frame) -> tf.Tensor:
    """The packed orders `(B * H * W,)` of triangles drawn pixel by pixel of their boxes."""
    corners, picture, triangle = mesh.corners(numbers)
    low, size = _pixel_boxes(corners, frame)
    counts = size[0] * size[1]
    ends = tf.cumsum(counts)
    table = tf.stack([low[0], low[1], size[0], ends - counts, picture, triangle], axis=-1)
    total = tf.reduce_sum(counts)
    rows = tf.transpose(tf.reshape(corners, [12, -1]))
    pixels = mesh.pixels(frame)

    def draw(first: tf.Tensor, buffer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        number = tf.range(first, tf.minimum(first + PORTION, total))
        owner = tf.searchsorted(ends, number, side="right", out_type=tf.int64)
        left, top, columns, start, image, owned = tf.unstack(tf.transpose(tf.gather(table, owner)))
        offset = number - start
        row = offset // columns
        pixel = (image * frame.height + top + row) * frame.width + left + offset - row * columns
        seen = tf.reshape(tf.transpose(tf.gather(rows, owner)), [3, 4, -1])
        inside, order, depth = _intersect(seen, pixel, frame)
        drawn = inside & (depth > 0) & (order >= frame.limits[0]) & (order <= frame.limits[1])
        packed = _pack(tf.where(drawn, order, 0), owned)
        pixel = tf.where(drawn, pixel, -1)
        return first + PORTION, tf.minimum(
            buffer, tf.math.unsorted_segment_min(packed, pixel, pixels)
        )

    start = (tf.zeros([], tf.int64), tf.fill([pixels], _EMPTY))
    return tf.while_loop(lambda first, _: first < total, draw, start, parallel_iterations=1)[1]


def _pixel_boxes(corners: tf.Tensor, frame: _Frame) -> tuple[tf.Tensor, tf.Tensor]:
    """First pixel and size of the box of pixel centres of each triangle, both `(2, n)` int64."""
    w, z = corners[:, 2], corners[:, 3]
    distance = z - frame.limits[0] * w  # from the near plane
    following = tf.roll(distance, -1, axis=0)
    inside, crosses = distance >= 0, (distance >= 0) != (following >= 0)
    visible = tf.reduce_any(inside, axis=0)
    # The corners of what is in front: those inside, and where edges cross the plane.
    step = tf.roll(corners, -1, axis=0) - corners
    part = tf.where(crosses, distance / tf.where(crosses, distance - following, 1), 0)
    cuts = corners + part[:, None] * step
    kept = tf.concat([inside, crosses], axis=0)[:, None]
    ends = tf.concat([corners, cuts], axis=0)
    ahead = ends[:, 2:3] > 0
    points = ends[:, :2] / tf.where(ahead, ends[:, 2:3], 1)
    infinity = tf.constant(float("inf"), corners.dtype)
    lowest = tf.reduce_min(tf.where(kept, tf.where(ahead, points, -infinity), infinity), axis=0)
    highest = tf.reduce_max(tf.where(kept, tf.where(ahead, points, infinity), -infinity), axis=0)
    last = tf.constant([[frame.width - 1], [frame.height - 1]], corners.dtype)
    low = tf.maximum(tf.math.ceil(lowest - (0.5 + _MARGIN)), 0)
    high = tf.minimum(tf.floor(highest - (0.5 - _MARGIN)), last)
    visible &= tf.reduce_all(high >= low, axis=0)  # also false where a vertex is not a number
    low, size = tf.where(visible, low, 0), tf.where(visible, high - low + 1, 0)
    return tf.cast(low, tf.int64), tf.cast(size, tf.int64)


def _intersect(
    corners: tf.Tensor, pixel: tf.Tensor, frame: _Frame
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Whether triangles `(3, 4, P)` cover pixels `(P,)`, their order and w there."""
    line = pixel // frame.width
    column, row = pixel - line * frame.width, line % frame.height
    x, y, w, z = tf.unstack(corners, axis=1)
    x = x - w * (tf.cast(column, w.dtype) + 0.5)
    y = y - w * (tf.cast(row, w.dtype) + 0.5)
    (jx, kx), (jy, ky), (jw, kw) = ([tf.roll(v, s, axis=0) for s in (-1, 1)] for v in (x, y, w))
    areas = kx * jy - jx * ky
    right, down = ky * jw - jy * kw, jx * kw - kx * jw  # how they grow to the right and downwards
    total = tf.reduce_sum(areas, axis=0)
    if not frame.cull_back_faces:
        sign = tf.sign(total)
        areas, total, right, down = areas * sign, total * sign, right * sign, down * sign
    top_left = (right > 0) | ((right == 0) & (down > 0))
    inside = tf.reduce_all((areas > 0) | ((areas == 0) & top_left), axis=0) & (total > 0)
    weights = areas / tf.where(total > 0, total, 1)
    depth = tf.reduce_sum(weights * w, axis=0)
    order = tf.reduce_sum(weights * z, axis=0) / tf.where(depth > 0, depth, 1)
    return inside, order, depth


def _pack(order: tf.Tensor, triangle: tf.Tensor) -> tf.Tensor:
    """One float64 of each order and triangle number, which sorts by the one and then the other.

    The order's float32 bits are the upper half and the number the lower one; of negative orders
    the number counts down.
    """
    order, triangle = tf.cast(order, tf.float32), tf.cast(triangle, tf.int32)
    order = tf.where(tf.abs(order) < 1e-37, 1e-37, order)  # processors flush what is below to 0
    low = tf.where(order < 0, _LAST - triangle, triangle)
    return tf.bitcast(tf.stack([low, tf.bitcast(order, tf.int32)], axis=-1), tf.float64)


def _unpack(packed: tf.Tensor) -> tf.Tensor:
    """The triangle numbers, int32, -1 where nothing was packed."""
    low, high = tf.unstack(tf.bitcast(packed, tf.int32), axis=-1)
    return tf.where(packed < _EMPTY, tf.where(high < 0, _LAST - low, low), -1)
