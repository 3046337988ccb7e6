"""Times the renderer, forward and with the gradient on vertices and colours.

    python tools/benchmark_rendering.py --size small --output DIR

Each row draws a bumpy head that fills three quarters of the frame: camera-space vertices and three
colours a vertex -> a picture. Beside tfface run, where they are installed, a one-thread z-buffer in
numba (tools/rendering_benchmark/yardstick.py, near the limit of a CPU) and deodr (one picture at a
time). Repeats are interleaved, so that a busy machine slows all of them; medians are compared.
`small` takes about a minute and `full`, with 66k vertices, some minutes.

Prints a Markdown table and writes DIR/results.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tfface.command_line import fail, load_tensorflow_quietly

Renderer = tuple[Callable[[], object], Callable[[], object]]  # forward; forward and backward

# Rings of the head, side of the picture, batch; 128 rings have 16,512 vertices, 256 have 65,792.
SMALL = [(128, 224, 1), (128, 224, 8), (128, 480, 1), (128, 480, 8)]
FULL = [*SMALL, (256, 224, 1), (256, 224, 8), (256, 480, 1), (256, 480, 8)]
SIZES = {"small": (SMALL, 9), "full": (FULL, 21)}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad output folder."""
    parser = argparse.ArgumentParser(description="Time the renderer.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return fail("benchmark_rendering", error)
    load_tensorflow_quietly()
    rows, repeats = SIZES[options.size]
    results = [measure(*row, repeats) for row in tqdm(rows, unit="row")]
    print(table(results))
    text = json.dumps({"repeats": repeats, "rows": results, **machine()}, indent=1)
    try:
        (options.output / "results.json").write_text(text + "\n")
    except OSError as error:
        return fail("benchmark_rendering", error)
    return 0


def measure(rings: int, size: int, batch: int, repeats: int) -> dict[str, Any]:
    """Median milliseconds of every renderer: `{name: [forward, both]}` beside the row's numbers."""
    from rendering_benchmark.meshes import head, posed

    vertices, triangles = head(rings)
    points, focal = posed(vertices, batch, size)
    random = np.random.default_rng(0)
    colours = random.random(points.shape).astype(np.float32)
    arguments = (points, triangles, colours, focal, size)
    renderers = {"tfface": tfface_renderer(*arguments)}
    if importlib.util.find_spec("numba"):
        renderers["numba"] = numba_renderer(*arguments)
    if importlib.util.find_spec("deodr") and batch == 1:
        from rendering_benchmark.deodr_peer import deodr_renderer

        renderers["deodr"] = deodr_renderer(points[0], triangles, colours[0], focal, size)
    jobs = [(name, which, r[which]) for name, r in renderers.items() for which in (0, 1)]
    for _, _, job in jobs:
        job()  # traces and compiles
    times: dict[tuple[str, int], list[float]] = {(name, which): [] for name, which, _ in jobs}
    for _ in range(repeats):
        for number in random.permutation(len(jobs)):
            name, which, job = jobs[number]
            start = time.perf_counter()
            job()
            times[name, which].append(1e3 * (time.perf_counter() - start))
    medians = {
        name: [round(float(np.median(times[name, which])), 1) for which in (0, 1)]
        for name in renderers
    }
    row = {"vertices": len(vertices), "triangles": len(triangles), "size": size, "batch": batch}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**row, "milliseconds": medians, "peak_mib_of_the_process": peak}


def tfface_renderer(
    points: np.ndarray, triangles: np.ndarray, colours: np.ndarray, focal: float, size: int
) -> Renderer:
    """The renderer in a traced function, as training uses it."""
    import tensorflow as tf

    from tfface.rendering.rasterize import interpolate, rasterize

    inputs = [tf.constant(points), tf.constant(colours)]
    shape = (len(points), size, size, 3)
    on_picture = tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)

    @tf.function
    def picture(points: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
        seen = rasterize(points, triangles, focal, (size / 2, size / 2), size, size)
        return interpolate(colours, seen, triangles)

    @tf.function
    def gradients(points: tf.Tensor, colours: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([points, colours])
            value = tf.reduce_sum(picture(points, colours) * on_picture)
        return tape.gradient(value, [points, colours])

    return lambda: picture(*inputs).numpy(), lambda: gradients(*inputs)[0].numpy()


def numba_renderer(
    points: np.ndarray, triangles: np.ndarray, colours: np.ndarray, focal: float, size: int
) -> Renderer:
    """The yardstick."""
    from rendering_benchmark.yardstick import backward, forward

    arguments = (points, triangles, colours, np.float32(focal), np.float32(size / 2))
    shape = (len(points), size, size, 3)
    on_picture = np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def both() -> object:
        ids, weights, depth, _ = forward(*arguments, size)
        return backward(*arguments, ids, weights, depth, on_picture)

    return lambda: forward(*arguments, size), both


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: milliseconds forward / forward and backward, and tfface's ratio to the others."""
    names = list(dict.fromkeys(name for row in results for name in row["milliseconds"]))
    others = names[1:]
    head = ["vertices", "picture", "batch", *names, *(f"tfface : {name}" for name in others)]
    lines = [" | ".join(head), " | ".join(["--:"] * len(head))]
    for row in results:
        times = row["milliseconds"]
        cells = [f"{row['vertices']:,}", f"{row['size']}²", str(row["batch"])]
        cells += ["{:.1f} / {:.1f}".format(*times[n]) if n in times else "" for n in names]
        for name in others:
            pairs = zip(times["tfface"], times.get(name, []), strict=False)
            cells.append(" / ".join(f"{own / other:.2f}" for own, other in pairs))
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


def machine() -> dict[str, Any]:
    """Where the numbers are from."""
    import tensorflow as tf

    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
