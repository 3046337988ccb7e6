"""How recognisable faces are, how steady, and where a step's time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import tensorflow as tf

from identity_regression_evaluation.faces import (
    Codes,
    differences,
    frontal_chips,
    mean_codes,
    neutral_codes,
    spread,
)
from identity_regression_evaluation.networks import Judge
from identity_regression_evaluation.photos import VERSIONS, Portraits
from tfface.config import IdentityRegressionConfig
from tfface.exported_model import ExportedModel
from tfface.metrics.identity import cosine_similarities, earth_movers_distance, recall
from tfface.morphable.model import MorphableModel
from tfface.systems import build_system

MEAN = "mean_face"
_REPEATS = 7

Numbers = dict[str, float]


def recognisability(
    judge: Judge,
    model: MorphableModel,
    systems: Mapping[str, ExportedModel],
    portraits: Mapping[str, Portraits],
) -> dict[str, Numbers]:
    """Cosine, earth mover's distances and recall of each system's renders, and of the mean face.

    Pictures of one person are a photo and its altered versions, for there is one photo a person;
    those of different ones are all pairs of photos.
    """
    photos = judge.embed(portraits["photo"].chips[judge.size])
    among = cosine_similarities(photos, photos)
    different = among[~np.eye(len(among), dtype=bool)]
    again = [judge.embed(portraits[name].chips[judge.size]) for name in VERSIONS]
    same = np.concatenate([np.diag(cosine_similarities(photos, other)) for other in again])
    codes = {name: neutral_codes(system, portraits["photo"]) for name, system in systems.items()}
    codes = {MEAN: mean_codes(next(iter(codes.values()))), **codes}
    results = {"altered_photos": {"cosine": float(same.mean())}}
    results["other_people"] = {"cosine": float(different.mean())}
    people = np.arange(len(photos))
    for name, seen in codes.items():
        renders = judge.embed(frontal_chips(model, seen, judge.size))
        scores = np.diag(cosine_similarities(photos, renders))
        results[name] = {
            "cosine": float(scores.mean()),
            "emd_same": earth_movers_distance(scores, same),
            "emd_different": earth_movers_distance(scores, different),
            "top1": recall(renders, photos, people, 1),
            "top5": recall(renders, photos, people, 5),
        }
    return results


def stability(
    model: MorphableModel,
    systems: Mapping[str, ExportedModel],
    portraits: Mapping[str, Portraits],
) -> dict[str, Numbers]:
    """Spread of the shapes seen in a photo and its altered versions, mm; the mean over people.

    `all` is over all versions together, "people" what the shapes of different people differ by.
    """
    results: dict[str, Numbers] = {}
    for name, system in systems.items():
        seen: dict[str, Codes] = {v: neutral_codes(system, portraits[v]) for v in portraits}
        pairs = {v: spread(model, [seen["photo"], seen[v]]) for v in VERSIONS}
        pairs["all"] = spread(model, list(seen.values()))
        results[name] = {v: float(values.mean()) for v, values in pairs.items()}
        results[name]["people"] = differences(model, seen["photo"])
    return results


def step_times(config: IdentityRegressionConfig) -> Numbers:
    """Milliseconds of a step of the second stage, and of its parts, medians.

    `render` and `encoder` are the forward passes of the pictures of the photos' faces, `backward`
    the rest of the step.
    """
    system = build_system(config)
    system.compile(optimizer=system.make_optimizer(config))
    losses, size = config.losses, config.training.batch_size
    features = system.features.output_shape[-1]
    random = np.random.default_rng(config.seed)
    photos, drawn = (
        tf.constant(np.abs(random.normal(size=(size, features))), tf.float32) for _ in range(2)
    )
    code = tf.constant(random.normal(size=(size, system.layout.size)), tf.float32)
    targets = {"code": code, "drawn": drawn}
    count = losses.views * losses.faces
    parts = {name: value[: losses.faces] for name, value in system.layout.split(code).items()}
    chips = tf.zeros([count, config.model.image_size, config.model.image_size, 3])

    @tf.function
    def render() -> tf.Tensor:
        return system.draw_random(parts)

    @tf.function
    def encode() -> tf.Tensor:
        return system.features(chips, training=False)

    @tf.function
    def step() -> dict[str, tf.Tensor]:
        return system.train_step((photos, targets))

    times = {
        name: _milliseconds(f)
        for name, f in (("render", render), ("encoder", encode), ("step", step))
    }
    times["backward"] = times["step"] - times["render"] - times["encoder"]
    return times


def _milliseconds(call: Callable[[], object]) -> float:
    call()
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), call())
        seconds.append(time.perf_counter() - started)
    return 1000 * median(seconds)
