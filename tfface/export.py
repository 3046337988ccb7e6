"""`python -m tfface.export RUN --output DIR`: a trained system for programs without tfface.

The folder is a SavedModel with two endpoints, `serve` (images -> the parts of the code) and
`decode` (flat code -> vertices, albedo, landmarks), beside `encoder.tflite` (the same `serve` with
float16 weights), `topology.npz` (triangles, landmarks, contour, uv of the mesh) and
`metadata.json`:

    model = tf.saved_model.load("savedmodels/mofa")
    parts = model.serve(images)          # [B, S, S, 3]: float32 in [0, 1], or uint8
    face = model.decode(codes)           # [B, N] float32
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tfface
from tfface.command_line import fail, load_tensorflow_quietly

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tfface.systems.base import FaceSystem

# Largest difference from the Keras model, relative to the largest number of the output (or to 1).
DECODER_TOLERANCE = 1e-4
ENCODER_TOLERANCE = 2e-2  # its kernels are stored in float16


class ExportError(ValueError):
    """An exported model that does not compute what the Keras model does; nothing is left of it."""


def export_system(system: FaceSystem, folder: str | Path) -> Path:
    """Writes the whole folder, checked, in one step.

    Args:
        system: Built, with float32 weights, outside any distribution strategy.
        folder: Appears, or is replaced, by rename when everything in it has been checked.

    Returns:
        The folder.

    Raises:
        ExportError: an exported function differs from the Keras model.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        temporary = Path(place) / folder.name
        _write_saved_model(system, temporary)
        (temporary / "encoder.tflite").write_bytes(_convert_to_tflite(temporary))
        np.savez_compressed(temporary / "topology.npz", **system.topology())  # type: ignore[arg-type]
        text = json.dumps(export_metadata(system), indent=1)
        (temporary / "metadata.json").write_text(text + "\n")
        check_export(system, temporary)
        if folder.exists():
            os.replace(folder, Path(place) / "old")
        os.replace(temporary, folder)
    return folder


def export_metadata(system: FaceSystem) -> dict[str, Any]:
    """Returns what a program must know to use the exported functions."""
    from tfface.data.crop import CROP_RULE

    return {
        "system": type(system).__module__.rpartition(".")[2],
        "version": tfface.__version__,
        "face_model": system.face_model_name,
        "image_size": system.image_size,
        "code_layout": {p.name: [p.start, p.size] for p in system.layout.parts.values()},
        "focal_length": system.focal_length,
        "focal_length_unit": "sides of the crop",
        "crop_rule": CROP_RULE,
        "images": "RGB, sRGB-encoded, float32 in [0, 1] or uint8",
    }


def check_export(system: FaceSystem, folder: Path) -> dict[str, float]:
    """Compares every exported function with the Keras model, on random pictures and codes.

    Returns:
        name -> largest relative difference.

    Raises:
        ExportError: a difference above `DECODER_TOLERANCE` or `ENCODER_TOLERANCE`, or NaN.
    """
    import tensorflow as tf

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (2, system.image_size, system.image_size, 3), np.uint8)
    images = pixels.astype(np.float32) / 255.0
    codes = 0.1 * random.standard_normal((2, system.layout.size)).astype(np.float32)
    expected = system(images, training=False)
    loaded = tf.saved_model.load(str(folder))
    results = {
        "serve (float32)": _compare(expected, loaded.serve(tf.constant(images))),
        "serve (uint8)": _compare(expected, loaded.serve(tf.constant(pixels))),
        "decode": _compare(system.decode(codes), loaded.decode(tf.constant(codes))),
    }
    first = {name: value[:1] for name, value in expected.items()}
    lite = _run_tflite(folder / "encoder.tflite", images[:1])
    results["encoder.tflite"] = _compare(first, lite)
    for name, difference in results.items():
        tolerance = DECODER_TOLERANCE if name == "decode" else ENCODER_TOLERANCE
        if not difference <= tolerance:
            raise ExportError(
                f"export: {name}: expected the Keras model's numbers within {tolerance:g}, "
                f"got a relative difference of {difference:.3g}"
            )
    return results


def _write_saved_model(system: FaceSystem, folder: Path) -> None:
    import keras
    import tensorflow as tf

    size, encoder = system.image_size, system.encoder
    trained, fixed = (
        [_stored(variable) for variable in variables]
        for variables in (encoder.trainable_variables, encoder.non_trainable_variables)
    )

    @tf.function(autograph=False)
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        if images.dtype == tf.uint8:
            images = tf.cast(images, tf.float32) / 255.0
        weights = ([tf.cast(v, w) for v, w in stored] for stored in (trained, fixed))
        code, _ = encoder.stateless_call(*weights, images, training=False)
        return system.layout.split(code)

    @tf.function(autograph=False)
    def decode(code: tf.Tensor) -> dict[str, tf.Tensor]:
        face = system.decode(code)
        return {name: face[name] for name in ("vertices", "albedo", "landmarks")}

    # The first one traced is the signature of TensorFlow Serving and TFLite.
    for dtype in (tf.float32, tf.uint8):
        serve.get_concrete_function(tf.TensorSpec([None, size, size, 3], dtype, "images"))
    decode.get_concrete_function(tf.TensorSpec([None, system.layout.size], tf.float32, "code"))
    archive = keras.export.ExportArchive()  # finds the variables that its endpoints use
    archive.add_endpoint("serve", serve)
    archive.add_endpoint("decode", decode)
    archive.write_out(str(folder), verbose=False)


def _stored(variable: keras.Variable) -> tuple[tf.Variable, str]:
    """A variable to save and the dtype to compute with: kernels are saved in half precision."""
    import tensorflow as tf

    value = tf.convert_to_tensor(variable)
    is_kernel = value.dtype == tf.float32 and len(value.shape) >= 2
    dtype = tf.float16 if is_kernel else value.dtype
    return tf.Variable(tf.cast(value, dtype), trainable=False), value.dtype.name


def _convert_to_tflite(folder: Path) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serve"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _run_tflite(path: Path, images: np.ndarray) -> Mapping[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path)).get_signature_runner("serve")(images=images)


def _compare(expected: Mapping[str, Any], got: Mapping[str, Any]) -> float:
    """The largest difference of any output, relative to that output's largest number or 1."""
    worst = 0.0 if set(got) <= set(expected) else float("nan")
    for name in got:
        a, b = np.asarray(expected[name]), np.asarray(got[name])
        if a.shape != b.shape:
            return float("nan")
        largest, difference = (np.max(np.abs(v), initial=0.0) for v in (a, a - b))
        relative = difference / max(1.0, largest)
        worst = np.maximum(worst, relative)  # keeps NaN, which fails the check
    return float(worst)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tfface.export", description=__doc__)
    parser.add_argument("run", type=Path, help="the output folder of a training run")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    options = parser.parse_args(arguments)
    load_tensorflow_quietly()
    from tfface.training.run import USER_ERRORS, export_run

    try:
        export_run(options.run, options.output)
    except USER_ERRORS as error:
        return fail("tfface.export", error)
    print(f"{options.output}: SavedModel, encoder.tflite and metadata.json, checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
