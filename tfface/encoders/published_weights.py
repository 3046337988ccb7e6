"""Filling an encoder with the weights that its authors published."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np

from tfface.encoders.errors import WeightsError
from tfface.encoders.weight_files import PublishedWeights, read_weight_file

PUBLISHED = ("alexnet", "vgg_face", "recognition_resnet")


def load_published_weights(encoder: keras.Model, path: str | Path, layers: str = ".*") -> None:
    """Loads published weights into an encoder; all of them, or none.

    Args:
        encoder: Of `build_encoder`, one of `PUBLISHED`.
        path: The user's file; see `read_weight_file`. Its classifier is left out.
        layers: Pattern of the names of the encoder's layers that were published.

    Raises:
        OSError: if the file cannot be read.
        WeightsError: if there are no published weights of the encoder, the file is damaged, or a
            layer is missing or has another shape; naming file, layer, and both shapes.
    """
    if encoder.name not in PUBLISHED:
        names = ", ".join(PUBLISHED)
        raise WeightsError(f"{path}: weights are published for {names}, not for {encoder.name}")
    file = read_weight_file(path)
    values: list[tuple[keras.Variable, np.ndarray]] = []
    for name, group in _layers(encoder, layers).items():
        shape = _kernel_shape(encoder, name, group)
        kernel, bias = _arrays(path, file, name, shape)
        if shape[2] == 3 and file.bgr:
            kernel = kernel[:, :, ::-1]
        for i, layer in enumerate(group):
            width = shape[3] // len(group)
            own = slice(i * width, (i + 1) * width)
            values.append((layer.kernel, kernel[..., own].reshape(layer.kernel.shape)))
            values.append((layer.bias, bias[own]))
    for variable, value in values:
        variable.assign(value)


def _layers(encoder: keras.Model, pattern: str) -> dict[str, list[keras.Layer]]:
    """Published layer name -> the layers that hold its groups."""
    layers: dict[str, list[keras.Layer]] = {}
    for layer in encoder.layers:
        if layer.weights and re.fullmatch(pattern, layer.name):
            layers.setdefault(re.sub(r"_group\d+$", "", layer.name), []).append(layer)
    return layers


def _kernel_shape(
    encoder: keras.Model, name: str, group: list[keras.Layer]
) -> tuple[int, int, int, int]:
    """Returns `(h, w, in, out)`; of a dense layer, that of the map that is flattened into it."""
    kernel = group[0].kernel.shape
    if len(kernel) == 4:
        return (*kernel[:3], kernel[3] * len(group))
    if name != "fc6":
        return (1, 1, *kernel)
    return (*encoder.get_layer("flatten").input.shape[1:], kernel[1])


def _arrays(
    path: str | Path, file: PublishedWeights, name: str, shape: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a layer's kernel `(h, w, in, out)` and bias `(out,)`, checked."""
    height, width, inputs, outputs = shape
    if name not in file.layers:
        found = ", ".join(file.layers) or "none"
        raise WeightsError(f"{path}: expected a layer {name}, found {found}")
    kernel, bias = file.layers[name]
    if file.channels_first:
        wanted = (outputs, inputs, height, width)
        flat = (outputs, inputs * height * width)
    else:
        wanted, flat = shape, (height * width * inputs, outputs)
    for array, what, options in (
        (kernel, "kernel", (wanted, flat)),
        (bias, "bias", ((outputs,),)),
    ):
        if array.dtype.kind != "f" or _essential(array.shape) not in map(_essential, options):
            raise WeightsError(
                f"{path}: layer {name}: expected a {what} of shape {options[0]}, "
                f"found {tuple(array.shape)} of {array.dtype}"
            )
        if not np.isfinite(array).all():
            raise WeightsError(
                f"{path}: layer {name}: expected finite {what}, found NaN or infinity"
            )
    kernel = kernel.reshape(wanted)
    return kernel.transpose(2, 3, 1, 0) if file.channels_first else kernel, bias.reshape(-1)


def _essential(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its ones: files differ in which of them they write."""
    return tuple(size for size in shape if size != 1)
