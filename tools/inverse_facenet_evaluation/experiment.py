"""The supplement's experiment: a narrow training corpus, wider ones without labels.

Section 1 of Kim et al.: training faces vary little (the mouth hardly opens); the faces for
bootstrapping and for testing are drawn with a bias and more variation in expression and colour. The
baseline trains on and on with the narrow corpus, the other network with corpora drawn around what
it sees in the bootstrapping faces. Both begin with the same weights.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import (
    BootstrappingConfig,
    Constant,
    DataConfig,
    FaceModelConfig,
    InverseFaceNetConfig,
    InverseFaceNetLossesConfig,
    ModelConfig,
    NoiseConfig,
    Normal,
    OptimizerConfig,
    Samples,
    SyntheticConfig,
    TrainingConfig,
    Uniform,
)
from tfface.data.corpus import read_corpus, write_corpus
from tfface.exported_model import ExportedModel
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.model_space import model_space_distance
from tfface.metrics import absolute_colour_error, hausdorff_distance, per_vertex_error
from tfface.morphable.load import configured_face_model
from tfface.morphable.model import MorphableModel
from tfface.systems.inverse_facenet import PARTS
from tfface.training.run import RunFolder, train

NETWORKS = ("start", "baseline", "bootstrapped", "plain_parameters")
# The part of each round's faces that is still drawn from the narrow distribution.
KEPT = {"baseline": 1.0, "bootstrapped": 0.0}
_LIPS = (62, 66)  # iBUG landmarks: the middle of the upper and of the lower lip, inside
_WIDE_MOUTHS = 0.1  # of the natural expressions, those that open the mouth most, make the bias
_BATCH = 32


@dataclass(frozen=True)
class Size:
    """How much is drawn and trained.

    Attributes:
        image_size: Side of the pictures, pixels.
        training, unlabelled, test: Faces of the three corpora.
        epochs, steps: Of the training before the rounds.
        rounds, faces: Of bootstrapping, each of `round_epochs`.
    """

    image_size: int
    training: int
    unlabelled: int
    test: int
    epochs: int
    steps: int
    rounds: int
    faces: int
    round_epochs: int


SIZES = {
    "small": Size(64, 6144, 1024, 256, 10, 150, 8, 2048, 1),
    "full": Size(96, 20480, 5120, 1000, 20, 300, 8, 5120, 1),
}


@dataclass(frozen=True)
class Truth:
    """The test corpus: pictures `[M, S, S, 3]` uint8 and codes `[M, N]`."""

    images: np.ndarray
    codes: np.ndarray


class MeasureLoss(keras.callbacks.Callback):
    """Writes the model-space loss on the test corpus after each epoch: `[[iteration, loss], ...]`.

    Args:
        truth: The test corpus.
        file: A JSON file, continued when it is there.
    """

    def __init__(self, truth: Truth, file: Path) -> None:
        super().__init__()
        self.truth, self.file = truth, file

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        images = tf.data.Dataset.from_tensor_slices(self.truth.images).batch(_BATCH)
        predicted = [
            self.model.encoder(tf.cast(batch, tf.float32) / 255.0, training=False)
            for batch in images
        ]
        steps = (epoch + 1) * self.params["steps"]
        loss = model_space_loss(self.model, tf.concat(predicted, axis=0), self.truth.codes)
        curve = [point for point in read_curve(self.file) if point[0] < steps]
        self.file.write_text(json.dumps([*curve, [steps, loss]]))


def read_curve(file: Path) -> list[list[float]]:
    """The points that `MeasureLoss` wrote."""
    return json.loads(file.read_text()) if file.exists() else []


def model_space_loss(system: Any, predicted: tf.Tensor, truth: np.ndarray) -> float:
    """The mean |A (theta - theta_gt)|^2 with the weights of the system's losses."""
    total = 0.0
    for name, gram in system.grams.items():
        part = system.layout.parts[name].slice
        distance = model_space_distance(predicted[:, part], truth[:, part], gram.value)
        total += getattr(system.losses_config, name) * float(tf.reduce_mean(distance))
    return total


class Experiment:
    """Corpora, trainings and measurements in one folder; what is there is not done again.

    Args:
        size: How much.
        folder: To write.
        seed: Of everything.
    """

    def __init__(self, size: Size, folder: Path, seed: int) -> None:
        self.size, self.folder, self.seed = size, folder, seed
        self.model = configured_face_model(self._config("x").face_model)
        self.decoder = FaceDecoder.of_model(self.model, size.image_size)
        self.layout = CodeLayout(self.decoder.code_sizes)

    def run(self) -> dict[str, Any]:
        """Draws, trains and measures all; returns the arguments of `Report`, without photos."""
        for number, (name, (faces, settings)) in enumerate(self._corpora().items(), start=1):
            config = self._config(name).model_copy(
                update={
                    "seed": self.seed + 101 * number,
                    "data": DataConfig(synthetic=settings),
                }
            )
            folder = self.folder / "corpora" / name
            write_corpus(folder, config, self.model, faces, encoding="png")
        truth, narrow_truth = self.truth(), self.truth("narrow_test")
        for name in NETWORKS:
            if name in ("baseline", "bootstrapped"):
                self._fork(name)
            measure = MeasureLoss(truth, self._curve(name))
            train(self._config(name), resume=True, callbacks=[measure])
        wide_networks = ("start", "baseline", "bootstrapped")
        return {
            "wide": {name: self.measure(name, truth) for name in wide_networks},
            "narrow": {
                name: self.measure(name, narrow_truth) for name in ("start", "plain_parameters")
            },
            "curves": {name: read_curve(self._curve(name)) for name in wide_networks[1:]},
        }

    def _corpora(self) -> dict[str, tuple[int, SyntheticConfig]]:
        size = self.size
        return {
            "unlabelled": (size.unlabelled, wide(self.model)),
            "test": (size.test, wide(self.model)),
            "narrow_test": (size.test, narrow()),
        }

    def configurations(self) -> dict[str, Any]:
        """name -> the configuration of each training."""
        return {name: self._config(name).model_dump() for name in NETWORKS}

    def export(self, name: str) -> Path:
        """The exported network of a run."""
        return RunFolder(self.folder / "runs" / name).export

    def measure(self, name: str, truth: Truth) -> dict[str, np.ndarray]:
        """Errors of a trained network on a corpus, `(M,)` each.

        `photometric_l1` of 255, `hausdorff_mm` and `geometric_mm` (mean point-to-point) between
        the faces of the two codes in model space, `albedo_l1` of 255, `rotation_degrees`.
        """
        exported = ExportedModel(self.export(name))
        face = exported.compared > 0.5
        kept = exported.triangles[face[exported.triangles].all(axis=1)]
        errors: dict[str, list[np.ndarray]] = {}
        for first in range(0, len(truth.images), _BATCH):
            images = truth.images[first : first + _BATCH]
            codes = truth.codes[first : first + _BATCH]
            predicted = exported.pose(exported.regress(images))
            expected = exported.pose(_parts(exported, codes))
            rendered = np.clip(predicted.albedo * predicted.shading, 0, 1)
            observed = exported.observe(predicted, images)
            weights = predicted.visible * exported.compared
            turn = predicted.rotation @ expected.rotation.transpose(0, 2, 1)
            cosine = (np.trace(turn, axis1=1, axis2=2) - 1) / 2
            pairs = list(zip(predicted.vertices, expected.vertices, strict=True))
            batch = {
                "photometric_l1": absolute_colour_error(rendered, observed, weights),
                "hausdorff_mm": [hausdorff_distance((a, kept), (b, kept)) for a, b in pairs],
                "geometric_mm": [per_vertex_error(a[face], b[face]).mean() for a, b in pairs],
                "albedo_l1": absolute_colour_error(
                    predicted.albedo[:, face], expected.albedo[:, face]
                ),
                "rotation_degrees": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
            }
            for name, values in batch.items():
                errors.setdefault(name, []).append(np.asarray(values))
        return {name: np.concatenate(values) for name, values in errors.items()}

    def truth(self, name: str = "test") -> Truth:
        """A corpus in memory."""
        faces, _ = read_corpus([self.folder / "corpora" / name], self.model, self.decoder)
        pairs = [(image, targets["code"]) for image, targets in faces.as_numpy_iterator()]
        images, codes = zip(*pairs, strict=True)
        return Truth(np.stack(images), np.stack(codes))

    def _fork(self, name: str) -> None:
        """Lets a run begin where `start` ended."""
        target = self.folder / "runs" / name
        if not target.exists():
            source = RunFolder(self.folder / "runs" / "start")
            shutil.copytree(source.checkpoints, target / "checkpoints")
            shutil.copy(self._curve("start"), self._curve(name))

    def _curve(self, name: str) -> Path:
        return self.folder / f"loss_{name}.json"

    def _config(self, name: str) -> InverseFaceNetConfig:
        """The configuration of a training, or of a corpus but for its distributions."""
        size = self.size
        losses = InverseFaceNetLossesConfig()
        if name == "plain_parameters":
            weights = dict.fromkeys(PARTS, 1.0)
            losses = InverseFaceNetLossesConfig(space="parameters", **weights)
        rounds = BootstrappingConfig()
        if name in KEPT:
            rounds = BootstrappingConfig(
                records=[str(self.folder / "corpora" / "unlabelled")],
                rounds=size.rounds,
                faces=size.faces,
                epochs=size.round_epochs,
                learning_rate=1e-3,
                kept=KEPT[name],
                noise=NOISE,
            )
        return InverseFaceNetConfig(
            system="inverse_facenet",
            output=str(self.folder / "runs" / name),
            seed=self.seed,
            face_model=FaceModelConfig(detail="coarse", exported="coarse"),
            model=ModelConfig(encoder="compact", image_size=size.image_size),
            losses=losses,
            data=DataConfig(synthetic=narrow().model_copy(update={"corpus": size.training})),
            optimizer=OptimizerConfig(learning_rate=2e-3, schedule="cosine", warmup_steps=50),
            training=TrainingConfig(
                batch_size=_BATCH,
                epochs=size.epochs,
                steps_per_epoch=size.steps,
                validation_steps=1,
                image_every_epochs=1000,
            ),
            bootstrapping=rounds,
        )


NOISE = NoiseConfig(
    identity=0.2, expression=0.5, albedo=0.3, rotation=4.0, crop_scale=0.03, crop_shift=0.02,
    illumination=0.15,
)  # fmt: skip


def narrow() -> SyntheticConfig:
    """Faces that vary little: closed mouths, white light."""
    return SyntheticConfig(
        identity=Normal(deviation=0.8),
        expression=Samples(scale=Uniform(low=0.0, high=0.4)),
        albedo=Samples(scale=Constant(value=0.6)),
        yaw=Normal(deviation=15.0, low=-40.0, high=40.0),
        pitch=Normal(deviation=6.0, low=-15.0, high=15.0),
        roll=Normal(deviation=5.0, low=-12.0, high=12.0),
        ambient=Uniform(low=0.55, high=0.75),
        directional=Uniform(low=0.0, high=0.4),
        light_tint=Normal(deviation=0.02),
        hair=0.0,
        supersampling=1,
    )


def wide(model: MorphableModel) -> SyntheticConfig:
    """Biased towards open mouths and coloured light, with more variation."""
    return narrow().model_copy(
        update={
            "expression": Samples(
                scale=Uniform(low=0.3, high=1.1), bias=open_mouth(model).tolist()
            ),
            "albedo": Samples(scale=Constant(value=1.0)),
            "light_tint": Normal(deviation=0.15),
            "directional": Uniform(low=0.0, high=0.7),
        }
    )


def open_mouth(model: MorphableModel) -> np.ndarray:
    """The mean `(K,)` of the natural expressions that open the mouth most."""
    samples = model.expression_samples
    assert samples is not None
    upper, lower = (model.expression[model.landmarks[lip], 1] for lip in _LIPS)
    gaps = samples @ (upper - lower)
    widest = np.argsort(gaps)[-max(1, round(_WIDE_MOUTHS * len(samples))) :]
    return samples[widest].mean(axis=0)


def _parts(exported: ExportedModel, codes: np.ndarray) -> dict[str, np.ndarray]:
    layout = CodeLayout({name: size for name, (_, size) in exported.layout.items()})
    return {name: part.numpy() for name, part in layout.split(tf.constant(codes)).items()}
