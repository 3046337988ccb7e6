"""The arrays of a network that dlib serialised, in pure NumPy; no code of the file is run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tfface.encoders.errors import WeightsError

_KERNEL_SIZES = (7, 3)  # of the networks that this reads; the file has them after the numbers
_LAYER = re.compile(rb"\x01[\x04-\x0c](con_4|affine_|fc_2)")
_TENSOR_VERSION = 2


def read_dlib_network(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads convolutions, each with the affine layer after it, and a last dense layer.

    Returns:
        `conv1`, `conv2`, ... from the image on: kernel `(out, in, h, w)` and bias `(out,)`, the
        affine layer's scale and shift multiplied in; `fc`: kernel `(out, in)` and a bias of zeros.

    Raises:
        OSError: the file cannot be read.
        WeightsError: it is not such a file, or damaged.
    """
    content = path.read_bytes()
    layers: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    convolution, inputs = None, 3
    try:
        for found in _LAYER.finditer(content):
            tag, place = found.group(1), found.end()
            if tag == b"con_4":
                convolution = _read_tensor(content, place)[0].ravel()
            elif tag == b"affine_" and convolution is not None:
                scale, shift = _read_tensor(content, place)[0].reshape(2, -1)
                kernel, bias = _split(convolution, len(scale), inputs)
                name = f"conv{len(layers) + 1}"
                layers[name] = kernel * scale[:, None, None, None], bias * scale + shift
                convolution, inputs = None, len(scale)
            elif tag == b"fc_2":
                for _ in range(2):  # the numbers of outputs and inputs
                    _, place = _read_integer(content, place)
                kernel = _read_tensor(content, place)[0][:, :, 0, 0].T
                layers["fc"] = kernel, np.zeros(len(kernel), np.float32)
    except (ValueError, IndexError) as error:
        raise WeightsError(f"{path}: expected a network of dlib, found {error}") from None
    if not layers:
        raise WeightsError(f"{path}: expected a network of dlib, found no layers of it")
    return layers


def _split(numbers: np.ndarray, outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """A convolution's kernel and bias, which lie in the file as one."""
    for side in _KERNEL_SIZES:
        if numbers.size == outputs * (inputs * side * side + 1):
            kernel = numbers[:-outputs].reshape(outputs, inputs, side, side)
            return kernel, numbers[-outputs:]
    raise ValueError(f"{numbers.size} numbers in a convolution of {inputs} to {outputs} channels")


def _read_tensor(content: bytes, place: int) -> tuple[np.ndarray, int]:
    """A 4-D tensor and the place after it: version, four sizes, the raw numbers."""
    version, place = _read_integer(content, place)
    if version != _TENSOR_VERSION:
        raise ValueError(f"a tensor of version {version}")
    shape = []
    for _ in range(4):
        size, place = _read_integer(content, place)
        shape.append(size)
    count = int(np.prod(shape))
    return np.frombuffer(content, "<f4", count, place).reshape(shape), place + 4 * count


def _read_integer(content: bytes, place: int) -> tuple[int, int]:
    """An integer and the place after it: a byte with sign and number of bytes, then these."""
    control = content[place]
    end = place + 1 + (control & 0x0F)
    value = int.from_bytes(content[place + 1 : end], "little")
    return (-value if control & 0x80 else value), end
