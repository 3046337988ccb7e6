"""Whether a traced function could run on a GPU, told on a machine without one.

TensorFlow's Linux wheel registers its CUDA kernels whether or not there is a GPU. Every operation
of a graph and of the functions it calls is looked up in that registry with its own dtypes. Kernels
for any device ("DEFAULT": calls, control flow, int32 on the host) count.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework.kernel_def_pb2 import KernelDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.kernels import get_registered_kernels_for_op


def assert_gpu_kernels(function: Any, allowed: tuple[str, ...] = ()) -> None:
    """Fails with the operations of a concrete function that have no GPU kernel for their dtypes.

    Args:
        function: what `tf.function(...).get_concrete_function(...)` returns, or the signature of a
            loaded SavedModel.
        allowed: further operations to let pass, for a reason that the caller states.
    """
    if not _gpu_kernels("MatMul"):
        pytest.skip("this TensorFlow was built without CUDA kernels")
    missing = missing_gpu_kernels(function, allowed)
    assert not missing, "operations without a GPU kernel: " + "; ".join(missing)


def missing_gpu_kernels(function: Any, allowed: tuple[str, ...] = ()) -> list[str]:
    """Names each operation without a GPU kernel once, with its dtypes and a node that has it."""
    missing: dict[str, str] = {}
    for node in _nodes(function):
        if node.op in allowed or _on_host(node) or _has_kernel(node):
            continue
        missing.setdefault(_signature(node), node.name)
    return [f"{signature} (such as {name})" for signature, name in sorted(missing.items())]


def _nodes(function: Any) -> Iterator[NodeDef]:
    graph = function.graph.as_graph_def()
    yield from graph.node
    for called in graph.library.function:
        yield from called.node_def


def _on_host(node: NodeDef) -> bool:
    """Input pipelines and text run on the host by their nature."""
    return "Dataset" in node.op or any(
        value.type == tf.string.as_datatype_enum for value in _dtypes(node).values()
    )


def _dtypes(node: NodeDef) -> dict[str, Any]:
    """The dtype attributes of a node, with the defaults of the operation filled in."""
    dtypes = {name: value for name, value in node.attr.items() if value.HasField("type")}
    definition = op_def_registry.get(node.op)
    for attribute in definition.attr if definition is not None else ():
        if attribute.type == "type" and attribute.HasField("default_value"):
            dtypes.setdefault(attribute.name, attribute.default_value)
    return dtypes


def _has_kernel(node: NodeDef) -> bool:
    dtypes = {name: value.type for name, value in _dtypes(node).items()}
    return any(_fits(kernel, dtypes) for kernel in _gpu_kernels(node.op))


def _fits(kernel: KernelDef, dtypes: dict[str, int]) -> bool:
    return all(
        dtypes.get(constraint.name) in constraint.allowed_values.list.type
        for constraint in kernel.constraint
        if constraint.name in dtypes
    )


@cache
def _gpu_kernels(operation: str) -> tuple[KernelDef, ...]:
    kernels = get_registered_kernels_for_op(operation).kernel
    return tuple(k for k in kernels if k.device_type in ("GPU", "DEFAULT"))


def _signature(node: NodeDef) -> str:
    dtypes = ", ".join(
        f"{name}={tf.dtypes.as_dtype(value.type).name}" for name, value in _dtypes(node).items()
    )
    return f"{node.op}({dtypes})"
