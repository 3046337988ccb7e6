"""The benchmark's steps are what they are called, and its figures have stable names."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def benchmark_training(repository) -> ModuleType:
    path = repository / "tools" / "benchmark_training.py"
    spec = importlib.util.spec_from_file_location("benchmark_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_ratios_of_medians(benchmark_training):
    bare = np.array([0.1, 0.1, 5.0])  # one repeat was disturbed
    steps = {
        "encoder_only": bare,
        "all_vertices": np.array([0.12, 0.12, 0.13]),
        "500_vertices": np.array([0.104, 0.105, 0.105]),
    }
    seconds = {"alexnet": steps, "compact": steps}
    results = benchmark_training.results(seconds, {"alexnet": 5, "compact": 32})
    assert results["step_ratio.all_vertices"] == pytest.approx(1.2)
    assert results["step_ratio.500_vertices"] == pytest.approx(1.05)
    assert results["step_ms.encoder_only"] == pytest.approx(100.0)
    assert results["images_per_second.all_vertices.compact"] == pytest.approx(32 / 0.12, abs=1e-3)
    configs = {name: benchmark_training.configuration(name, 0) for name in seconds}
    lines = benchmark_training.table(seconds, configs).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "| MoFA, all vertices | 120 | 120 to 125 | 41.7 | 1.200 | <= 1.3 |" in lines[3]


def test_the_papers_step(benchmark_training):
    config = benchmark_training.configuration("alexnet", 3)
    assert (config.model.encoder, config.model.image_size) == ("alexnet", 240)
    assert (config.training.batch_size, config.face_model.detail) == (5, "fine")
    assert (config.optimizer.name, config.seed) == ("adadelta", 3)


@pytest.mark.slow
def test_every_step_trains(benchmark_training):
    from tfface.config import MoFAConfig
    from tfface.systems import build_system

    config = MoFAConfig.model_validate(
        {"system": "mofa", "output": "none", "model": {"image_size": 32}}
    )
    system = build_system(config)
    batch = benchmark_training.random_batch(system, 2, seed=0)
    steps = benchmark_training.make_steps(system, config, batch)
    assert list(steps) == ["encoder_only", "all_vertices", "500_vertices"]
    start = [variable.numpy() for variable in system.trainable_variables]

    def losses(name: str) -> list[float]:
        """Two steps from the same weights."""
        values = []
        for _ in range(2):
            for variable, value in zip(system.trainable_variables, start, strict=True):
                variable.assign(value)
            values.append(float(steps[name]()))
            for variable, value in zip(system.trainable_variables, start, strict=True):
                assert np.any(variable.numpy() != value), variable.path
        return values

    for name in ("encoder_only", "all_vertices"):
        first, second = losses(name)
        assert first == pytest.approx(second, rel=1e-5)
    first, second = losses("500_vertices")  # draws other vertices
    assert abs(first - second) > 1e-4 * first
