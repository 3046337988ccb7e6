"""Times what MoFA's decoder and losses add to a training step of the encoder alone.

    python tools/benchmark_training.py --size small --output DIR [--seed N]

The steps are those of configs/mofa_paper.yaml (AlexNet, 240 pixels, 5 pictures, the fine mesh): the
encoder alone with an L2 loss on its code, MoFA with all vertices, and with 500 sampled ones (high-
fidelity MoFA, section 7); and those of the shipped configs/mofa.yaml; `full` repeats them more
often and adds VGG-Face. Every step computes gradients and updates all variables. Repeats are
interleaved, so that a busy machine slows all of them; medians are compared.

Prints a Markdown table and writes DIR/results.json, steps.png and configuration.json. `small` takes
about two minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfface.command_line import fail, load_tensorflow_quietly
from tfface.config import Config, load_config

if TYPE_CHECKING:
    import tensorflow as tf

    from tfface.systems import FaceSystem

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SAMPLED_VERTICES = 500
BARE = "encoder_only"  # the step that the others are compared with
TARGETS = {"all_vertices": 1.3, f"{SAMPLED_VERTICES}_vertices": 1.08}
TITLES = {
    BARE: "encoder alone, L2 loss on the code",
    "all_vertices": "MoFA, all vertices",
    f"{SAMPLED_VERTICES}_vertices": f"MoFA, {SAMPLED_VERTICES} sampled vertices",
}


@dataclass(frozen=True)
class Size:
    """How much is measured: repeats of each step, and the encoders."""

    repeats: int
    encoders: tuple[str, ...]


SIZES = {
    "small": Size(15, ("alexnet", "compact")),
    "full": Size(40, ("alexnet", "vgg_face", "compact")),
}


def main() -> int:
    """Command line; returns the exit status: 0, or 2 for a bad output folder."""
    parser = argparse.ArgumentParser(description="Time MoFA's training step.")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="of pictures, vertices and weights")
    options = parser.parse_args()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return fail("benchmark_training", error)
    load_tensorflow_quietly()
    size = SIZES[options.size]
    configs = {name: configuration(name, options.seed) for name in size.encoders}
    seconds = {
        name: measure(config, size.repeats, options.seed) for name, config in configs.items()
    }
    batches = {name: config.training.batch_size for name, config in configs.items()}
    print(table(seconds, configs))
    conditions = {
        "size": options.size,
        **asdict(size),
        "seed": options.seed,
        **_machine(),
        "configs": {name: config.model_dump() for name, config in configs.items()},
    }
    try:
        _write_json(options.output / "results.json", results(seconds, batches))
        _write_json(options.output / "configuration.json", conditions)
        plot(seconds, options.output / "steps.png")
    except OSError as error:
        return fail("benchmark_training", error)
    return 0


def configuration(encoder: str, seed: int) -> Config:
    """The configuration whose step is timed: the paper's, or that of the shipped model."""
    name = "mofa" if encoder == "compact" else "mofa_paper"
    overrides = [
        f"model.encoder={encoder}",
        "model.sampled_vertices=null",
        "optimizer.learning_rate=1e-9",  # noise teaches nothing; the step does the same work
        f"seed={seed}",
    ]
    return load_config(CONFIGS / f"{name}.yaml", overrides)


def measure(config: Config, repeats: int, seed: int) -> dict[str, np.ndarray]:
    """Times the three steps; returns the seconds of every repeat, by name of the step."""
    from tqdm import tqdm

    from tfface.systems import build_system

    system = build_system(config)
    batch = random_batch(system, config.training.batch_size, seed)
    steps = make_steps(system, config, batch)
    random = np.random.default_rng(seed)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    progress = tqdm(total=repeats * len(steps), desc=config.model.encoder, unit="step")
    with progress:
        for _ in range(repeats):
            for name in random.permutation(list(steps)):
                start = time.perf_counter()
                float(steps[name]())
                seconds[name].append(time.perf_counter() - start)
                progress.update()
    return {name: np.array(values) for name, values in seconds.items()}


def random_batch(system: FaceSystem, count: int, seed: int) -> tuple[tf.Tensor, dict[str, Any]]:
    """Noise in the place of photos: how long a step takes does not depend on what they show."""
    import tensorflow as tf

    size = system.image_size
    random = np.random.default_rng(seed)
    targets = {
        "landmarks": random.uniform(0, size, (count, 68, 2)),
        "confidence": np.ones((count, 68)),
        "code": random.normal(size=(count, system.layout.size)),
        "has_code": np.zeros(count),
    }
    images = tf.constant(random.random((count, size, size, 3)), tf.float32)
    return images, {name: tf.constant(value, tf.float32) for name, value in targets.items()}


def make_steps(
    system: FaceSystem, config: Config, batch: tuple[tf.Tensor, dict[str, Any]]
) -> dict[str, Callable[[], tf.Tensor]]:
    """Traces and runs once the three training steps; they share the encoder and the optimiser."""
    import tensorflow as tf

    optimizer = system.make_optimizer(config)
    system(batch[0][:1])
    optimizer.build(system.trainable_variables)

    def code_loss(images: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.reduce_mean(tf.square(system.encoder(images, training=True) - targets["code"]))

    def mofa_loss(images: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        terms = system.loss_terms(images, targets, system(images, training=True))
        return tf.add_n(list(terms.values()))

    everything, sampled = TARGETS
    losses: dict[str, tuple[Callable[..., tf.Tensor], int | None]] = {
        BARE: (code_loss, None),
        everything: (mofa_loss, None),
        sampled: (mofa_loss, SAMPLED_VERTICES),
    }
    steps = {}
    for name, (loss, count) in losses.items():
        system.sampled_vertices = count  # what tracing reads
        steps[name] = _traced(system, optimizer, loss, batch)
    return steps


def _traced(
    system: FaceSystem, optimizer: Any, loss: Callable[..., tf.Tensor], batch: Any
) -> Callable[[], tf.Tensor]:
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(images: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(images, targets)
        variables = system.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    traced = step.get_concrete_function(*batch)
    traced(*batch)  # the first call allocates
    return lambda: traced(*batch)


def results(seconds: dict[str, dict[str, np.ndarray]], batches: dict[str, int]) -> dict[str, float]:
    """Flat names to numbers; AlexNet's, which the paper uses, without a suffix."""
    flat = {}
    for encoder, steps in seconds.items():
        suffix = "" if encoder == "alexnet" else f".{encoder}"
        for step, values in steps.items():
            median = float(np.median(values))
            flat[f"step_ms.{step}{suffix}"] = 1e3 * median
            flat[f"images_per_second.{step}{suffix}"] = batches[encoder] / median
            if step != BARE:
                flat[f"step_ratio.{step}{suffix}"] = median / float(np.median(steps[BARE]))
    return {name: round(value, 4) for name, value in flat.items()}


def table(seconds: dict[str, dict[str, np.ndarray]], configs: dict[str, Config]) -> str:
    """The Markdown table."""
    lines = [
        "| encoder | training step | ms, median | ms, quartiles | images/s | ratio | target |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for encoder, steps in seconds.items():
        config = configs[encoder]
        setting = f"{encoder}, {config.model.image_size} px, batch {config.training.batch_size}"
        for step, values in steps.items():
            low, median, high = 1e3 * np.quantile(values, [0.25, 0.5, 0.75])
            ratio = float(np.median(values) / np.median(steps[BARE]))
            target = TARGETS.get(step) if encoder == "alexnet" else None
            cells = [
                setting,
                TITLES[step],
                f"{median:.0f}",
                f"{low:.0f} to {high:.0f}",
                f"{1e3 * config.training.batch_size / median:.1f}",
                f"{ratio:.3f}",
                f"<= {target}" if target else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(seconds: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """A box plot of the repeats, one axis an encoder."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(seconds), figsize=(4 * len(seconds), 4), squeeze=False)
    for axis, (encoder, steps) in zip(axes[0], seconds.items(), strict=True):
        labels = [name.replace("_", "\n") for name in steps]
        axis.boxplot([1e3 * values for values in steps.values()], tick_labels=labels)
        axis.set_title(encoder)
        axis.set_ylabel("ms per training step")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3, axis="y")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _machine() -> dict[str, Any]:
    import tensorflow as tf

    return {
        "tensorflow": tf.__version__,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "devices": [device.device_type for device in tf.config.list_logical_devices()],
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
