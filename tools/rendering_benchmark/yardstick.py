"""Near the limit of a CPU: a culling bounding-box z-buffer in numba, with the analytic gradient.

Not a part of the package: it needs a compiler at run time and cannot be exported.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(fastmath=True, cache=False, parallel=False)
def forward(points, triangles, colours, focal, centre, size):
    """Camera-space points `(B, V, 3)` and colours `(B, V, C)` -> ids, barycentrics, picture."""
    batch, channels = points.shape[0], colours.shape[2]
    ids = np.full((batch, size, size), -1, np.int32)
    weights = np.zeros((batch, size, size, 3), np.float32)
    depth = np.full((batch, size, size), np.inf, np.float32)
    picture = np.zeros((batch, size, size, channels), np.float32)
    for b in range(batch):
        for t in range(triangles.shape[0]):
            i, j, k = triangles[t]
            wi, wj, wk = -points[b, i, 2], -points[b, j, 2], -points[b, k, 2]
            if min(wi, wj, wk) < 1.0:
                continue
            xi, yi = centre + focal * points[b, i, 0] / wi, centre - focal * points[b, i, 1] / wi
            xj, yj = centre + focal * points[b, j, 0] / wj, centre - focal * points[b, j, 1] / wj
            xk, yk = centre + focal * points[b, k, 0] / wk, centre - focal * points[b, k, 1] / wk
            area = (xk - xi) * (yj - yi) - (xj - xi) * (yk - yi)
            if not area > 0:
                continue
            first_x = max(0, int(np.ceil(min(xi, xj, xk) - 0.5)))
            last_x = min(size - 1, int(np.floor(max(xi, xj, xk) - 0.5)))
            first_y = max(0, int(np.ceil(min(yi, yj, yk) - 0.5)))
            last_y = min(size - 1, int(np.floor(max(yi, yj, yk) - 0.5)))
            for row in range(first_y, last_y + 1):
                y = row + 0.5
                for column in range(first_x, last_x + 1):
                    x = column + 0.5
                    a = ((xk - xj) * (y - yj) - (x - xj) * (yk - yj)) / -area
                    c = ((xj - xi) * (y - yi) - (x - xi) * (yj - yi)) / -area
                    e = 1 - a - c
                    if a < 0 or c < 0 or e < 0:
                        continue
                    a, e, c = a / wi, e / wj, c / wk
                    d = 1 / (a + e + c)
                    if d < depth[b, row, column]:
                        depth[b, row, column] = d
                        ids[b, row, column] = t
                        weights[b, row, column, 0] = a * d
                        weights[b, row, column, 1] = e * d
                        weights[b, row, column, 2] = c * d
        for row in range(size):
            for column in range(size):
                t = ids[b, row, column]
                if t >= 0:
                    for corner in range(3):
                        v = triangles[t, corner]
                        for channel in range(channels):
                            picture[b, row, column, channel] += (
                                weights[b, row, column, corner] * colours[b, v, channel]
                            )
    return ids, weights, depth, picture


@numba.njit(fastmath=True, cache=False, parallel=False)
def backward(points, triangles, colours, focal, centre, ids, weights, depth, on_picture):
    """Gradients on points and colours of that on the picture; barycentrics extended."""
    batch, size, channels = ids.shape[0], ids.shape[1], colours.shape[2]
    on_points = np.zeros_like(points)
    on_colours = np.zeros_like(colours)
    for b in range(batch):
        for row in range(size):
            for column in range(size):
                t = ids[b, row, column]
                if t < 0:
                    continue
                on_weights = np.zeros(3, np.float32)
                mean = np.float32(0)
                for corner in range(3):
                    v = triangles[t, corner]
                    weight = weights[b, row, column, corner]
                    for channel in range(channels):
                        g = on_picture[b, row, column, channel]
                        on_weights[corner] += g * colours[b, v, channel]
                        on_colours[b, v, channel] += weight * g
                    mean += on_weights[corner] * weight
                # As `tfface.rendering.rasterize._to_vertices`, one pixel at a time, with the pixel
                # as the origin: u = (f X - x w, -f Y - y w, w).
                x, y = column + 0.5 - centre, row + 0.5 - centre
                d = depth[b, row, column]
                u = np.zeros((3, 3), np.float32)
                for corner in range(3):
                    v = triangles[t, corner]
                    w = -points[b, v, 2]
                    u[corner, 0] = focal * points[b, v, 0] - x * w
                    u[corner, 1] = -focal * points[b, v, 1] - y * w
                    u[corner, 2] = w
                c0 = np.cross(u[1], u[2])
                c1 = np.cross(u[2], u[0])
                c2 = np.cross(u[0], u[1])
                determinant = c0[0] * u[0, 0] + c0[1] * u[0, 1] + c0[2] * u[0, 2]
                q0 = np.float32(0)
                q1 = np.float32(0)
                q2 = np.float32(0)
                s0 = d * (on_weights[0] - mean) / determinant
                s1 = d * (on_weights[1] - mean) / determinant
                s2 = d * (on_weights[2] - mean) / determinant
                q0 = s0 * c0[0] + s1 * c1[0] + s2 * c2[0]
                q1 = s0 * c0[1] + s1 * c1[1] + s2 * c2[1]
                q2 = s0 * c0[2] + s1 * c1[2] + s2 * c2[2]
                for corner in range(3):
                    v = triangles[t, corner]
                    solution = weights[b, row, column, corner] / d
                    on_points[b, v, 0] -= focal * q0 * solution
                    on_points[b, v, 1] += focal * q1 * solution
                    on_points[b, v, 2] += (q2 - x * q0 - y * q1) * solution
    return on_points, on_colours
