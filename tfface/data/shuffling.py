"""An endless stream in random order that a resumed run finds again."""

from __future__ import annotations

import tensorflow as tf


def shuffled_passes(dataset: tf.data.Dataset, buffer_size: int, seed: int) -> tf.data.Dataset:
    """Repeats a dataset for ever, each pass in an order that only the seed and its number decide.

    `dataset.shuffle(...).repeat()` gives every iterator other orders than the one before, so that
    what follows `skip(n)` would depend on how often the stream has been started.

    Args:
        dataset: Finite; it may end in `cache()`, which is filled once.
        buffer_size: As in `tf.data.Dataset.shuffle`.
        seed: Of all orders, together with TensorFlow's global seed.
    """

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        return dataset.shuffle(buffer_size, seed=seed + number, reshuffle_each_iteration=False)

    return tf.data.Dataset.counter().flat_map(one_pass)
