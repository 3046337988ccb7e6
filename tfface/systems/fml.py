"""FML: a face model learned from several pictures of each person (Tewari et al. 2019).

Nothing is known at first but a mean face and its expressions. The network regresses, from M
pictures of a person, one identity and reflectance, and for every picture expression, pose and
light; the model that these parameters are of is learned with it, from how the pictures look and
where their landmarks lie.

Where the paper is silent, or something else is done here:
- A picture that is black all over stands for a missing one. (In training the batch statistics of
  the compact network count it.)
- The weights w_ij come from the colours of this very pass, means over a person's pictures.
- Terms of pictures are means over them; the weights of the regularisers are larger.
- Landmarks are 68, those of the jaw slide; of the vertices, those of the face are compared.
- In the first of the three stages the parameters of identity and reflectance stay zero: it learns
  pose, light, expression and the mean reflectance. In the third reflectance learns faster, and
  the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.config import Config, DataConfig, FMLConfig, FMLLossesConfig
from tfface.data.augmentation import Augmentation
from tfface.data.code_samplers import FaceSampler
from tfface.data.person_records import read_persons
from tfface.data.training_data import (
    endless_batches,
    joined,
    photos_in_batch,
    require_batch,
    training_batches,
    validation_batches,
)
from tfface.encoders.multi_frame import MultiFrameEncoder
from tfface.layers.face_decoder import FOCAL_LENGTH, FaceDecoder
from tfface.layers.learned_face_model import LearnedFaceModel
from tfface.losses.face_model_learning import (
    appearance_sparsity,
    chroma_weights,
    graph_smoothness,
)
from tfface.losses.landmark import landmark_loss
from tfface.morphable.deformation_graph import NODES, deformation_graph
from tfface.morphable.model import MorphableModel
from tfface.optimizers import Consecutive, make_optimizer
from tfface.systems.base import Stage
from tfface.systems.code_regressor import CodeRegressor, compared_vertices

Parts = Mapping[str, tf.Tensor]
LEARNED = ("node_basis", "albedo_mean", "albedo_basis")  # variables of the face model


@keras.saving.register_keras_serializable(package="tfface")
class FML(CodeRegressor):
    """Multi-frame encoder, learned face model, and the losses (8) to (12).

    `fit` takes images `[B, M, S, S, 3]`, and as targets `landmarks` `[B, M, 68, 2]` and
    `confidence` `[B, M, 68]`; the parts are `[B, M, K]` then.

    Args:
        decoder, compared, losses, seed: As of `CodeRegressor`; the decoder's face model is a
            `LearnedFaceModel`.
        encoder: `compact` or `fml` (see `MultiFrameEncoder`).
        neighbours: `(E, 2)` pairs of nodes that move a vertex in common.
        frames: M of training.
        drawn_frames: Pictures of a drawn person, a multiple of M; M if None.
    """

    losses_type = FMLLossesConfig
    compared_parts = ()

    def __init__(
        self,
        decoder: FaceDecoder,
        compared: ArrayLike,
        neighbours: ArrayLike,
        frames: int = 4,
        drawn_frames: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(decoder, compared, **options)
        self.neighbours, self.frames = np.asarray(neighbours, np.int32), int(frames)
        self.drawn_frames = int(drawn_frames or frames)
        self.edges = _edges(self.triangles)
        images = self.encoder.input
        frames = keras.ops.expand_dims(images, 0)
        codes = self.multi_frame(frames, present_frames(frames))
        self.together = keras.Model(images, codes[0], name="together")
        self.track_terms(("photometric", "landmark", "smoothness", "sparsity", "expression"))

    def make_encoder(self) -> keras.Model:
        self.multi_frame = MultiFrameEncoder(
            self.encoder_name, self.image_size, self.layout.sizes(),
            self.decoder.initial_translation, name="multi_frame",
        )  # fmt: skip
        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        codes = self.multi_frame(keras.ops.expand_dims(images, 1))
        return keras.Model(images, codes[:, 0], name="encoder")

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        nodes: int = NODES,
        identity: int = 500,
        albedo: int = 500,
        **options: Any,
    ) -> Self:
        """Returns an untrained system for the mean and the expressions of a face model.

        Args:
            model: Its identities and reflectances are those of drawn faces only.
            nodes: See `deformation_graph`.
            identity, albedo: Numbers of vectors to learn.
            image_size, focal_length, **options: As of `CodeRegressor`.
        """
        graph = deformation_graph(model, nodes)
        learned = LearnedFaceModel.of_model(
            model, graph, identity=identity, albedo=albedo, name="face_model"
        )
        decoder = FaceDecoder.of_model(model, image_size, focal_length, learned)
        compared = compared_vertices(model, decoder)
        system = cls(decoder, compared, neighbours=graph.neighbours, **options)
        system.morphable_model, system.face_model_name = model, f"learned from {model.name}"
        return system

    @property
    def face_model(self) -> LearnedFaceModel:
        """What is learned beside the network."""
        return cast(LearnedFaceModel, self.decoder.face_model)

    @property
    def learned_variables(self) -> list[keras.Variable]:
        return [*super().learned_variables, *(getattr(self.face_model, name) for name in LEARNED)]

    def call(self, images: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]`, or `[B, M, S, S, 3]` of B persons -> the parts of the code."""
        if len(images.shape) == 4:
            return super().call(images, training)
        codes = self.multi_frame(images, present_frames(images), training=training)
        return self.layout.split(tf.cast(codes, tf.float32))

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Parts
    ) -> dict[str, tf.Tensor]:
        weights, present = self.losses_config, present_frames(images)
        shape = tf.shape(present)
        flat = {name: _flat(part) for name, part in parts.items()}
        face = self.decoder(flat)
        pictures = _flat(images)
        each = {
            "photometric": self.photometric_error(pictures, face),
            "landmark": landmark_loss(
                face["landmarks"],
                _flat(targets["landmarks"]),
                _flat(targets["confidence"]),
                self.image_size,
            ),
            "expression": tf.reduce_sum(tf.square(flat["expression"]), axis=-1),  # eq. (12)
        }
        count = tf.reduce_sum(present)
        terms = {
            name: tf.math.divide_no_nan(tf.reduce_sum(_flat(present) * term), count)
            for name, term in each.items()
        }
        person = {name: parts[name][:, 0] for name in ("identity", "albedo")}
        moved = self.face_model.node_displacements(person["identity"])
        terms["smoothness"] = tf.reduce_mean(graph_smoothness(moved, self.neighbours))
        albedo = self.face_model.albedo_colours(person["albedo"])
        seen = tf.reshape(face["colours"], [shape[0], shape[1], -1, 3])
        seen = tf.reduce_sum(seen * present[:, :, None, None], axis=1)
        alike = chroma_weights(seen, self.edges)
        terms["sparsity"] = tf.reduce_mean(appearance_sparsity(albedo, self.edges, alike))
        return {name: getattr(weights, name) * term for name, term in terms.items()}

    def photometric_error(self, images: tf.Tensor, face: Parts) -> tf.Tensor:
        """Mean squared RGB distance `[N]` over the visible vertices of pictures `[N, S, S, 3]`."""
        observed, visibility = self.observe(images, face, self.compared)
        squared = tf.reduce_sum(tf.square(observed - face["colours"]), axis=-1)
        total = tf.reduce_sum(visibility * squared, axis=-1)
        return tf.math.divide_no_nan(total, tf.reduce_sum(visibility, axis=-1))

    def training_batches(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        """`batch_size` persons with `frames` pictures each, of records, drawn, or both.

        Raises:
            ConfigError, CorpusError, PhotoError, ValueError: as of
                `tfface.data.training_data.training_batches`.
        """
        photographed, parts = photos_in_batch(data, batch_size), []
        if photographed:
            persons = read_persons(
                data.records, self.image_size, self.frames, repeat=True, seed=seed,
                first_example=first_step * photographed,
                augmentation=Augmentation(**data.augmentation.model_dump()),
            )  # fmt: skip
            parts.append(persons.batch(photographed).map(_as_example))
        drawn = batch_size - photographed
        if drawn:
            decoder, sampler = self._drawing(data)
            batches = training_batches(
                data.model_copy(update={"records": []}), self.morphable_model, decoder,
                drawn * self.frames, seed, first_step, sampler, self.frames,
            )  # fmt: skip
            parts.append(batches.map(self._by_person))
        return joined(parts).prefetch(tf.data.AUTOTUNE)

    def validation_batches(self, data: DataConfig, batch_size: int, seed: int) -> tf.data.Dataset:
        """As of training; other persons, or those of `data.validation_records`."""
        if data.validation_records:
            persons = read_persons(data.validation_records, self.image_size, self.frames)
            return endless_batches(require_batch(persons.map(_as_example), batch_size), batch_size)
        decoder, sampler = self._drawing(data)
        batches = validation_batches(
            data, self.morphable_model, decoder, batch_size * self.frames, seed, sampler
        )
        return batches.map(self._by_person).prefetch(tf.data.AUTOTUNE)

    def _drawing(self, data: DataConfig) -> tuple[FaceDecoder, FaceSampler]:
        """Of faces of the model that drawn persons are of."""
        model = self.morphable_model
        decoder = FaceDecoder.of_model(model, self.image_size, self.focal_length)
        return decoder, FaceSampler(model, decoder, data.synthetic, self.drawn_frames)

    def _by_person(
        self, images: tf.Tensor, targets: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        known = {name: targets[name] for name in ("landmarks", "confidence")}

        def split(values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(values, [-1, self.frames, *values.shape[1:]])

        return split(images), {name: split(value) for name, value in known.items()}

    def stages(self, config: Config, folder: Path, chief: bool = True) -> Iterable[Stage]:
        """Pose, light, expression and mean colours; everything; reflectance above all."""
        config = cast(FMLConfig, config)
        joint, training = config.joint, config.training

        def stage(first: int, epochs: int) -> Stage:
            def make_batches(step: int) -> tf.data.Dataset:
                step += first * training.steps_per_epoch  # the stream goes on
                return self.training_batches(config.data, training.batch_size, config.seed, step)

            return Stage(first, first + epochs, make_batches)

        end = 0
        for epochs in (training.epochs, joint.epochs, joint.reflectance_epochs):
            if epochs:
                yield stage(end, epochs)
            end += epochs

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        """As of all systems; the schedule starts again with each stage."""
        joint, steps = cast(FMLConfig, config).joint, config.training.steps_per_epoch
        lengths = [config.training.epochs * steps, joint.epochs * steps]
        settings = config.optimizer.model_dump()
        multipliers = settings["multipliers"]
        rate = joint.reflectance_rate
        for name, factors in {
            "identity_head": [0.0, 1.0, 1.0],
            "albedo_mean": [1.0, 1.0, rate],
            "albedo_basis": [1.0, 1.0, rate],
        }.items():
            own = multipliers.get(name, 1.0)
            multipliers[name] = Consecutive([own * factor for factor in factors], lengths)
        later = [
            (epochs * steps, joint.learning_rate)
            for epochs in (joint.epochs, joint.reflectance_epochs)
        ]
        return make_optimizer(
            **settings,
            total_steps=lengths[0],
            later=later,
            # The identity's layers had no gradients: Adam's first steps for them are long.
            later_warmup_steps=settings["warmup_steps"],
        )

    def get_config(self) -> dict[str, Any]:
        own = {
            "neighbours": self.neighbours.tolist(),
            "frames": self.frames,
            "drawn_frames": self.drawn_frames,
        }
        return {**super().get_config(), **own}


def _as_example(person: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    return person["image"], {name: person[name] for name in ("landmarks", "confidence")}


def present_frames(images: tf.Tensor) -> tf.Tensor:
    """`[B, M, S, S, 3]` -> `[B, M]`, 0 where a picture is black all over, which is missing."""
    return keras.ops.cast(keras.ops.any(images > 0.0, axis=(2, 3, 4)), "float32")


def _flat(values: tf.Tensor) -> tf.Tensor:
    """`[B, M, ...]` -> `[B * M, ...]`."""
    return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], axis=0))


def _edges(triangles: np.ndarray) -> np.ndarray:
    """Each edge of a mesh, once, `(E, 2)`."""
    ends = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return np.unique(np.sort(ends, axis=-1), axis=0).astype(np.int32)
