"""Times the renderer, forward and with the gradient on vertices and colours.

    python tools/benchmark_rendering.py --size small --output DIR [--seed N]

Each row draws a bumpy head that fills three quarters of the frame: camera-space vertices and three
colours a vertex -> a picture. Beside tfface run, where they are installed (`pip install numba
deodr`), a one-thread z-buffer in numba (tools/rendering_benchmark/yardstick.py, near the limit of
a CPU) and deodr, one picture at a time, without antialiasing and as it is by default, with it.
Repeats are interleaved, so that a busy machine slows all of them; medians are compared.
`small` takes about a minute and `full`, with 66k vertices, some minutes.

MiB is by how much the peak memory of a process that only draws a row exceeds that of one which
draws a mesh of 72 vertices (Linux).

Prints a Markdown table and writes DIR/results.json and configuration.json.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import multiprocessing
import os
import platform
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
FULL = [*SMALL, (256, 224, 1), (256, 224, 8), (256, 480, 1), (256, 480, 8), (256, 1024, 1)]
SMALLEST = (8, 16, 1)  # what TensorFlow and compiling take
SIZES: dict[str, tuple[list[tuple[int, int, int]], int]] = {"small": (SMALL, 9), "full": (FULL, 21)}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad output folder."""
    parser = argparse.ArgumentParser(description="Time the renderer.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the repeats")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return fail("benchmark_rendering", error)
    load_tensorflow_quietly()
    rows, repeats = SIZES[options.size]
    results = [measure(row, repeats, options.seed) for row in tqdm(rows, unit="row")]
    print(table(results))
    configuration = {"size": options.size, "repeats": repeats, "seed": options.seed, **machine()}
    try:
        for file, content in (("results", flat(results)), ("configuration", configuration)):
            (options.output / f"{file}.json").write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        return fail("benchmark_rendering", error)
    return 0


def measure(case: tuple[int, int, int], repeats: int, seed: int = 0) -> dict[str, Any]:
    """Median milliseconds of every renderer: `{name: [forward, both]}` beside the row's numbers."""
    _, size, batch = case
    arguments = scene(*case)
    points, triangles, colours, focal, _ = arguments
    random = np.random.default_rng(seed)
    renderers = {"tfface": tfface_renderer(*arguments)}
    if importlib.util.find_spec("numba"):
        renderers["numba"] = numba_renderer(*arguments)
    if importlib.util.find_spec("deodr") and batch == 1:
        from rendering_benchmark.deodr_peer import deodr_renderer

        for name, smooth in (("deodr", False), ("deodr, antialiased", True)):
            one = (points[0], triangles, colours[0], focal, size)
            renderers[name] = deodr_renderer(*one, antialiased=smooth)
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
    row = {"vertices": points.shape[1], "triangles": len(triangles), "size": size, "batch": batch}
    memory = peak_mib(*case) - peak_mib(*SMALLEST)
    return {**row, "milliseconds": medians, "mib": round(memory)}


@functools.cache
def peak_mib(rings: int, size: int, batch: int) -> float:
    """Peak resident memory of a process of its own that draws, and draws back, some times."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_mib, (rings, size, batch))


def _peak_mib(rings: int, size: int, batch: int) -> float:
    _, both = tfface_renderer(*scene(rings, size, batch))
    for _ in range(5):
        both()
    # Not ru_maxrss, which a process inherits.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def scene(rings: int, size: int, batch: int) -> tuple[Any, ...]:
    """Points, triangles, colours, focal length and side of the picture."""
    from rendering_benchmark.meshes import head, posed

    vertices, triangles = head(rings)
    points, focal = posed(vertices, batch, size)
    colours = np.random.default_rng(0).random(points.shape).astype(np.float32)
    return points, triangles, colours, focal, size


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
        ids, weights, _, _ = forward(*arguments, size)
        return backward(*arguments, ids, weights, on_picture)

    return lambda: forward(*arguments, size), both


def flat(results: list[dict[str, Any]]) -> dict[str, float]:
    """Names such as "milliseconds.tfface.forward.16512_vertices.224_px.batch_8" -> numbers."""
    numbers = {}
    for row in results:
        case = f"{row['vertices']}_vertices.{row['size']}_px.batch_{row['batch']}"
        numbers[f"mib.{case}"] = row["mib"]
        for name, times in row["milliseconds"].items():
            peer = name.replace(", ", "_")
            for direction, time_taken in zip(("forward", "both"), times, strict=True):
                numbers[f"milliseconds.{peer}.{direction}.{case}"] = time_taken
    return numbers


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: milliseconds forward / forward and backward, tfface's ratio to the others, MiB."""
    names = list(dict.fromkeys(name for row in results for name in row["milliseconds"]))
    others = names[1:]
    head = ["vertices", "picture", "batch", *names, *(f"tfface : {name}" for name in others), "MiB"]
    lines = [" | ".join(head), " | ".join(["--:"] * len(head))]
    for row in results:
        times = row["milliseconds"]
        cells = [f"{row['vertices']:,}", f"{row['size']}²", str(row["batch"])]
        cells += ["{:.1f} / {:.1f}".format(*times[n]) if n in times else "" for n in names]
        for name in others:
            pairs = zip(times["tfface"], times.get(name, []), strict=False)
            cells.append(" / ".join(f"{own / other:.2f}" for own, other in pairs))
        lines.append(" | ".join([*cells, str(row["mib"])]))
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
