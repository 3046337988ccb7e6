"""What every test shares: quiet TensorFlow on two logical CPUs, and the shared development data."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

# Two logical CPUs, for tests of mirrored training; they must exist before TensorFlow runs.
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)
# Tests run in several processes: one thread each keeps them out of each other's way.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(2)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", autouse=True)
def _spare_the_garbage_collector() -> Iterator[None]:
    """Traced graphs stay in memory, and would be scanned again with every new one."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development data beside the checkout (`TFFACE_SHARED`); skips where there is none."""
    path = Path(os.environ.get("TFFACE_SHARED", REPOSITORY.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"needs the development data at {path}")
    return path
