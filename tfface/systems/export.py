"""Writing a trained system for programs without tfface, and checking what was written.

The folder is a SavedModel with the endpoints `serve` (images -> the parts of the code) and `decode`
(flat code -> vertices, albedo, landmarks), and what only some systems have: `serve_together`
(several images of one person), `serve_trajectory` (the parts after every pass of an iteration) and
`detail` (images and flat codes -> maps of finer geometry). Beside it lie `encoder.tflite` (the same
`serve`, or its first pass, with float16 weights), `topology.npz` (triangles, landmarks, contour, uv
of the mesh) and `metadata.json`:

    model = tf.saved_model.load("savedmodels/mofa")
    parts = model.serve(images)          # [B, S, S, 3]: float32 in [0, 1], or uint8
    face = model.decode(codes)           # [B, N] float32
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import tfface
from tfface.command_line import no_stderr
from tfface.systems.base import FaceSystem

# Largest difference from the Keras model, relative to the largest number of the output (or to 1).
DECODER_TOLERANCE = 1e-4
ENCODER_TOLERANCE = 2e-2  # kernels are stored in float16, and drawing rounds otherwise in a graph


class ExportError(ValueError):
    """An export that cannot be made or computes something else; nothing is left of it."""


def export_system(system: FaceSystem, folder: str | Path) -> Path:
    """Writes the whole folder, checked, in one step.

    Args:
        system: Built, with float32 weights, outside any distribution strategy.
        folder: Appears, or is replaced, by rename when everything in it has been checked.

    Returns:
        The folder.

    Raises:
        ExportError: an exported function differs from the Keras model, or the folder holds
            something else.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    if os.path.lexists(folder) and not _is_replaceable(folder):
        raise ExportError(f"{folder}: expected a new folder or an exported model, got another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        temporary = Path(place) / folder.name
        _write_saved_model(system, temporary)
        lite = temporary
        if system.lite_encoder is not system.encoder:
            lite = Path(place) / "lite"
            archive = keras.export.ExportArchive()
            _add_encoders(archive, system, {"serve": system.lite_encoder})
            _write(archive, lite)
        (temporary / "encoder.tflite").write_bytes(_convert_to_tflite(lite))
        np.savez_compressed(temporary / "topology.npz", **system.topology())  # type: ignore[arg-type]
        text = json.dumps(export_metadata(system), indent=1)
        (temporary / "metadata.json").write_text(text + "\n")
        check_export(system, temporary)
        if folder.exists():
            os.replace(folder, Path(place) / "old")
        os.replace(temporary, folder)
    return folder


def _is_replaceable(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return (folder / "saved_model.pb").is_file() or not any(folder.iterdir())


def export_metadata(system: FaceSystem) -> dict[str, Any]:
    """Returns what a program must know to use the exported functions."""
    return {
        "system": type(system).__module__.rpartition(".")[2],
        "version": tfface.__version__,
        "face_model": system.face_model_name,
        "image_size": system.image_size,
        "code_layout": {p.name: [p.start, p.size] for p in system.decoded_layout.parts.values()},
        "focal_length": system.focal_length,
        "focal_length_unit": "sides of the crop",
        "camera": system.camera,
        "crop_rule": system.crop_rule,
        "detail_sizes": list(system.detail_sizes),
        "images": "RGB, sRGB-encoded, float32 in [0, 1] or uint8",
    }


def check_export(system: FaceSystem, folder: Path) -> dict[str, float]:
    """Compares every exported function with the Keras model, on random pictures and codes.

    Returns:
        name -> largest relative difference.

    Raises:
        ExportError: a difference above `DECODER_TOLERANCE` or `ENCODER_TOLERANCE`, or NaN.
    """
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (2, system.image_size, system.image_size, 3), np.uint8)
    images = pixels.astype(np.float32) / 255.0
    codes = 0.1 * random.standard_normal((2, system.decoded_layout.size)).astype(np.float32)
    expected = system(images, training=False)
    loaded = tf.saved_model.load(str(folder))
    results = {
        "serve (float32)": _compare(expected, loaded.serve(tf.constant(images))),
        "serve (uint8)": _compare(expected, loaded.serve(tf.constant(pixels))),
        "decode": _compare(system.decode(codes), loaded.decode(tf.constant(codes))),
    }
    for name, encoder in system.other_encoders.items():
        others = system.layout.split(encoder(images, training=False))
        results[name] = _compare(others, getattr(loaded, name)(tf.constant(images)))
    for size in system.detail_sizes:
        code = system.layout.join(expected)
        large = tf.image.resize(images, [size, size])
        maps = loaded.detail(large, code)
        results[f"detail ({size} px)"] = _compare(system.detail(large, code), maps)
    first = system.layout.split(system.lite_encoder(images[:1], training=False))
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
    archive = keras.export.ExportArchive()  # finds the variables that its endpoints use

    @tf.function(autograph=False)
    def decode(code: tf.Tensor) -> dict[str, tf.Tensor]:
        face = system.decode(code)
        return {name: face[name] for name in ("vertices", "albedo", "landmarks")}

    draw = tf.function(system.detail, autograph=False)

    @tf.function(autograph=False)
    def detail(images: tf.Tensor, code: tf.Tensor) -> dict[str, tf.Tensor]:
        return draw(_as_floats(images), code)

    decode.get_concrete_function(
        tf.TensorSpec([None, system.decoded_layout.size], tf.float32, "code")
    )
    for size in system.detail_sizes:
        code = tf.TensorSpec([None, system.layout.size], tf.float32, "code")
        for dtype in (tf.float32, tf.uint8):
            detail.get_concrete_function(_pictures(size, dtype), code)
    _add_encoders(archive, system, {"serve": system.encoder, **system.other_encoders})
    archive.add_endpoint("decode", decode)
    if system.detail_sizes:
        archive.add_endpoint("detail", detail)
    _write(archive, folder)


def _write(archive: keras.export.ExportArchive, folder: Path) -> None:
    """Without the gradients of tfface's own, each of which would bring the mesh once more."""
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    archive.write_out(str(folder), options=options, verbose=False)


def _add_encoders(
    archive: keras.export.ExportArchive, system: FaceSystem, encoders: Mapping[str, keras.Model]
) -> None:
    """Endpoints of images that give the parts of codes; they share their weights."""
    stored = {v.path: _stored(v) for v in system.learned_variables}

    def weight(variable: keras.Variable) -> tf.Tensor:
        if variable.path not in stored:
            return tf.convert_to_tensor(variable)
        return tf.cast(*stored[variable.path])

    def add(name: str, encoder: keras.Model) -> None:
        @tf.function(autograph=False)
        def encode(images: tf.Tensor) -> tf.Tensor:  # one graph for both kinds of pictures
            weights = (
                [weight(v) for v in variables]
                for variables in (encoder.trainable_variables, encoder.non_trainable_variables)
            )
            return encoder.stateless_call(*weights, images, training=False)[0]

        @tf.function(autograph=False)
        def endpoint(images: tf.Tensor) -> dict[str, tf.Tensor]:
            return system.layout.split(encode(_as_floats(images)))

        # The first one traced is the signature of TensorFlow Serving and TFLite.
        for dtype in (tf.float32, tf.uint8):
            endpoint.get_concrete_function(_pictures(system.image_size, dtype))
        archive.add_endpoint(name, endpoint)

    for name, encoder in encoders.items():
        add(name, encoder)


def _as_floats(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else images


def _pictures(size: int, dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec([None, size, size, 3], dtype, "images")


def _stored(variable: keras.Variable) -> tuple[tf.Variable, str]:
    """A variable to save and the dtype to compute with: kernels are saved in half precision."""
    value = tf.convert_to_tensor(variable)
    is_kernel = value.dtype == tf.float32 and len(value.shape) >= 2
    dtype = tf.float16 if is_kernel else value.dtype
    return tf.Variable(tf.cast(value, dtype), trainable=False), value.dtype.name


def _convert_to_tflite(folder: Path) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serve"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _run_tflite(path: Path, images: np.ndarray) -> Mapping[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    with no_stderr():  # it tells of its CPU kernels
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
