"""Runs systems over test sets; what is done already is not done again."""

from __future__ import annotations

import functools
import json
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from tqdm import tqdm

from tfface.config import ConfigError, EvaluationConfig, load_evaluation_config
from tfface.evaluation.measures import Errors, nearest_face, sample_errors
from tfface.evaluation.systems import System, open_system
from tfface.evaluation.test_sets import OpenTestSet, open_test_set
from tfface.files import write_text

CONFIGURATION, MODELS = "configuration.yaml", "models.json"
_TOGETHER = 4  # pictures of one task

Measured = dict[str, Errors]  # picture -> errors; none where no face was found
Found = dict[str, dict[str, Measured]]  # set -> system
_Task = tuple[str, str, Sequence[str]]  # set, system, pictures


class Evaluation(NamedTuple):
    """What `evaluate` measured.

    Attributes:
        found: The errors of each picture.
        failed: How many measurements came to nothing, as their data are damaged.
    """

    found: Found
    failed: int


def evaluate(config: EvaluationConfig) -> Evaluation:
    """Measures all systems on all sets.

    The errors of each picture are added to `OUTPUT/errors/SET/SYSTEM.jsonl` as they are found. A
    picture that cannot be read or measured is told on stderr, and tried again by the next call.

    Raises:
        ConfigError: something that is named is not there, or OUTPUT holds another evaluation, or
            one of other models.
        OSError: OUTPUT cannot be written.
    """
    output = Path(config.output)
    # Before any work.
    models = {name: open_system(name, settings).digest for name, settings in config.systems.items()}
    names = {key: open_test_set(s, config.seed).names for key, s in config.test_sets.items()}
    _claim(output, config, models)
    found: Found = {
        test_set: {system: _read(_file(output, test_set, system)) for system in config.systems}
        for test_set in names
    }
    tasks: list[_Task] = []
    for test_set, systems in found.items():
        for system, done in systems.items():
            left = [name for name in names[test_set] if name not in done]
            parts = range(0, len(left), _TOGETHER)
            tasks += [(test_set, system, left[i : i + _TOGETHER]) for i in parts]
    failed = 0
    with tqdm(total=sum(len(task[2]) for task in tasks), unit="picture") as progress:
        for (test_set, system, pictures), measured in _work(config, tasks):
            found[test_set][system] |= measured
            _append(_file(output, test_set, system), measured)
            failed += len(pictures) - len(measured)
            progress.update(len(pictures))
    asked = {
        test_set: {
            system: {name: done[name] for name in names[test_set] if name in done}
            for system, done in systems.items()
        }
        for test_set, systems in found.items()
    }
    return Evaluation(asked, failed)


def _claim(output: Path, config: EvaluationConfig, models: dict[str, str]) -> None:
    """Writes the configuration and its models' digests, which may have grown by systems and sets
    since the last call."""
    output.mkdir(parents=True, exist_ok=True)
    file, digests = output / CONFIGURATION, output / MODELS
    if digests.exists():
        known = json.loads(digests.read_text())
        changed = [name for name in models if known.get(name, models[name]) != models[name]]
        if changed:
            raise ConfigError(f"{output}: holds an evaluation of another model {changed[0]}")
        models = known | models
    if file.exists():
        before = load_evaluation_config(file)
        for kind in ("systems", "test_sets"):
            old, new = getattr(before, kind), getattr(config, kind)
            changed = [name for name in old if name in new and old[name] != new[name]]
            if changed or before.seed != config.seed:
                key = f"{kind}.{changed[0]}" if changed else "seed"
                raise ConfigError(f"{output}: holds an evaluation with another {key}")
            config = config.model_copy(update={kind: {**old, **new}})
    write_text(file, config.to_yaml())
    write_text(digests, json.dumps(models, indent=1) + "\n")


def _work(config: EvaluationConfig, tasks: Sequence[_Task]) -> Iterator[tuple[_Task, Measured]]:
    """What comes of tasks, in the order in which they end."""
    measure = functools.partial(_measure, config.to_yaml())
    if config.workers == 1 or not tasks:
        yield from ((task, measure(task)) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    # Ctrl-C is for this process, which lets the others end what they have begun.
    deaf = signal.SIGINT, signal.SIG_IGN
    with ProcessPoolExecutor(config.workers, context, signal.signal, deaf) as pool:
        futures = {pool.submit(measure, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _measure(text: str, task: _Task) -> Measured:
    """Of some pictures, in whichever process; those that fail are left out, and told."""
    test_set, name, pictures = task
    samples, system = _test_set(text, test_set), _system(text, name)
    measured: Measured = {}
    for picture in pictures:
        try:
            sample = samples.read(picture)
            face = nearest_face(system(sample.image, picture), sample.landmarks)
            errors = sample_errors(face, sample, system.model) if face is not None else {}
        except Exception as error:  # readers of damaged files raise what they like
            what = f"{test_set}: {picture}: {name}: {type(error).__name__}: {error}"
            print(f"tfface.evaluate: {what}", file=sys.stderr)
        else:
            measured[picture] = errors
    return measured


@functools.lru_cache(maxsize=1)
def _config(text: str) -> EvaluationConfig:
    return EvaluationConfig.model_validate(yaml.safe_load(text))


@functools.lru_cache(maxsize=1)
def _test_set(text: str, name: str) -> OpenTestSet:
    config = _config(text)
    return open_test_set(config.test_sets[name], config.seed)


@functools.lru_cache(maxsize=1)
def _system(text: str, name: str) -> System:
    return open_system(name, _config(text).systems[name])


def _file(output: Path, test_set: str, system: str) -> Path:
    return output / "errors" / test_set / f"{system}.jsonl"


def _read(file: Path) -> Measured:
    """What a file holds; the last line of a killed call may be a piece of one, and goes."""
    measured: Measured = {}
    if file.exists():
        text, end, piece = file.read_text().rpartition("\n")
        if piece:
            write_text(file, text + end)
        for name, errors in map(json.loads, text.splitlines()):
            measured[name] = {key: np.nan if e is None else e for key, e in errors.items()}
    return measured


def _append(file: Path, measured: Measured) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        for name, errors in measured.items():
            known = {key: e if np.isfinite(e) else None for key, e in errors.items()}
            stream.write(json.dumps([name, known]) + "\n")
