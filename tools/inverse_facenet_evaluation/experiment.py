"""The supplement's experiment: a narrow training corpus, wider ones without labels.

Section 1 of Kim et al.: training faces vary little (the mouth hardly opens); the faces for
bootstrapping and for testing are drawn with a bias and more variation in expression and colour. The
baseline goes on with fresh faces of the narrow distribution, the other network with corpora drawn
around what it sees in the bootstrapping faces. Both begin with the same weights.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from inverse_facenet_evaluation.corpora import Truth, narrow, read_truth, wide
from inverse_facenet_evaluation.loss_curve import MeasureLoss, read_curve
from tfface.code import CodeLayout
from tfface.config import (
    BootstrappingConfig,
    Config,
    ConfigError,
    DataConfig,
    FaceModelConfig,
    InverseFaceNetConfig,
    InverseFaceNetLossesConfig,
    ModelConfig,
    NoiseConfig,
    OptimizerConfig,
    TrainingConfig,
    load_config,
)
from tfface.data.code_samplers import FaceSampler
from tfface.data.corpus import write_corpus
from tfface.exported_model import ExportedModel
from tfface.layers.code_head import AMBIENT
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.model_space import model_space_distance, model_space_grams, parameter_grams
from tfface.metrics import absolute_colour_error, hausdorff_distance, per_vertex_error
from tfface.morphable.load import configured_face_model
from tfface.rendering.spherical_harmonics import ambient_illumination
from tfface.systems.code_regressor import compared_vertices
from tfface.training.run import RunFolder, train

NETWORKS = ("start", "baseline", "bootstrapped", "plain_parameters")
CORPORA = ("unlabelled", "test", "narrow_test")
CURVES = ("start", "baseline", "bootstrapped")  # whose loss is watched
# The part of each round's faces that is drawn from the narrow distribution.
KEPT = {"baseline": 1.0, "bootstrapped": 0.0}
NOISE = NoiseConfig(
    identity=0.2, expression=0.7, albedo=0.4, rotation=4.0, crop_scale=0.03, crop_shift=0.02,
    illumination=0.3,
)  # fmt: skip
_BATCH = 32
_DRAWN = 2048  # codes by which the plain loss is balanced


@dataclass(frozen=True)
class Size:
    """How much is drawn and trained.

    Attributes:
        image_size: Side of the pictures, pixels.
        training, unlabelled, test: Faces of the corpora.
        epochs, steps: Of the training before the rounds.
        rounds, faces: Of bootstrapping; a round is one epoch.
    """

    image_size: int
    training: int
    unlabelled: int
    test: int
    epochs: int
    steps: int
    rounds: int
    faces: int


SIZES = {
    "small": Size(64, 4096, 512, 96, 8, 100, 8, 1024),
    "full": Size(64, 4096, 512, 128, 8, 125, 16, 1536),
}


class Experiment:
    """Corpora and trainings in one folder, what is there is not done again; and measurements.

    Args:
        size: How much.
        folder: To write.
        seed: Of everything.
    """

    def __init__(self, size: Size, folder: Path, seed: int) -> None:
        self.size, self.folder, self.seed = size, folder, seed
        self.face_model_config = FaceModelConfig(detail="coarse", exported="coarse")
        self.model = configured_face_model(self.face_model_config)
        self.decoder = FaceDecoder.of_model(self.model, size.image_size)
        self.layout = CodeLayout(self.decoder.code_sizes)

    def run(self) -> dict[str, Any]:
        """Draws, trains and measures all; returns the arguments of `Report`, without photos."""
        sizes = dict.fromkeys(CORPORA, self.size.test) | {"unlabelled": self.size.unlabelled}
        for name, faces in sizes.items():
            config = self.corpus_config(name)
            write_corpus(self._corpus(name), config, self.model, faces, encoding="png")
        truth, narrow_truth = self.truth("test"), self.truth("narrow_test")
        for name in NETWORKS:
            if name in KEPT:
                self._fork(name)
            measures = [MeasureLoss(truth, self._curve(name))] if name in CURVES else []
            if not self.export(name).exists():
                train(self.config(name), True, measures)
            elif _settings(load_config(self._run(name).config)) != _settings(self.config(name)):
                raise ConfigError(f"{self.folder}: holds other runs; choose another folder")
        on_wide, on_narrow = ("start", *KEPT), ("start", "plain_parameters")
        return {
            "wide": {name: self.measure(name, truth) for name in on_wide},
            "narrow": {name: self.measure(name, narrow_truth) for name in on_narrow},
            "curves": {name: read_curve(self._curve(name)) for name in KEPT},
        }

    def export(self, name: str) -> Path:
        """The exported network of a run."""
        return self._run(name).export

    def truth(self, name: str) -> Truth:
        """A corpus that was drawn."""
        return read_truth(self._corpus(name), self.model, self.decoder)

    def measure(self, name: str, truth: Truth) -> dict[str, np.ndarray]:
        """Errors of a trained network on a corpus, `(M,)` each.

        `photometric_l1` and `albedo_l1` of 255, `rotation_degrees`; between the faces of the two
        codes in model space `hausdorff_mm`, and `geometric_mm`, point to point with the best scale
        and shift removed.
        """
        exported = ExportedModel(self.export(name))
        face = exported.compared > 0.5
        kept = exported.triangles[face[exported.triangles].all(axis=1)]
        errors: dict[str, list[np.ndarray]] = {}
        batches = range(0, len(truth.images), _BATCH)
        for first in tqdm(batches, desc=f"measuring {name}", unit="batch"):
            images = truth.images[first : first + _BATCH]
            codes = tf.constant(truth.codes[first : first + _BATCH])
            parts = self.layout.split(codes)
            predicted = exported.pose(exported.regress(images))
            expected = exported.pose({name: part.numpy() for name, part in parts.items()})
            rendered = np.clip(predicted.albedo * predicted.shading, 0, 1)
            observed = exported.observe(predicted, images)
            weights = predicted.visible * exported.compared
            albedos = predicted.albedo[:, face], expected.albedo[:, face]
            turn = predicted.rotation @ expected.rotation.transpose(0, 2, 1)
            cosine = (np.trace(turn, axis1=1, axis2=2) - 1) / 2
            pairs = list(zip(predicted.vertices, expected.vertices, strict=True))
            batch = {
                "photometric_l1": absolute_colour_error(rendered, observed, weights),
                "hausdorff_mm": [hausdorff_distance((a, kept), (b, kept)) for a, b in pairs],
                "geometric_mm": [per_vertex_error(a[face], b[face]).mean() for a, b in pairs],
                "albedo_l1": absolute_colour_error(*albedos),
                "rotation_degrees": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
            }
            for measure, values in batch.items():
                errors.setdefault(measure, []).append(np.asarray(values))
        return {measure: np.concatenate(values) for measure, values in errors.items()}

    def corpus_config(self, name: str) -> InverseFaceNetConfig:
        """The configuration of a corpus."""
        settings = narrow() if name == "narrow_test" else wide(self.model)
        changes = {
            "seed": self.seed + 101 * (1 + CORPORA.index(name)),
            "data": DataConfig(synthetic=settings),
        }
        return self.config("start").model_copy(update=changes)

    def config(self, name: str) -> InverseFaceNetConfig:
        """The configuration of a training."""
        size = self.size
        rounds = BootstrappingConfig()
        if name in KEPT:
            rounds = BootstrappingConfig(
                records=[str(self._corpus("unlabelled"))],
                rounds=size.rounds,
                faces=size.faces,
                learning_rate=1e-3,
                kept=KEPT[name],
                noise=NOISE,
            )
        plain = name == "plain_parameters"
        return InverseFaceNetConfig(
            system="inverse_facenet",
            output=str(self._run(name).root),
            seed=self.seed,
            face_model=self.face_model_config,
            model=ModelConfig(encoder="compact", image_size=size.image_size),
            losses=self.balanced_plain_losses() if plain else InverseFaceNetLossesConfig(),
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

    def balanced_plain_losses(self) -> InverseFaceNetLossesConfig:
        """A plain loss in which each part weighs before training what it does in model space.

        So the two losses differ only in how the coefficients of a part count against each other.
        """
        layout, losses = self.layout, InverseFaceNetLossesConfig()
        compared = compared_vertices(self.model, self.decoder)
        distance = -self.decoder.initial_translation[2]
        in_model_space = model_space_grams(self.model, compared, distance)
        plain = parameter_grams(self.decoder.code_sizes)
        sampler = FaceSampler(self.model, self.decoder, narrow())
        codes = sampler.draw(_DRAWN, tf.constant([self.seed, 0], tf.int64)).numpy()
        initial = np.zeros(layout.size, np.float32)
        initial[layout.parts["translation"].slice] = self.decoder.initial_translation
        initial[layout.parts["illumination"].slice] = ambient_illumination(AMBIENT).ravel()
        weights = {}
        for part in layout.parts.values():
            there, here = (
                tf.reduce_mean(
                    model_space_distance(
                        codes[:, part.slice],
                        initial[None, part.slice],
                        tf.constant(grams[part.name], tf.float32),
                    )
                )
                for grams in (in_model_space, plain)
            )
            weights[part.name] = getattr(losses, part.name) * float(there / here)
        return InverseFaceNetLossesConfig(space="parameters", **weights)

    def _fork(self, name: str) -> None:
        """Lets a run begin where `start` ended."""
        target, begun = self._run(name).root, self._run("start")
        if target.exists():
            return
        half = target.with_name(f".{name}")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(begun.checkpoints, half / begun.checkpoints.name)
        shutil.copy(self._curve("start"), self._curve(name))
        half.rename(target)

    def _run(self, name: str) -> RunFolder:
        return RunFolder(self.folder / "runs" / name)

    def _corpus(self, name: str) -> Path:
        return self.folder / "corpora" / name

    def _curve(self, name: str) -> Path:
        return self.folder / f"loss_{name}.json"


def _settings(config: Config) -> dict[str, Any]:
    """What makes a run another one: not where it lies, nor weights that sums of floats gave."""
    return config.model_dump(
        exclude={"output": True, "losses": True, "bootstrapping": {"records": True}}
    )
