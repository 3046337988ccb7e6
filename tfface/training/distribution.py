"""The `tf.distribute` strategy that a configuration names."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from tfface.config import ConfigError, TrainingConfig


def make_strategy(training: TrainingConfig) -> tf.distribute.Strategy:
    """Returns the strategy; `CPU:1` and higher create logical CPUs, before TensorFlow runs.

    Raises:
        ConfigError: if a device does not exist, TF_CONFIG is missing or wrong, or the devices
            cannot share the batch evenly.
    """
    if training.strategy == "multi_worker":
        _check_cluster(os.environ.get("TF_CONFIG"))
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        _check_devices(training.devices or [])
        strategy = _local_strategy(training)
    replicas = strategy.num_replicas_in_sync
    if training.batch_size % replicas:
        raise ConfigError(
            f"training.batch_size: expected a multiple of the {replicas} replicas, "
            f"got {training.batch_size}"
        )
    return strategy


def _check_cluster(text: str | None) -> None:
    try:
        cluster = json.loads(text or "null")
        if not {"cluster", "task"} <= set(cluster):
            raise ValueError
    except (ValueError, TypeError):
        raise ConfigError(
            "training.strategy: multi_worker expects the environment variable TF_CONFIG to hold "
            f"JSON with cluster and task (see the README, Several machines), got {text!r}"
        ) from None


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files of the run."""
    return strategy.extended.should_checkpoint


def share_batches(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Lets every worker read the whole stream and keep its part of each batch.

    So several workers see the very batches that one would, whatever the number of files.
    """
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Blocks until every worker has come here; no one may leave while the chief still works."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    @tf.function
    def count() -> tf.Tensor:
        ones = strategy.run(lambda: tf.constant(1.0))
        return strategy.reduce("SUM", ones, axis=None)

    count()


def _local_strategy(training: TrainingConfig) -> tf.distribute.Strategy:
    if training.strategy == "mirrored":
        # CPUs of one process need no collective operations, whose keys two runs would share.
        only_cpus = training.devices and all(name.startswith("CPU") for name in training.devices)
        operations = tf.distribute.ReductionToOneDevice() if only_cpus else None
        return tf.distribute.MirroredStrategy(training.devices, cross_device_ops=operations)
    if training.devices is None:
        return tf.distribute.get_strategy()  # TensorFlow's own placement: a GPU where there is one
    if len(training.devices) != 1:
        raise ConfigError(f"training.devices: one_device expects one, got {training.devices}")
    return tf.distribute.OneDeviceStrategy(f"/{training.devices[0]}")


def _check_devices(devices: list[str]) -> None:
    cpus = [int(name.split(":")[1]) for name in devices if name.startswith("CPU")]
    if cpus and max(cpus) > 0:
        _create_logical_cpus(max(cpus) + 1)
    existing = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    missing = [name for name in devices if name not in existing]
    if missing:
        raise ConfigError(
            f"training.devices: expected some of {', '.join(existing)}, got {', '.join(missing)}"
        )


def _create_logical_cpus(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or []) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError:  # TensorFlow runs already: the check of names says what is missing
        return
