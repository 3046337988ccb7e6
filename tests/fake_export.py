"""An exported model whose every prediction is the mean face in the middle of the crop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.data.crop import CROP_RULE
from tfface.data.framing import centring_translation
from tfface.morphable.model import MorphableModel
from tfface.rendering.chip_alignment import CHIP_RULE
from tfface.rendering.spherical_harmonics import ambient_illumination

IMAGE_SIZE, FOCAL_LENGTH = 128, 4.5


class MeanFace(tf.Module):
    """`serve` and `decode` as `tfface.systems.export` writes them."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        self.model = model
        sizes = [getattr(model, part).shape[-1] for part in ("identity", "expression", "albedo")]
        self.layout = CodeLayout.of_face(*sizes)
        code = np.zeros((1, self.layout.size), np.float32)
        code[:, self.layout.parts["translation"].slice] = centring_translation(model, FOCAL_LENGTH)
        code[:, self.layout.parts["illumination"].slice] = ambient_illumination(0.9).ravel()
        self.code = tf.constant(code)
        spec = tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.uint8)
        self.serve = tf.function(self._serve, input_signature=[spec])
        spec = tf.TensorSpec([None, self.layout.size], tf.float32)
        self.decode = tf.function(self._decode, input_signature=[spec])

    def _serve(self, images):
        return self.layout.split(tf.tile(self.code, [tf.shape(images)[0], 1]))

    def _decode(self, code):
        parts, model = self.layout.split(code), self.model
        shape = tf.constant(model.mean, tf.float32)[None]
        for name in ("identity", "expression"):
            basis = tf.constant(getattr(model, name), tf.float32)
            shape += tf.einsum("vck,bk->bvc", basis, parts[name])
        albedo = tf.einsum("vck,bk->bvc", tf.constant(model.albedo, tf.float32), parts["albedo"])
        return {
            "vertices": shape,
            "albedo": tf.constant(model.albedo_mean, tf.float32)[None] + albedo,
            "landmarks": tf.gather(shape, model.landmarks, axis=1),
        }


class NeutralFace(MeanFace):
    """Knows no pose, light or expression; the brighter the pictures, the more of the first mode."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__(model)
        names = ("identity", "expression", "albedo")
        self.layout = CodeLayout({name: getattr(model, name).shape[-1] for name in names})
        pictures = tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.uint8)
        self.serve_together = tf.function(self._serve_together, input_signature=[pictures])
        code = tf.TensorSpec([None, self.layout.size], tf.float32)
        self.decode = tf.function(self._decode, input_signature=[code])

    def _serve(self, images):
        bright = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2, 3]) / 255
        modes = self.layout.parts["identity"].size
        identity = bright[:, None] * tf.one_hot(0, modes)[None]
        albedo = tf.zeros([tf.shape(images)[0], self.layout.parts["albedo"].size])
        return {"identity": identity, "albedo": albedo}

    def _serve_together(self, images):
        return {k: tf.reduce_mean(v, 0, keepdims=True) for k, v in self._serve(images).items()}


class Person(MeanFace):
    """One identity for all pictures, from their mean brightness; each turned by its own."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__(model)
        pictures = tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.uint8)
        self.serve_together = tf.function(self._serve_together, input_signature=[pictures])

    def _serve_together(self, images):
        parts = self._serve(images)
        bright = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2, 3])[:, None] / 255
        mode = tf.one_hot(0, parts["identity"].shape[1])[None]
        identity = parts["identity"] + tf.reduce_mean(bright) * mode
        return {**parts, "identity": identity, "rotation": parts["rotation"] + bright * [[0, 1, 0]]}


KINDS = {
    "mofa": (MeanFace, CROP_RULE),
    "identity_regression": (NeutralFace, CHIP_RULE),
    "fml": (Person, CROP_RULE),
}


def write_fake_export(folder: Path, model: MorphableModel, system: str = "mofa") -> Path:
    """Writes the SavedModel, metadata.json and topology.npz of one of `KINDS`."""
    kind, crop_rule = KINDS[system]
    module = kind(model)
    tf.saved_model.save(module, str(folder))
    metadata = {
        "system": system,
        "face_model": model.name,
        "image_size": IMAGE_SIZE,
        "focal_length": FOCAL_LENGTH,
        "crop_rule": crop_rule,
        "code_layout": {p.name: [p.start, p.size] for p in module.layout.parts.values()},
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    topology = {
        "triangles": model.triangles,
        "landmarks": model.landmarks,
        "contour": model.contour,
        "uv": model.uv,
        "compared": model.regions["face"],
        "shown": np.maximum(model.regions["face"], model.regions["mouth"]),
    }
    np.savez(folder / "topology.npz", **topology)
    return folder
