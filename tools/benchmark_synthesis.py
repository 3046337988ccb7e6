"""Measures how fast faces are drawn, and how long a training step waits for them.

    python tools/benchmark_synthesis.py --size small --output DIR [--seed N]

For `configs/inverse_facenet.yaml` (112 pixels, the compact encoder, 32 faces a step): faces drawn a
second with all cores, and the share of a training's time that it waits for its next batch: with
faces drawn as it goes, in a round of bootstrapping, which draws its corpus first, and with a corpus
in memory and on disk. Prints a Markdown table and writes
DIR/results.json and configuration.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tfface.command_line import fail, load_tensorflow_quietly, whole_number
from tfface.config import InverseFaceNetConfig, load_config

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "inverse_facenet.yaml"


@dataclass(frozen=True)
class Size:
    """Batches drawn and training steps measured; of bootstrapping a whole round is."""

    batches: int
    steps: int


SIZES = {"small": Size(20, 30), "full": Size(100, 200)}
_WARM_UP = 3  # batches that are not measured
TITLES = {
    "stream": "drawn as training goes",
    "round": "a round of bootstrapping, its drawing included",
    "memory": "a corpus in memory",
    "disk": "a corpus on disk",
}


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the drawing of faces.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, default=1, help="of the faces")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return fail("benchmark_synthesis", error)
    load_tensorflow_quietly()
    size = SIZES[options.size]
    config = load_config(CONFIG, [f"seed={options.seed}"])
    assert isinstance(config, InverseFaceNetConfig)
    try:
        results = measure(config, size)
    except OSError as error:  # the corpus on disk did not fit
        return fail("benchmark_synthesis", error)
    print("| faces come from | faces a second | step, ms | of it waiting, % |")
    print("|---|--:|--:|--:|")
    print(f"| (drawing alone) | {results['faces_per_second']:.0f} | | |")
    for name, title in TITLES.items():
        step, wait = results[f"step_ms.{name}"], results[f"waiting_percent.{name}"]
        print(f"| {title} | | {step:.0f} | {wait:.1f} |")
    configuration = {"size": options.size, **asdict(size), "seed": options.seed}
    configuration["cores"] = len(os.sched_getaffinity(0))
    configuration["config"] = config.model_dump()
    try:
        for file, content in (("results", results), ("configuration", configuration)):
            text = json.dumps(content, indent=1, sort_keys=True)
            (options.output / f"{file}.json").write_text(text + "\n")
    except OSError as error:
        return fail("benchmark_synthesis", error)
    return 0


def measure(config: InverseFaceNetConfig, size: Size) -> dict[str, float]:
    """Faces a second, and step time and waiting share of each source of faces."""
    import tensorflow as tf

    from tfface.data.corpus import write_corpus
    from tfface.systems import build_system
    from tfface.systems.code_regressor import CodeRegressor

    system = build_system(config)
    assert isinstance(system, CodeRegressor)
    batch_size = config.training.batch_size
    system.compile(optimizer=system.make_optimizer(config))
    step = tf.function(system.train_step)
    faces = system.training_batches(_data(config, {"corpus": None}), batch_size, config.seed)
    total, _ = _timed(iter(faces), size.batches, lambda batch: None, "drawing", _WARM_UP)
    step(next(iter(faces)))  # compiles
    results = {"faces_per_second": size.batches * batch_size / total}
    corpus = config.bootstrapping.faces
    round_steps = config.bootstrapping.epochs * config.training.steps_per_epoch
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(folder, config, system.morphable_model, corpus)
        sources: dict[str, tuple[int, int, dict[str, Any]]] = {
            "stream": (size.steps, _WARM_UP, {"corpus": None}),
            "round": (round_steps, 0, {"corpus": corpus}),
            "memory": (size.steps, corpus // batch_size, {"corpus": corpus}),
            "disk": (size.steps, _WARM_UP, {"records": [folder]}),
        }
        for name, (count, skipped, source) in sources.items():
            batches = system.training_batches(_data(config, source), batch_size, config.seed)
            total, waiting = _timed(iter(batches), count, step, name, skipped)
            results[f"step_ms.{name}"] = 1000 * total / count
            results[f"waiting_percent.{name}"] = 100 * waiting / total
    return {name: round(value, 3) for name, value in results.items()}


def _data(config: InverseFaceNetConfig, source: dict[str, Any]) -> Any:
    synthetic = config.data.synthetic.model_copy(update=source)
    return config.data.model_copy(update={"synthetic": synthetic})


def _timed(
    batches: Iterator[Any], count: int, use: Callable[[Any], object], title: str, skipped: int
) -> tuple[float, float]:
    """Seconds that `count` batches took to come and be used, and those of waiting for them.

    Before they are counted, some batches are skipped, which fills what is in memory.
    """
    for _ in range(skipped):
        next(batches)
    waiting, started = 0.0, time.perf_counter()
    for _ in tqdm(range(count), desc=title):
        asked = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - asked
        use(batch)
    return time.perf_counter() - started, waiting


if __name__ == "__main__":
    sys.exit(main())
