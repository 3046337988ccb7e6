"""Reading pickles of arrays without running what they ask for.

A pickle is a program: `pickle.load` of a file from the internet runs it. Here the few names that
files of arrays need are answered by inert stand-ins, which only remember what they were given;
every other name is refused, before it is imported, with an error that says which. `as_array` then
makes NumPy arrays of the stand-ins. Neither NumPy's nor chumpy's own unpickling code is called.
"""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from tfface.morphable.model import FaceModelError
from tfface.morphable.readers.files import PathLike, require_file, wrong

PLAIN_NUMBER = re.compile(r"[fiub][1248]")


class StandIn:
    """Remembers the arguments it was called with and the state it was given, and does nothing."""

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: object) -> StandIn:
        self = super().__new__(cls)
        self.args, self.state = args, None
        return self

    def __setstate__(self, state: object) -> None:
        self.state = state


class Array(StandIn):
    """`numpy.core.multiarray._reconstruct(class, shape, type)`, the array then being its state."""


class Buffer(StandIn):
    """`numpy.core.numeric._frombuffer(data, dtype, shape, order)`, protocol 5."""


class Dtype(StandIn):
    """`numpy.dtype(code, align, copy)`, its byte order being part of its state."""


class Chumpy(StandIn):
    """`chumpy.ch.Ch` (a constant: x) or `chumpy.reordering.Select` (a at idxs)."""


class Encoded(StandIn):
    """`_codecs.encode(text, encoding)`: how Python 3 writes bytes in old protocols."""


class Rebuilt(StandIn):
    """`copy_reg._reconstructor(class, base, state)`: how Python 2 writes objects."""


class Unused(StandIn):
    """A class whose objects are not read: SciPy's sparse matrices, NumPy's scalars."""


def _allowed() -> dict[tuple[str, str], type]:
    kinds: dict[tuple[str, str], type] = {
        ("numpy", "ndarray"): Unused,
        ("numpy", "dtype"): Dtype,
        ("_codecs", "encode"): Encoded,
        ("chumpy.ch", "Ch"): Chumpy,
        ("chumpy.reordering", "Select"): Chumpy,
    }
    for core in ("numpy.core", "numpy._core"):
        kinds[core + ".multiarray", "_reconstruct"] = Array
        kinds[core + ".multiarray", "scalar"] = Unused
        kinds[core + ".numeric", "_frombuffer"] = Buffer
    for copy_module, builtin_module in (("copy_reg", "__builtin__"), ("copyreg", "builtins")):
        kinds[copy_module, "_reconstructor"] = Rebuilt
        kinds[builtin_module, "object"] = Unused
        kinds[builtin_module, "set"] = set
    for matrix in ("csc", "csr", "coo"):
        for module in (matrix, "_" + matrix):
            kinds["scipy.sparse." + module, matrix + "_matrix"] = Unused
    return kinds


ALLOWED = _allowed()


def load_pickle(path: PathLike, what: str) -> Any:
    """Loads a pickle of arrays, containers, sparse matrices and chumpy objects.

    Files of Python 2 are read as latin-1. Arrays and chumpy objects come out as stand-ins for
    `as_array`.

    Args:
        path: The file.
        what: What it should be, for the message.

    Raises:
        FileNotFoundError: if there is no such file.
        FaceModelError: if it asks for any other class or function (nothing of it has been run),
            or is not a whole pickle.
    """
    path = require_file(path, what)
    with open(path, "rb") as file:
        try:
            return _Unpickler(path, file).load()
        except FaceModelError:
            raise
        except Exception as error:  # damaged pickles fail in whatever way they please
            found = f"a damaged or foreign file ({type(error).__name__}: {error})"
            raise wrong(path, what, found) from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, path: Path, file: Any) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            expected = "a pickle of NumPy arrays, SciPy sparse matrices and chumpy constants only"
            raise wrong(self._path, expected, f"a call for {module}.{name}, which was not run")
        return ALLOWED[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise wrong(self._path, "a pickle without persistent objects", repr(pid)[:80])


def as_array(value: object) -> np.ndarray:
    """Returns what a stand-in stands for, or an array itself.

    Raises:
        FaceModelError: if it is no array of plain numbers.
    """
    if isinstance(value, np.ndarray):
        return value
    try:
        if isinstance(value, Array):
            shape, dtype, fortran, data = value.state[-4:]
            return _array(data, dtype, shape, "F" if fortran else "C")
        if isinstance(value, Buffer):
            return _array(*value.args)
        if isinstance(value, Chumpy) or (isinstance(value, Rebuilt) and value.args[0] is Chumpy):
            return _chumpy_value(dict(value.state))
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise FaceModelError(f"expected an array, found a damaged one ({error})") from error
    raise FaceModelError(f"expected an array, found {type(value).__name__}")


def _array(data: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> np.ndarray:
    if isinstance(data, Encoded) and data.args[1] in ("latin1", "latin-1"):
        data = data.args[0]
    if isinstance(data, str):
        data = data.encode("latin1")
    code, byte_order = dtype.args[0], dtype.state[1]
    if not PLAIN_NUMBER.fullmatch(code) or byte_order not in tuple("<>|="):
        raise ValueError(f"numbers of type {byte_order}{code}")
    kind = np.dtype(byte_order + code)
    if len(data) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{len(data)} bytes for shape {shape} of {kind}")
    return np.frombuffer(data, kind).reshape(shape, order=order)


def _chumpy_value(state: dict[str, Any]) -> np.ndarray:
    if "x" in state:
        return as_array(state["x"])
    chosen = as_array(state["a"]).ravel()[as_array(state["idxs"])]
    return chosen.reshape(state.get("preferred_shape", chosen.shape))
