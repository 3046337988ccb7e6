"""Files as their authors published them, and what the networks in them compute, in NumPy.

A network is a dict: layer name -> kernel in Caffe's order, `(out, in, h, w)` or `(out, in)`, and
bias. The images of the NumPy network are BGR, 0..255 without the mean, channels first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io

Network = dict[str, tuple[np.ndarray, np.ndarray]]

# name -> (out, in of a group, kernel, strides, padding, groups)
ALEXNET_CONVOLUTIONS = {
    "conv1": (96, 3, 11, 4, 0, 1),
    "conv2": (256, 48, 5, 1, 2, 2),
    "conv3": (384, 256, 3, 1, 1, 1),
    "conv4": (384, 192, 3, 1, 1, 2),
    "conv5": (256, 192, 3, 1, 1, 2),
}
VGG_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def random_alexnet(map_size: int) -> Network:
    shapes = {name: (c[0], c[1], c[2], c[2]) for name, c in ALEXNET_CONVOLUTIONS.items()}
    return _random({**shapes, "fc6": (4096, 256 * map_size**2), "fc7": (4096, 4096)})


def random_vgg_face(map_size: int) -> Network:
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for stage, (width, count) in enumerate(VGG_STAGES, start=1):
        for i in range(1, count + 1):
            shapes[f"conv{stage}_{i}"] = (width, inputs, 3, 3)
            inputs = width
    return _random({**shapes, "fc6": (4096, 512 * map_size**2), "fc7": (4096, 4096)})


def _random(shapes: dict[str, tuple[int, ...]]) -> Network:
    random = np.random.default_rng(5)
    network = {}
    for name, shape in shapes.items():
        gain = np.sqrt(2.0 / np.prod(shape[1:])) / (60.0 if shape[1] == 3 else 1.0)
        kernel = random.standard_normal(shape, np.float32) * np.float32(gain)
        network[name] = (kernel, random.standard_normal(shape[0], np.float32) * np.float32(0.1))
    return network


# What the networks compute.


def alexnet_features(network: Network, image: np.ndarray) -> np.ndarray:
    x = image
    for name, (_, _, _, strides, padding, groups) in ALEXNET_CONVOLUTIONS.items():
        x = convolve(x, *network[name], strides=strides, padding=padding, groups=groups)
        x = np.maximum(x, 0.0)
        if name in ("conv1", "conv2"):
            x = normalize_response(x)
        if name in ("conv1", "conv2", "conv5"):
            x = max_pool(x, 3, 2)
    return _fully_connected(network, x)


def vgg_face_features(network: Network, image: np.ndarray) -> np.ndarray:
    x = image
    for stage, (_, count) in enumerate(VGG_STAGES, start=1):
        for i in range(1, count + 1):
            x = np.maximum(convolve(x, *network[f"conv{stage}_{i}"], padding=1), 0.0)
        x = max_pool(x, 2, 2)
    return _fully_connected(network, x)


def _fully_connected(network: Network, x: np.ndarray) -> np.ndarray:
    x = x.ravel()
    for name in ("fc6", "fc7"):
        kernel, bias = network[name]
        x = np.maximum(kernel @ x + bias, 0.0)
    return x


def convolve(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    strides: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> np.ndarray:
    """`(in, H, W)` -> `(out, H', W')`; output channels of a group see the inputs of that group."""
    size = kernel.shape[-1]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    windows = windows[:, ::strides, ::strides]
    pairs = zip(np.split(windows, groups), np.split(kernel, groups), strict=True)
    maps = [np.tensordot(own, part, ((1, 2, 3), (0, 3, 4))) for part, own in pairs]
    return np.concatenate(maps) + bias[:, None, None]


def max_pool(x: np.ndarray, size: int, strides: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::strides, ::strides].max(axis=(3, 4))


def normalize_response(
    x: np.ndarray, size: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> np.ndarray:
    """Caffe's LRNLayer, ACROSS_CHANNELS, over `(C, H, W)`."""
    squares = np.pad(np.square(x), ((size // 2, size // 2), (0, 0), (0, 0)))
    activity = sum(squares[i : i + len(x)] for i in range(size))
    return x / (1.0 + alpha / size * activity) ** beta


# What is in the files.


def write_caffemodel(path: Path, network: Network, version: int = 1) -> None:
    """Writes a NetParameter; version 1 as in 2014 (four sizes a blob), 2 as of today."""
    message = _field(1, b"a network")
    for name, arrays in {"data": (), **network, "relu": ()}.items():
        if version == 1:
            blobs = b"".join(_field(6, _blob(array, 4)) for array in arrays)
            layer = _field(2, b"bottom") + _field(4, name.encode()) + _number(5, 4) + blobs
            message += _field(2, layer + struct.pack("<Bf", 8 << 3 | 5, 1.0))
        else:
            blobs = b"".join(_field(7, _blob(array)) for array in arrays)
            message += _field(100, _field(1, name.encode()) + _field(2, b"Convolution") + blobs)
    path.write_bytes(message)


def _blob(array: np.ndarray, dimensions: int | None = None) -> bytes:
    numbers = _field(5, array.astype("<f4").tobytes())
    if dimensions is None:
        return _field(7, _field(1, b"".join(map(_varint, array.shape)))) + numbers
    sizes = (1,) * (dimensions - array.ndim) + array.shape
    return b"".join(_number(i, size) for i, size in enumerate(sizes, start=1)) + numbers


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = []
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def in_tensorflow_order(network: Network, map_size: int) -> Network:
    """Kernels as `(h, w, in, out)`, dense ones for maps flattened as (h, w, c)."""
    ordered = {}
    for name, (kernel, bias) in network.items():
        if name == "fc6":
            kernel = kernel.reshape(len(kernel), -1, map_size, map_size)
            kernel = kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel))
        else:
            kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
        ordered[name] = (kernel, bias)
    return ordered


def write_npy(path: Path, network: Network, map_size: int) -> None:
    """Writes what caffe-tensorflow makes of a .caffemodel: a dict of [kernel, bias]."""
    arrays = {name: list(pair) for name, pair in in_tensorflow_order(network, map_size).items()}
    np.save(path, np.array(arrays, dtype=object), allow_pickle=True)


def write_matconvnet(
    path: Path, network: Network, map_size: int, old: bool = False, inside_net: bool = False
) -> None:
    """Writes a MatConvNet network, which is trained on RGB: cells of structs with `weights`.

    Args:
        old: Two fields `filters` and `biases`, as before 2015.
        inside_net: `net.layers` instead of `layers`.
    """
    layers: list[dict[str, object]] = []
    for name, (kernel, bias) in in_tensorflow_order(network, map_size).items():
        if kernel.ndim == 2:  # fully connected layers are convolutions
            side = map_size if name == "fc6" else 1
            kernel = kernel.reshape(side, side, -1, kernel.shape[1])
        kernel = kernel[:, :, ::-1] if kernel.shape[2] == 3 else kernel
        if old:
            arrays: dict[str, object] = {"filters": kernel, "biases": bias[None]}
        else:
            arrays = {"weights": _cell([kernel, bias[:, None]])}
        layers += [{"type": "conv", "name": name, **arrays}, {"type": "relu", "name": "relu"}]
    network_struct = {"layers": _cell(layers), "meta": {"classes": _cell(["a", "b"])}}
    scipy.io.savemat(path, {"net": network_struct} if inside_net else network_struct)


def _cell(values: Iterable[object]) -> np.ndarray:
    values = list(values)
    cell = np.empty((1, len(values)), dtype=object)
    for i, value in enumerate(values):
        cell[0, i] = value
    return cell
