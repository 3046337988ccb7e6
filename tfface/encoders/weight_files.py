"""The files in which networks are published, read into one form."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.io

from tfface.encoders.caffemodel import read_caffemodel
from tfface.encoders.dlib_file import read_dlib_network
from tfface.encoders.errors import WeightsError
from tfface.morphable.model import FaceModelError
from tfface.morphable.readers.restricted_pickle import ALLOWED, Array, as_array


@dataclass(frozen=True)
class PublishedWeights:
    """The arrays of a published network.

    Attributes:
        layers: name -> kernel and bias, as they are in the file.
        channels_first: Kernels are `(out, in, h, w)`, dense ones `(out, in * h * w)`; otherwise
            `(h, w, in, out)` and `(h * w * in, out)`.
        bgr: The network was trained on BGR images.
    """

    layers: dict[str, tuple[np.ndarray, np.ndarray]]
    channels_first: bool
    bgr: bool


def read_weight_file(path: str | Path) -> PublishedWeights:
    """Reads the files of a network's authors.

    These are `.caffemodel` (Caffe), `.npy` (a dict of kernels and biases), `.mat` (MatConvNet) and
    `.dat` (dlib).

    No code that a file may hold is run.

    Args:
        path: The user's file, such as bvlc_alexnet.caffemodel, bvlc_alexnet.npy,
            VGG_FACE.caffemodel, vgg_face.mat or dlib_face_recognition_resnet_model_v1.dat.

    Raises:
        OSError: if it cannot be read.
        WeightsError: naming the file, what was expected and what was found.
    """
    readers = {
        ".caffemodel": _read_caffe,
        ".npy": _read_npy,
        ".mat": _read_matconvnet,
        ".dat": _read_dlib,
    }
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise WeightsError(f"{path}: expected one of {', '.join(readers)}, got '{suffix}'")
    return readers[suffix](Path(path))


def _read_caffe(path: Path) -> PublishedWeights:
    layers = {
        name: (blobs[0], blobs[1])
        for name, blobs in read_caffemodel(path).items()
        if len(blobs) == 2
    }
    return PublishedWeights(layers, channels_first=True, bgr=True)


def _read_dlib(path: Path) -> PublishedWeights:
    return PublishedWeights(read_dlib_network(path), channels_first=True, bgr=False)


class _ArraysOnly(pickle.Unpickler):
    """Answers NumPy's names by inert stand-ins; every other name is refused unseen."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise WeightsError(f"a call for {module}.{name}, which was not run")
        return ALLOWED[module, name]


def _read_npy(path: Path) -> PublishedWeights:
    expected = "a dict of layer name -> [kernel, bias], saved by NumPy"
    with path.open("rb") as file:
        try:
            layers = _unpickle_layers(file)
        except (FaceModelError, WeightsError) as error:
            raise WeightsError(f"{path}: expected {expected}, found {error}") from None
        except Exception as error:  # damaged pickles fail in whatever way they please
            found = f"a damaged or foreign file ({type(error).__name__}: {error})"
            raise WeightsError(f"{path}: expected {expected}, found {found}") from None
    return PublishedWeights(layers, channels_first=False, bgr=True)


def _unpickle_layers(file: BinaryIO) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if np.lib.format.read_magic(file) == (1, 0):
        np.lib.format.read_array_header_1_0(file)
    else:
        np.lib.format.read_array_header_2_0(file)
    saved = _ArraysOnly(file, encoding="latin1").load()
    if isinstance(saved, Array):  # a dict is saved as an array of one object
        saved = saved.state[-1][0]
    return {
        str(name): (as_array(arrays[0]), as_array(arrays[1]))
        for name, arrays in saved.items()
        if len(arrays) == 2
    }


def _read_matconvnet(path: Path) -> PublishedWeights:
    expected = "a MatConvNet network with `layers`"
    with path.open("rb") as file:
        try:
            saved: dict[str, Any] = scipy.io.loadmat(file, simplify_cells=True)
        except Exception as error:  # likewise
            found = f"a damaged or foreign file ({type(error).__name__}: {error})"
            raise WeightsError(f"{path}: expected {expected}, found {found}") from None
    network = saved.get("net", saved)
    if not isinstance(network, dict) or "layers" not in network:
        names = ", ".join(name for name in saved if not name.startswith("__"))
        raise WeightsError(f"{path}: expected {expected}, found {names or 'nothing'}")
    layers = {}
    for layer in np.atleast_1d(np.asarray(network["layers"], dtype=object)):
        if not isinstance(layer, dict):
            raise WeightsError(f"{path}: expected {expected}, found no structs in `layers`")
        # From 2015 a cell {filters, biases} called `weights`, before two fields.
        arrays = layer.get("weights", [layer.get("filters"), layer.get("biases")])
        if len(arrays) == 2 and all(isinstance(array, np.ndarray) for array in arrays):
            layers[str(layer.get("name"))] = (arrays[0], arrays[1])
    return PublishedWeights(layers, channels_first=False, bgr=False)
