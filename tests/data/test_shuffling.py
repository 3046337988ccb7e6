"""The endless shuffled stream: the same from every start, another order in each pass."""

from __future__ import annotations

import tensorflow as tf

from tfface.data.shuffling import shuffled_passes


def test_the_stream_is_a_function_of_the_seed_and_reads_its_source_once() -> None:
    read: list[int] = []

    def load(number: tf.Tensor) -> tf.Tensor:
        read.append(int(number))
        return number

    source = tf.data.Dataset.range(6).map(
        lambda number: tf.ensure_shape(tf.py_function(load, [number], tf.int64), [])
    )
    stream = shuffled_passes(source.cache(), 6, seed=7)
    first = [int(number) for number in stream.take(24)]
    again = [int(number) for number in stream.take(24)]
    later = [int(number) for number in stream.skip(12).take(12)]
    assert first == again
    assert first[12:] == later
    passes = [first[start : start + 6] for start in range(0, 24, 6)]
    assert all(sorted(one) == list(range(6)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    assert read == list(range(6))


def test_another_seed_gives_another_order() -> None:
    source = tf.data.Dataset.range(50)
    one, two = (list(shuffled_passes(source, 50, seed).take(50)) for seed in (1, 2))
    assert [int(number) for number in one] != [int(number) for number in two]
