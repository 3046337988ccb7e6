"""The benchmark of drawing tells waiting from working."""

import time

import pytest


@pytest.mark.parametrize(("draw", "use", "expected"), [(0.02, 0.0, 1.0), (0.0, 0.02, 0.0)])
def test_waiting_is_what_the_next_batch_takes(repository, monkeypatch, draw, use, expected):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    import benchmark_synthesis

    def batches():
        while True:
            clock[0] += draw
            yield None

    def step(batch):
        clock[0] += use

    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    total, waiting = benchmark_synthesis._timed(batches(), 5, step, "test", 2)
    assert total == pytest.approx(0.1)
    assert waiting == pytest.approx(expected * total)
