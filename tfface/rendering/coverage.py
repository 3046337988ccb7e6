"""Which triangle each pixel centre sees.

A vertex enters as homogeneous pixels h = (h_x, h_y, w), its pixel being (h_x / w, h_y / w), and an
order z: of two surfaces the one with less z / w is seen. Seen from the pixel centre (x, y), a
triangle of corners h_i is the 2D triangle of u_i = (h_x - w x, h_y - w y). The areas
e_i = u_j x u_k are its barycentric coordinates up to scale, also of a triangle that passes behind
the camera (homogeneous rasterisation, Olano and Greer 1997). Two triangles get exactly opposite
values on a common edge, so that no pixel falls between them.

Triangles are tried on square windows of pixels. Most triangles of a head fit into a window of 2, 3
or 6 pixels on a side; the boxes of the others are paved with the largest. Windows are drawn in
portions, which bounds the memory and gives them static shapes, so that XLA can compile the loop.
Each pixel keeps the least 64-bit number of (order, triangle), which decides ties as well; the order
is in it with the 24 bits of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfface.rendering.compiling import compiled

WINDOWS = (2, 3, 6)  # pixels on a side
PORTION = 1 << 15  # pixels tried at a time
LISTED = 1 << 17  # windows of large triangles listed at a time
_LARGE = len(WINDOWS)  # the kind of a triangle that no window holds
_CROSSING = _LARGE + 1  # the kind of one with a corner before the near plane
_MARGIN = 1e-2  # pixels by which boxes are widened against rounding; the areas decide
_TINY = 1e-37  # below any area, but not below what processors flush to 0
_NOTHING = tf.int64.max


class Frame(NamedTuple):
    """What is drawn.

    Attributes:
        height: of the picture, pixels.
        width: of the picture, pixels.
        nearest: the least z / w that is drawn.
        farthest: the largest.
        cull_back_faces: whether triangles that turn away are left out.
    """

    height: int
    width: int
    nearest: float
    farthest: float
    cull_back_faces: bool


class _Mesh(NamedTuple):
    """Vertices scaled by a positive number each, so that w = 1 in front of the near plane.

    Attributes:
        vertices: `[B, V, 4]` (x, y, w, z).
        triangles: `[T, 3]` int32.
    """

    vertices: tf.Tensor
    triangles: tf.Tensor

    def split(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Picture and triangle of numbers in B * T."""
        count = tf.maximum(tf.shape(self.triangles)[0], 1)
        picture = numbers // count
        return picture, numbers - picture * count

    def corners(self, picture: tf.Tensor, triangle: tf.Tensor) -> list[list[tf.Tensor]]:
        """x, y, w, z of each corner."""
        flat = tf.reshape(self.vertices, [-1, 4])
        rows = [
            tf.gather(self.triangles[:, k], triangle) + picture * tf.shape(self.vertices)[1]
            for k in range(3)
        ]
        return [[tf.gather(flat[:, c], row) for c in range(4)] for row in rows]


# Places -> where windows are: number of the triangle in B * T, first column and first row.
_Windows = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def nearest_triangles(
    homogeneous: tf.Tensor, order: tf.Tensor, triangles: tf.Tensor, frame: Frame
) -> tf.Tensor:
    """Returns `[B, H, W]` int32 numbers of the triangles seen, -1 where there is none.

    Args:
        homogeneous: `[B, V, 3]` homogeneous pixels.
        order: `[B, V]` z.
        triangles: `[T, 3]` int32 vertex numbers.
        frame: what is drawn.
    """
    vertices, kinds, *boxes = _sort_out(homogeneous, order, triangles, frame)
    mesh = _Mesh(vertices, triangles)
    numbers = [tf.cast(tf.where(tf.equal(kinds, k))[:, 0], tf.int32) for k in range(_CROSSING + 1)]
    small = [(tf.pad(n, [[0, tf.size(kinds) - tf.size(n)]]), tf.size(n)) for n in numbers[:_LARGE]]
    buffer = _draw_small(mesh, small, boxes[0], boxes[1], frame)
    large, crossing = numbers[_LARGE:]
    known = tf.stack([tf.gather(values, large) for values in boxes])
    paved = tf.concat([known, _boxes(mesh, crossing, frame)], axis=1)
    buffer = _draw_large(buffer, mesh, tf.concat([large, crossing], axis=0), paved, frame)
    return _unpack(buffer, frame)


@compiled
def _sort_out(
    homogeneous: tf.Tensor, order: tf.Tensor, triangles: tf.Tensor, frame: Frame
) -> tuple[tf.Tensor, ...]:
    """The vertices of a `_Mesh`, and of B * T triangles the kind and the box.

    The kind is the number of the window that holds the triangle; -1 for nothing to draw. The box is
    the first column and row and how many there are, of triangles that do not cross the near plane.
    """
    w = homogeneous[..., 2]
    ahead = (w > 0) & (order - frame.nearest * w >= 0)
    scale = 1 / tf.where(ahead, w, tf.maximum(tf.abs(w), 1e-30))
    x, y, z = homogeneous[..., 0] * scale, homogeneous[..., 1] * scale, order * scale
    w = tf.where(ahead, tf.ones_like(w), w * scale)
    vertices = tf.stack([x, y, w, z], axis=-1)
    # Vertices that are not in front are not numbers here, and neither is what follows from them.
    missing = tf.constant(float("nan"), x.dtype)
    x, y = tf.where(ahead, x, missing), tf.where(ahead, y, missing)
    (ax, ay), (bx, by), (cx, cy) = (
        [tf.gather(v, triangles[:, k], axis=1) for v in (x, y)] for k in range(3)
    )
    area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)  # y points down: front faces positive
    faces = area > 0 if frame.cull_back_faces else tf.not_equal(area, 0)
    left, columns = _span(ax, bx, cx, frame.width)
    top, rows = _span(ay, by, cy, frame.height)
    side = tf.maximum(columns, rows)
    kind = sum(tf.cast(side > window, tf.int32) for window in WINDOWS)
    kind = tf.where(faces & (columns > 0) & (rows > 0), kind, -1)
    kind = tf.where(tf.math.is_nan(area), _CROSSING, kind)
    return vertices, *(
        tf.reshape(tf.cast(v, tf.int32), [-1]) for v in (kind, left, top, columns, rows)
    )


def _span(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first pixel centre that triangles may reach along an axis, and how many follow."""
    low, high = tf.minimum(tf.minimum(a, b), c), tf.maximum(tf.maximum(a, b), c)
    first = tf.maximum(tf.math.ceil(low - (0.5 + _MARGIN)), 0)
    return first, tf.minimum(tf.floor(high - (0.5 - _MARGIN)), pixels - 1.0) - first + 1


@compiled
def _draw_small(
    mesh: _Mesh,
    numbers: list[tuple[tf.Tensor, tf.Tensor]],
    left: tf.Tensor,
    top: tf.Tensor,
    frame: Frame,
) -> tf.Tensor:
    """Draws triangles that one window holds; for each size of window, numbers and their count.

    Returns a buffer: what each pixel of the batch keeps, and one more for what is outside.
    """
    buffer = tf.fill([tf.shape(mesh.vertices)[0] * frame.height * frame.width + 1], _NOTHING)
    for side, (listed, count) in zip(WINDOWS, numbers, strict=True):

        def windows(
            place: tf.Tensor, listed: tf.Tensor = listed
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            number = tf.gather(listed, tf.minimum(place, tf.size(listed) - 1))
            return number, tf.gather(left, number), tf.gather(top, number)

        portion = min(PORTION // side**2, left.shape[0] or PORTION)
        buffer = _draw(buffer, mesh, windows, count, side, portion, frame, ahead=True)
    return buffer


def _draw_large(
    buffer: tf.Tensor, mesh: _Mesh, numbers: tf.Tensor, boxes: tf.Tensor, frame: Frame
) -> tf.Tensor:
    """Draws triangles whose boxes `(4, n)` are paved with windows."""
    side = WINDOWS[-1]
    across, down = tf.unstack(-(-boxes[2:] // side))
    counts = tf.cast(across, tf.int64) * tf.cast(down, tf.int64)
    ends = tf.cumsum(counts)
    total = tf.reduce_sum(counts)
    table = tf.stack([numbers, boxes[0], boxes[1], across], axis=-1)

    def draw(first: tf.Tensor, buffer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        place = tf.minimum(first + tf.range(LISTED, dtype=tf.int64), total - 1)
        owner = tf.searchsorted(ends, place, side="right")
        part = tf.cast(place - tf.gather(ends - counts, owner), tf.int32)
        number, left, top, columns = tf.unstack(tf.gather(table, owner), axis=1)
        row = part // columns
        left, top = left + side * (part - row * columns), top + side * row
        count = tf.cast(tf.minimum(total - first, LISTED), tf.int32)
        return first + LISTED, _draw_listed(buffer, mesh, number, left, top, count, frame)

    start = (tf.zeros([], tf.int64), buffer)
    return tf.while_loop(lambda first, _: first < total, draw, start, parallel_iterations=1)[1]


@compiled
def _draw_listed(
    buffer: tf.Tensor,
    mesh: _Mesh,
    numbers: tf.Tensor,
    left: tf.Tensor,
    top: tf.Tensor,
    count: tf.Tensor,
    frame: Frame,
) -> tf.Tensor:
    def windows(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        place = tf.minimum(place, LISTED - 1)
        return tf.gather(numbers, place), tf.gather(left, place), tf.gather(top, place)

    side = WINDOWS[-1]
    return _draw(buffer, mesh, windows, count, side, PORTION // side**2, frame, ahead=False)


def _boxes(mesh: _Mesh, numbers: tf.Tensor, frame: Frame) -> tf.Tensor:
    """Boxes `(4, n)` of triangles that may cross the near plane; of no size where out of sight."""
    corners = tf.stack([tf.stack(c) for c in mesh.corners(*mesh.split(numbers))])  # (3, 4, n)
    w, z = corners[:, 2], corners[:, 3]
    distance = z - frame.nearest * w  # from the near plane
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
    return tf.cast(tf.concat([low, size], axis=0), tf.int32)


def _draw(
    buffer: tf.Tensor,
    mesh: _Mesh,
    windows: _Windows,
    count: tf.Tensor,
    side: int,
    portion: int,
    frame: Frame,
    ahead: bool,
) -> tf.Tensor:
    """Draws `count` windows of `side` x `side` pixels; `ahead`: all corners have w = 1.

    The corners for the next portion are loop variables: so they are loaded once, not once a pixel.
    """
    rows, columns = (tf.reshape(v, [-1, 1]) for v in tf.meshgrid(range(side), range(side)))
    outside = tf.size(buffer) - 1

    def load(first: tf.Tensor) -> tuple[tf.Tensor, ...]:
        place = first + tf.range(portion)
        number, left, top = windows(place)
        picture, triangle = mesh.split(number)
        corners = mesh.corners(picture, triangle)
        if ahead:
            corners = [[x, y, tf.ones([], x.dtype), z] for x, y, _, z in corners]
        # A window that is not there is below all pictures.
        there = place < count
        left = tf.where(there, left, 0)
        line = tf.where(there, picture * frame.height + top, outside // frame.width)
        return corners, _thresholds(corners), triangle, left, top, line

    def draw(
        first: tf.Tensor, loaded: tuple[tf.Tensor, ...], buffer: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], tf.Tensor]:
        corners, thresholds, triangle, left, top, line = loaded
        column, row = left + columns, top + rows
        hits, order = _intersect(corners, thresholds, column, row, frame)
        hits &= (column < frame.width) & (row < frame.height)
        packed = tf.where(hits, _pack(order, triangle), _NOTHING)
        pixel = tf.minimum((line + rows) * frame.width + column, outside)
        drawn = tf.tensor_scatter_nd_min(
            buffer, tf.reshape(pixel, [-1, 1]), tf.reshape(packed, [-1])
        )
        return first + portion, load(first + portion), drawn

    def remain(first: tf.Tensor, *_: object) -> tf.Tensor:
        return (first < count) & (count > 0)

    # Starts with a portion of nothing, for the code of `load` to be there once.
    nothing = tf.zeros([portion], tf.int32)
    value = tf.zeros([portion], mesh.vertices.dtype)
    corners = [[value, value, tf.ones([], value.dtype) if ahead else value, value]] * 3
    start = (corners, [value] * 3, nothing, nothing, nothing, nothing)
    loop = (tf.constant(-portion), start, buffer)
    return tf.while_loop(remain, draw, loop, parallel_iterations=1)[2]


def _thresholds(corners: list[list[tf.Tensor]]) -> list[tf.Tensor]:
    """What the area at each edge must exceed: an area of 0 is inside at a top or left edge."""
    thresholds = []
    for k in range(3):
        (jx, jy, jw, _), (kx, ky, kw, _) = corners[k - 2], corners[k - 1]
        right = _difference(ky, jw, jy, kw)  # how the area grows to the right and downwards
        down = _difference(jx, kw, kx, jw)
        top_left = (right > 0) | (tf.equal(right, 0) & (down > 0))
        thresholds.append(tf.where(top_left, tf.constant(-_TINY, jx.dtype), 0))
    return thresholds


def _intersect(
    corners: list[list[tf.Tensor]],
    thresholds: list[tf.Tensor],
    column: tf.Tensor,
    row: tf.Tensor,
    frame: Frame,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether triangles cover pixels, and their order there."""
    kind = corners[0][0].dtype
    centre_x, centre_y = tf.cast(column, kind) + 0.5, tf.cast(row, kind) + 0.5
    u = [(x - w * centre_x, y - w * centre_y) for x, y, w, _ in corners]
    areas = [_difference(u[k - 1][0], u[k - 2][1], u[k - 2][0], u[k - 1][1]) for k in range(3)]
    inside = [a > least for a, least in zip(areas, thresholds, strict=True)]
    if not frame.cull_back_faces:
        front = areas[0] + areas[1] + areas[2] > 0
        # Turned round, an edge is a top or left one where it was not.
        turned = [-a > -_TINY - least for a, least in zip(areas, thresholds, strict=True)]
        inside = [tf.where(front, a, b) for a, b in zip(inside, turned, strict=True)]
        areas = [tf.where(front, a, -a) for a in areas]
    depth = sum(a * w for a, (_, _, w, _) in zip(areas, corners, strict=True))
    hits = inside[0] & inside[1] & inside[2] & (depth > 0)
    order = sum(a * z for a, (_, _, _, z) in zip(areas, corners, strict=True))
    order = order / tf.where(hits, depth, 1)
    return hits & (order >= frame.nearest) & (order <= frame.farthest), order


def _difference(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    """a b - c d, exactly the opposite of c d - a b.

    A compiler would fuse one product with the difference and round it less than the other; the
    maximum, which changes nothing, is in its way.
    """
    return tf.maximum(a * b, a.dtype.min) - tf.maximum(c * d, a.dtype.min)


def _pack(order: tf.Tensor, triangle: tf.Tensor) -> tf.Tensor:
    """One int64 of order and triangle, which sorts by the one and then the other."""
    bits = tf.bitcast(tf.cast(order, tf.float32), tf.int32)
    bits = tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, tf.int32.max), bits)
    return tf.cast(bits, tf.int64) * (1 << 32) + tf.cast(triangle, tf.int64)


@compiled
def _unpack(buffer: tf.Tensor, frame: Frame) -> tf.Tensor:
    triangle = tf.cast(tf.bitwise.bitwise_and(buffer, (1 << 32) - 1), tf.int32)
    triangle = tf.where(buffer < _NOTHING, triangle, -1)
    return tf.reshape(triangle[:-1], [-1, frame.height, frame.width])
