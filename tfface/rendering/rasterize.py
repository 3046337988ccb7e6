"""A z-buffer in plain TensorFlow: what each pixel sees of a mesh, batched, perspective-correct.

`coverage` finds the triangle that each pixel sees; no gradient flows through that. Here follow the
barycentrics and the depth of the point that is seen, with an analytic gradient. Conventions: see
`tfface`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from tfface.rendering.coverage import nearest_triangles

Gradients = Literal["extended", "fixed"]


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
    """The common part; arguments as of `nearest_triangles`."""
    if gradients not in ("extended", "fixed"):
        raise ValueError(f"gradients: expected 'extended' or 'fixed', got {gradients!r}")
    triangles = tf.cast(triangles, tf.int64)
    ids = nearest_triangles(
        tf.stop_gradient(homogeneous), tf.stop_gradient(order), triangles, limits, height, width,
        cull_back_faces,
    )  # fmt: skip
    covered = tf.where(tf.reshape(ids, [-1]) >= 0)  # (P, 1)
    pixel = covered[:, 0]
    line = pixel // width
    picture = line // height
    batch, count = tf.unstack(tf.shape(homogeneous, out_type=tf.int64)[:2])
    corners = tf.gather(triangles, tf.gather(tf.reshape(ids, [-1]), pixel))
    corners += picture[:, None] * count  # (P, 3) in B * V
    centre = tf.cast(tf.stack([pixel - line * width, line - picture * height]), homogeneous.dtype)

    @tf.custom_gradient
    def surface(vertices: tf.Tensor) -> tuple[Any, Any]:
        seen = _seen_from(centre + 0.5, tf.gather(vertices, corners))
        weights, depth = _barycentrics(seen)

        def gradient(on_weights: tf.Tensor, on_depth: tf.Tensor) -> tf.Tensor:
            if gradients == "fixed":
                on_w = weights * on_depth
                on_corners = tf.stack([tf.zeros_like(on_w), tf.zeros_like(on_w), on_w])
            else:
                on_corners = _to_corners(seen, weights, depth, on_weights, on_depth, centre + 0.5)
            rows = tf.reshape(tf.transpose(on_corners, [2, 1, 0]), [-1, 3])
            return tf.math.unsorted_segment_sum(
                rows, tf.reshape(corners, [-1]), tf.cast(batch * count, tf.int32)
            )

        return (weights, depth), gradient

    weights, depth = surface(tf.reshape(homogeneous, [-1, 3]))
    if gradients == "fixed":
        weights = tf.stop_gradient(weights)
    values = tf.transpose(tf.concat([weights, depth[None]], axis=0))
    values = tf.scatter_nd(covered, values, tf.stack([batch * height * width, 4]))
    values = tf.reshape(values, [batch, height, width, 4])
    return Rasterization(ids, values[..., :3], values[..., 3])


def _seen_from(centre: tf.Tensor, corners: tf.Tensor) -> tf.Tensor:
    """Corners `(P, 3, 3)` around pixel centres `(2, P)`: (u_x, u_y, w) `(3, 3 corners, P)`."""
    x, y, w = tf.unstack(tf.transpose(corners, [2, 1, 0]))
    return tf.stack([x - w * centre[0], y - w * centre[1], w])


def _barycentrics(seen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`(3, P)` and the depth `(P,)` of what pixels see."""
    x, y, w = tf.unstack(seen)
    areas = _last(x) * _next(y) - _next(x) * _last(y)
    weights = areas / tf.reduce_sum(areas, axis=0)
    return weights, tf.reduce_sum(weights * w, axis=0)


def _to_corners(
    seen: tf.Tensor,
    weights: tf.Tensor,
    depth: tf.Tensor,
    on_weights: tf.Tensor,
    on_depth: tf.Tensor,
    centre: tf.Tensor,
) -> tf.Tensor:
    """Gradient `(3, 3 corners, P)` on homogeneous corners of that on barycentrics and depth.

    With the corners u_i as columns of M, M b' = (0, 0, 1) has the solution b' = b / d, so that
    d = 1 / sum b'. A change of M changes b' by -M^-1 dM b'; hence the gradient on u_j is -q b'_j
    with q = M^-T g' and g' that on b'. The rows of M^-1 are u_k x u_j over the determinant.
    """
    x, y, w = tf.unstack(seen)
    solution = weights / depth
    on_solution = depth * (on_weights - tf.reduce_sum(on_weights * weights, axis=0))
    on_solution -= depth * depth * on_depth
    crosses = tf.stack(
        [
            _last(y) * _next(w) - _next(y) * _last(w),
            _next(x) * _last(w) - _last(x) * _next(w),
            _last(x) * _next(y) - _next(x) * _last(y),
        ]
    )
    determinant = tf.reduce_sum(crosses[2] * w, axis=0)
    on_x, on_y, on_w = tf.unstack(tf.reduce_sum(crosses * (on_solution / determinant), axis=1))
    on_w -= centre[0] * on_x + centre[1] * on_y  # u_x = h_x - w x
    return -tf.stack([on_x, on_y, on_w])[:, None] * solution


def _next(values: tf.Tensor) -> tf.Tensor:
    return tf.roll(values, -1, axis=0)


def _last(values: tf.Tensor) -> tf.Tensor:
    return tf.roll(values, 1, axis=0)


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
