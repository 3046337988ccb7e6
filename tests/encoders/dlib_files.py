"""A file as dlib serialises its recognition network, with small random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfface.encoders.recognition_resnet import STAGES


def integer(value: int) -> bytes:
    content = abs(value).to_bytes(max(1, (abs(value).bit_length() + 7) // 8), "little")
    return bytes([len(content) | (0x80 if value < 0 else 0)]) + content


def text(name: str) -> bytes:
    return integer(len(name)) + name.encode()


def tensor(values: np.ndarray) -> bytes:
    shape = (*values.shape, 1, 1, 1, 1)[:4]
    return b"".join(map(integer, (2, *shape))) + values.astype("<f4").tobytes()


def random_layers() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Kernel `(out, in, h, w)`, bias, scale and shift of each convolution."""
    random, inputs, layers = np.random.default_rng(3), 3, []
    widths = [32] + [width for width, blocks, _ in STAGES for _ in range(2 * blocks)]
    for number, width in enumerate(widths):
        side = 3 if number else 7
        kernel = random.standard_normal((width, inputs, side, side)) / (side * np.sqrt(inputs))
        bias, shift = 0.1 * random.standard_normal((2, width))
        layers.append((kernel, bias, random.uniform(0.5, 1.5, width), shift))
        inputs = width
    return layers


def write_dlib_file(path: Path, layers: list, dense: np.ndarray) -> Path:
    """Writes convolutions and a dense kernel `(in, out)`."""
    content = text("loss_metric_2") + text("input_rgb_image_sized")
    for kernel, bias, scale, shift in layers:
        content += text("con_4") + tensor(np.concatenate([kernel.ravel(), bias])) + integer(-7)
        content += text("affine_") + tensor(np.concatenate([scale, shift])) + text("relu_")
    content += text("fc_2") + integer(dense.shape[1]) + integer(dense.shape[0]) + tensor(dense)
    path.write_bytes(content)
    return path
