"""A z-buffer in plain TensorFlow: what each pixel sees of a mesh, batched, perspective-correct.

`coverage` finds the triangle that each pixel sees; no gradient flows through that. Here follow the
barycentrics and the depth of the point that is seen, with an analytic gradient. Conventions: see
`tfface`.

Drawing three colours and differentiating takes about 230 bytes of memory for each pixel and 110 for
each triangle of each picture (tools/benchmark_rendering.py measures it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from tfface.rendering.checking import FLOATS, INTEGERS, checked, checked_pixels
from tfface.rendering.compiling import compiled
from tfface.rendering.coverage import Frame, nearest_triangles

Gradients = Literal["extended", "fixed"]
NEAR = 1.0  # mm: surfaces nearer than this are not drawn
_NUMBERS = (*FLOATS, *INTEGERS)


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
    near: float = NEAR,
    far: float = float("inf"),
    cull_back_faces: bool = True,
    gradients: Gradients = "extended",
) -> Rasterization:
    """Finds the nearest triangle at every pixel centre of a perspective camera.

    A pixel centre on an edge belongs to the triangle of which it is a top or left edge; of two
    triangles equally deep the one with the lower number is seen. Triangles that cross the near or
    far plane are cut there. Degenerate triangles, and those with a vertex that is not a number
    or does not exist, are not drawn and get no gradient.

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
    vertices, triangles = _mesh(vertices_camera, triangles, 3, "vertices_camera")
    focal = _of_pictures(focal_length, "focal_length", (), vertices)
    centre = _of_pictures(principal_point, "principal_point", (2,), vertices)
    if not 0 < near < far:
        raise ValueError(f"near, far: expected 0 < near < far, got {near!r} and {far!r}")
    x, y, z = tf.unstack(vertices, axis=-1)
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
    vertices, triangles = _mesh(vertices_clip, triangles, 4, "vertices_clip")
    height, width = checked_pixels(height, "height"), checked_pixels(width, "width")
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
    vertices, triangles = _mesh(vertices_image, triangles, 3, "vertices_image")
    x, y, z = tf.unstack(vertices, axis=-1)
    limits = (-float("inf"), float("inf"))
    x = tf.where(tf.math.is_finite(z), x, float("nan"))  # at no depth: a vertex that is missing
    homogeneous = tf.stack([x, y, tf.ones_like(z)], axis=-1)
    seen = _rasterize(homogeneous, z, triangles, limits, height, width, cull_back_faces, gradients)
    depth = interpolate(vertices[..., 2:], seen, triangles)[..., 0]
    return Rasterization(seen.triangle_ids, seen.barycentrics, depth)


def interpolate(
    attributes: tf.Tensor, rasterization: Rasterization, triangles: tf.Tensor
) -> tf.Tensor:
    """Attributes of the surface points seen; differentiable in the attributes and barycentrics.

    Args:
        attributes: `[B, V, C]` values at the vertices.
        rasterization: of the mesh.
        triangles: `[T, 3]` vertex numbers.

    Returns:
        `[B, H, W, C]`, zero on the background.

    Raises:
        ValueError: an argument has another shape or dtype; the message names it.
    """
    attributes = checked(attributes, "attributes", ("B", "V", "C"))
    ids = rasterization.triangle_ids
    if not ids.shape[:1].is_compatible_with(attributes.shape[:1]):
        raise ValueError(f"attributes: expected {ids.shape[0]} pictures, got {attributes.shape}")
    triangles = checked(triangles, "triangles", ("T", 3), INTEGERS)
    triangles = drawable(triangles, tf.shape(attributes)[1])

    @tf.custom_gradient
    def blend(attributes: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(on_values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Two functions, which TensorFlow runs side by side.
            shape = tf.shape(attributes)
            on_attributes = _to_vertices(on_values, weights, triangles, ids, shape)
            return on_attributes, _on_weights(attributes, on_values, triangles, ids)

        return _blend(attributes, weights, triangles, ids), gradient

    return blend(attributes, tf.cast(rasterization.barycentrics, attributes.dtype))


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
    """The common part; arguments as of `nearest_triangles`."""
    if gradients not in ("extended", "fixed"):
        raise ValueError(f"gradients: expected 'extended' or 'fixed', got {gradients!r}")
    height, width = checked_pixels(height, "height"), checked_pixels(width, "width")
    triangles = drawable(triangles, tf.shape(homogeneous)[1])
    frame = Frame(height, width, *limits, cull_back_faces)
    fixed = tf.stop_gradient(homogeneous), tf.stop_gradient(order)
    ids = nearest_triangles(*fixed, triangles, frame)

    @tf.custom_gradient
    def surface(vertices: tf.Tensor) -> tuple[Any, Any]:
        weights, depth = _surface(vertices, triangles, ids)

        def gradient(on_weights: tf.Tensor, on_depth: tf.Tensor) -> tf.Tensor:
            if gradients == "fixed":
                pull = tf.stack([tf.zeros_like(depth), tf.zeros_like(depth), on_depth], axis=-1)
            else:
                pull = _pull(vertices, triangles, ids, weights, depth, on_weights, on_depth)
            return _to_vertices(pull, weights, triangles, ids, tf.shape(vertices))

        return (weights, depth), gradient

    return Rasterization(ids, *surface(homogeneous))


def _corners(triangles: tf.Tensor, ids: tf.Tensor, count: tf.Tensor) -> list[tf.Tensor]:
    """Rows `[B, H, W]` in B * V of the corners of what pixels see; any on the background."""
    picture = tf.range(tf.shape(ids)[0])[:, None, None] * count
    return [tf.gather(triangles[:, k], tf.maximum(ids, 0)) + picture for k in range(3)]


def _seen(
    vertices: tf.Tensor, triangles: tf.Tensor, ids: tf.Tensor
) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor], tf.Tensor, tf.Tensor]:
    """u_x, u_y and w of the corners around the pixel centres, and the x and y of those."""
    _, height, width = tf.unstack(tf.shape(ids))
    centre_x = tf.cast(tf.range(width), vertices.dtype) + 0.5
    centre_y = tf.cast(tf.range(height), vertices.dtype)[:, None] + 0.5
    flat = tf.reshape(vertices, [-1, 3])
    corners = [
        [tf.gather(flat[:, k], corner) for k in range(3)]
        for corner in _corners(triangles, ids, tf.shape(vertices)[1])
    ]
    x = [x - w * centre_x for x, _, w in corners]
    y = [y - w * centre_y for _, y, w in corners]
    return x, y, [w for _, _, w in corners], centre_x, centre_y


@compiled
def _surface(
    vertices: tf.Tensor, triangles: tf.Tensor, ids: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Barycentrics `[B, H, W, 3]` and depth `[B, H, W]`; homogeneous vertices `[B, V, 3]`."""
    x, y, w, _, _ = _seen(vertices, triangles, ids)
    areas = [x[k - 1] * y[k - 2] - x[k - 2] * y[k - 1] for k in range(3)]
    covered = ids >= 0
    total = tf.where(covered, areas[0] + areas[1] + areas[2], 1)
    weights = [tf.where(covered, area / total, 0) for area in areas]
    return tf.stack(weights, axis=-1), tf.where(covered, _dot(weights, w), 0)


@compiled
def _pull(
    vertices: tf.Tensor,
    triangles: tf.Tensor,
    ids: tf.Tensor,
    weights: tf.Tensor,
    depth: tf.Tensor,
    on_weights: tf.Tensor,
    on_depth: tf.Tensor,
) -> tf.Tensor:
    """`[B, H, W, 3]`, which times the weight of a corner is the gradient on the corner.

    With the corners u_i as columns of M, M b' = (0, 0, 1) has the solution b' = b / d, so that
    d = 1 / sum b'. A change of M changes b' by -M^-1 dM b'; hence the gradient on u_j is -q b'_j
    with q = M^-T g' and g' that on b'. The rows of M^-1 are u_k x u_j over the determinant.
    """
    x, y, w, centre_x, centre_y = _seen(vertices, triangles, ids)
    mean = tf.reduce_sum(on_weights * weights, axis=-1)
    # g' / d; the other d is that of b'_j = b_j / d.
    on_solution = [g - mean - depth * on_depth for g in tf.unstack(on_weights, axis=-1)]
    crosses = [
        (
            y[k - 1] * w[k - 2] - y[k - 2] * w[k - 1],
            w[k - 1] * x[k - 2] - w[k - 2] * x[k - 1],
            x[k - 1] * y[k - 2] - x[k - 2] * y[k - 1],
        )
        for k in range(3)
    ]
    across, down, area = zip(*crosses, strict=True)
    covered = ids >= 0
    determinant = tf.where(covered, _dot(area, w), 1)
    scale = tf.where(covered, -1 / determinant, 0)
    on_x, on_y = scale * _dot(across, on_solution), scale * _dot(down, on_solution)
    on_w = scale * _dot(area, on_solution) - centre_x * on_x - centre_y * on_y  # u = h - w (x, y)
    return tf.stack([on_x, on_y, on_w], axis=-1)


@compiled
def _to_vertices(
    values: tf.Tensor, weights: tf.Tensor, triangles: tf.Tensor, ids: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor:
    """Sums at the vertices `[B, V, C]` of values `[B, H, W, C]` times the weights of corners."""
    values = tf.reshape(values, [-1, values.shape[3]])
    weights = tf.reshape(weights, [-1, 3])
    total = tf.zeros([], values.dtype)
    for k, corner in enumerate(_corners(triangles, ids, shape[1])):
        rows = tf.reshape(tf.where(ids >= 0, corner, -1), [-1])
        parts = weights[:, k : k + 1] * values
        total += tf.math.unsorted_segment_sum(parts, rows, shape[0] * shape[1])
    return tf.reshape(total, shape)


@compiled
def _blend(
    attributes: tf.Tensor, weights: tf.Tensor, triangles: tf.Tensor, ids: tf.Tensor
) -> tf.Tensor:
    """`[B, H, W, C]`: the corners' attributes `[B, V, C]` times their weights."""
    flat = tf.reshape(attributes, [-1, attributes.shape[2]])
    corners = _corners(triangles, ids, tf.shape(attributes)[1])
    values = sum(weights[..., k : k + 1] * tf.gather(flat, c) for k, c in enumerate(corners))
    return tf.where(ids[..., None] >= 0, values, 0)


@compiled
def _on_weights(
    attributes: tf.Tensor, on_values: tf.Tensor, triangles: tf.Tensor, ids: tf.Tensor
) -> tf.Tensor:
    """Gradient of `_blend` on the weights."""
    flat = tf.reshape(attributes, [-1, attributes.shape[2]])
    corners = _corners(triangles, ids, tf.shape(attributes)[1])
    parts = [tf.reduce_sum(tf.gather(flat, c) * on_values, axis=-1) for c in corners]
    return tf.where(ids[..., None] >= 0, tf.stack(parts, axis=-1), 0)


def _dot(a: Sequence[tf.Tensor], b: Sequence[tf.Tensor]) -> tf.Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _mesh(vertices: Any, triangles: Any, size: int, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    triangles = checked(triangles, "triangles", ("T", 3), INTEGERS)
    return checked(vertices, name, ("B", "V", size)), triangles


def _of_pictures(value: Any, name: str, shape: tuple[int, ...], vertices: tf.Tensor) -> tf.Tensor:
    """`[B or 1, ...]` of what is given for each picture or for all."""
    for_all = not isinstance(value, (int, float)) and len(tf.convert_to_tensor(value).shape)
    value = checked(value, name, ("B", *shape) if for_all != len(shape) else shape, _NUMBERS)
    if value.shape.rank > len(shape) and not vertices.shape[:1].is_compatible_with(value.shape[:1]):
        raise ValueError(
            f"{name}: expected one for each of {vertices.shape[0]} pictures, got {value.shape}"
        )
    return tf.reshape(tf.cast(value, vertices.dtype), [-1, *(shape or (1,))])


def drawable(triangles: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """int32, with a point, of which nothing is seen, for what is not among `count` vertices.

    At least one, since nothing can be read from none.
    """
    count = tf.cast(count, triangles.dtype)
    exists = tf.reduce_all((triangles >= 0) & (triangles < count), axis=1, keepdims=True)
    triangles = tf.cast(tf.where(exists, triangles, 0), tf.int32)
    if triangles.shape[0]:
        return triangles
    return tf.concat([triangles, tf.zeros([1, 3], tf.int32)], axis=0)
