"""Reading a `.caffemodel`: the arrays of a Caffe network, without Caffe or its protobuf schema.

A protobuf message is a list of fields: a varint `number << 3 | wire type`, then the value. Of
Caffe's `NetParameter` only these are read:

    NetParameter       2: V1LayerParameter (files up to 2014)   100: LayerParameter
    V1LayerParameter   4: name   6: BlobProto
    LayerParameter     1: name   7: BlobProto
    BlobProto          1-4: num, channels, height, width (old)  7: BlobShape  5: floats, packed
    BlobShape          1: sizes, packed
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfface.encoders.errors import WeightsError

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
LAYER_FIELDS = {2: (4, 6), 100: (1, 7)}  # field of NetParameter -> fields of name and blobs
MOST_DIMENSIONS = 32


class _Damaged(Exception):
    pass


def read_caffemodel(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Reads the blobs of every layer that has some: kernel `(out, in, h, w)` and bias.

    Old files give every blob four sizes: `(1, 1, out, in)` for fully connected layers.

    Args:
        path: The user's file.

    Raises:
        OSError: if it cannot be read.
        WeightsError: if it is truncated or no Caffe network.
    """
    data = memoryview(Path(path).read_bytes())
    layers: dict[str, list[np.ndarray]] = {}
    try:
        for field, value in _fields(data):
            if field in LAYER_FIELDS and isinstance(value, memoryview):
                name, blobs = _layer(value, *LAYER_FIELDS[field])
                if blobs:
                    layers[name] = blobs
    except (_Damaged, UnicodeDecodeError) as error:
        found = f"after layers {', '.join(layers)}" if layers else "at its start"
        raise WeightsError(f"{path}: expected a whole .caffemodel, found {error} {found}") from None
    if not layers:
        raise WeightsError(f"{path}: expected a .caffemodel with weights, found no layer with any")
    return layers


def _layer(data: memoryview, name_field: int, blob_field: int) -> tuple[str, list[np.ndarray]]:
    name, blobs = "", []
    for field, value in _fields(data):
        if field == name_field and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif field == blob_field and isinstance(value, memoryview):
            blobs.append(_blob(value))
    return name, blobs


def _blob(data: memoryview) -> np.ndarray:
    old_shape, shape = {}, None
    numbers = np.zeros(0, np.float32)
    for field, value in _fields(data):
        if isinstance(value, int) and field in (1, 2, 3, 4):
            old_shape[field] = value
        elif isinstance(value, memoryview) and field == 7:
            shape = _sizes(value)
        elif isinstance(value, memoryview) and field == 5:
            if len(value) % 4:
                raise _Damaged("numbers that are no float32")
            numbers = np.frombuffer(value, "<f4")
    if shape is None:
        shape = [old_shape.get(field, 1) for field in (1, 2, 3, 4)]
    if len(shape) > MOST_DIMENSIONS or math.prod(shape) != numbers.size:
        raise _Damaged(f"{numbers.size} numbers for shape {tuple(shape)[:MOST_DIMENSIONS]}")
    return numbers.reshape(shape)


def _sizes(data: memoryview) -> list[int]:
    sizes: list[int] = []
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            sizes.append(value)
        elif field == 1 and isinstance(value, memoryview):
            position = 0
            while position < len(value):
                size, position = _varint(value, position)
                sizes.append(size)
    return sizes


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == VARINT:
            number, position = _varint(data, position)
            yield key >> 3, number
            continue
        if wire == BYTES:
            length, position = _varint(data, position)
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if wire == EIGHT_BYTES else 4
        else:
            raise _Damaged("bytes of no protobuf message")
        if position + length > len(data):
            raise _Damaged(f"the end where {length} more bytes should be")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise _Damaged("the end in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise _Damaged("bytes of no protobuf message")
