"""Near the limit of a CPU: a culling bounding-box z-buffer in numba, with the analytic gradient.

Not a part of the package: it needs a compiler at run time and cannot be exported.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(fastmath=False, cache=False, parallel=False)
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


@numba.njit(fastmath=False, cache=False, parallel=False)
def backward(points, triangles, colours, focal, centre, ids, weights, on_picture):
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
                i, j, k = triangles[t]
                wi, wj, wk = -points[b, i, 2], -points[b, j, 2], -points[b, k, 2]
                bi, bj, bk = weights[b, row, column]
                gi = gj = gk = np.float32(0)
                for channel in range(channels):
                    g = on_picture[b, row, column, channel]
                    gi += g * colours[b, i, channel]
                    gj += g * colours[b, j, channel]
                    gk += g * colours[b, k, channel]
                    on_colours[b, i, channel] += bi * g
                    on_colours[b, j, channel] += bj * g
                    on_colours[b, k, channel] += bk * g
                mean = gi * bi + gj * bj + gk * bk
                # As `tfface.rendering.rasterize`, with the pixel as the origin.
                x, y = column + np.float32(0.5) - centre, row + np.float32(0.5) - centre
                xi, yi = focal * points[b, i, 0] - x * wi, -focal * points[b, i, 1] - y * wi
                xj, yj = focal * points[b, j, 0] - x * wj, -focal * points[b, j, 1] - y * wj
                xk, yk = focal * points[b, k, 0] - x * wk, -focal * points[b, k, 1] - y * wk
                ai, aj, ak = xj * yk - xk * yj, xk * yi - xi * yk, xi * yj - xj * yi
                scale = 1 / (ai * wi + aj * wj + ak * wk)
                si, sj, sk = scale * (gi - mean), scale * (gj - mean), scale * (gk - mean)
                qx = si * (yj * wk - yk * wj) + sj * (yk * wi - yi * wk) + sk * (yi * wj - yj * wi)
                qy = si * (xk * wj - xj * wk) + sj * (xi * wk - xk * wi) + sk * (xj * wi - xi * wj)
                qz = si * ai + sj * aj + sk * ak - x * qx - y * qy
                qx, qy = -focal * qx, focal * qy
                on_points[b, i, 0] += bi * qx
                on_points[b, i, 1] += bi * qy
                on_points[b, i, 2] += bi * qz
                on_points[b, j, 0] += bj * qx
                on_points[b, j, 1] += bj * qy
                on_points[b, j, 2] += bj * qz
                on_points[b, k, 0] += bk * qx
                on_points[b, k, 1] += bk * qy
                on_points[b, k, 2] += bk * qz
    return on_points, on_colours
