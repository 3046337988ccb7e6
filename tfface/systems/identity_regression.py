"""Unsupervised 3DMM regression: a neutral face from the features of a recognition network.

Genova et al. 2018. A frozen network sees who is in a photo, whatever the pose, the light and the
expression; two hidden layers regress shape and reflectance from its features. Training needs no
labels: drawn faces have known codes, and a render of a photo's face must look like the photo to the
recognition network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface.code import CodeLayout
from tfface.config import (
    Config,
    DataConfig,
    IdentityLossesConfig,
    IdentityRegressionConfig,
    SyntheticConfig,
)
from tfface.data.code_samplers import FaceSampler
from tfface.encoders.recognition import recognition_network
from tfface.files import Arrays, kept
from tfface.layers.face_decoder import FOCAL_LENGTH, FaceDecoder
from tfface.losses.recognition import batch_distribution_loss, identity_loss
from tfface.morphable.model import MorphableModel
from tfface.optimizers import make_optimizer
from tfface.rendering.chip_alignment import CHIP_RULE
from tfface.systems.base import FaceSystem, Stage
from tfface.systems.code_regressor import compared_vertices, mesh_topology
from tfface.systems.face_views import ChipRenderer, Views, draw_views, frontal_views
from tfface.systems.recognition_features import feature_batches, photo_features

PARTS = ("identity", "albedo")
HIDDEN = 1024  # units of each of the two layers
_CORPUS = 8192  # drawn faces, where the configuration names no number
_VALIDATION_SEED = 1_000_003  # added to the seed
_TOGETHER = 16  # faces that are drawn together
_PROGRESS = 512  # faces from which on progress is shown


@keras.saving.register_keras_serializable(package="tfface")
class IdentityRegression(FaceSystem):
    """Frozen recognition network -> two hidden layers -> shape and reflectance.

    `call` takes chips `[B, S, S, 3]` or, in training, their features `[B, F]`, which are computed
    once. The targets of a step: `code` `[D, N]` and, beside photos, the `drawn` features `[D, F]`
    that they belong to; then the inputs are those of photos. Drawn faces see the parameter loss
    only, photos all others.

    Args:
        decoder: Of the face model; its camera draws the chips.
        network: See `recognition_network`.
        weights: As well.
        losses: Weights of the terms.
        seed: Of the views.
    """

    crop_rule = CHIP_RULE
    morphable_model: MorphableModel
    compared: np.ndarray

    def __init__(
        self,
        decoder: FaceDecoder,
        network: str = "recognition_resnet",
        weights: str | None = None,
        losses: IdentityLossesConfig | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decoder, self.network_name = decoder, network
        self.losses_config = losses or IdentityLossesConfig()
        self.image_size, self.focal_length = decoder.image_size, decoder.focal_length
        self.triangles = decoder.normals.topology.triangles
        self.layout = CodeLayout({name: decoder.code_sizes[name] for name in PARTS})
        self.expression_size = decoder.code_sizes["expression"]
        self.features, self.embedding = recognition_network(network, self.image_size, weights)
        self.regressor = _regressor(self.features.output_shape[-1], self.layout.size)
        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        self.encoder = keras.Model(images, self.regressor(self.features(images)), name="encoder")
        mean = keras.ops.mean(self.features(images), axis=0, keepdims=True)  # section 4.2
        self.together = keras.Model(images, self.regressor(mean), name="together")
        self.views = ChipRenderer(decoder, self.image_size)
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)
        self.track_terms(("parameter", "identity", "batch_distribution", "loopback"))

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FOCAL_LENGTH,
        **options: Any,
    ) -> Self:
        """Returns an untrained system for a face model; options as in the constructor."""
        system = cls(FaceDecoder.of_model(model, image_size, focal_length), **options)
        system.morphable_model, system.face_model_name = model, model.name
        system.compared = compared_vertices(model, system.decoder)
        return system

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        features = self.features(inputs, training=False) if len(inputs.shape) == 4 else inputs
        return self.layout.split(tf.cast(self.regressor(features, training=training), tf.float32))

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        weights = self.losses_config
        if "drawn" not in targets:
            return {"parameter": tf.reduce_mean(self.parameter_loss(targets["code"], parts))}
        drawn = self(targets["drawn"], training=True)
        terms = {"parameter": tf.reduce_mean(self.parameter_loss(targets["code"], drawn))}
        moments = [batch_distribution_loss(parts[name]) for name in PARTS]
        terms["batch_distribution"] = weights.batch_distribution * tf.add_n(moments)
        shown = weights.faces
        features = self.see({name: part[:shown] for name, part in parts.items()})
        photos = self.embedding(images[:shown])
        terms["identity"] = weights.identity * tf.reduce_mean(
            identity_loss(photos, self._by_view(self.embedding(features)))
        )
        if weights.loopback:
            again = self(self._by_view(features)[:, 0], training=True)
            code = self.layout.join({name: part[:shown] for name, part in parts.items()})
            loop = tf.reduce_mean(self.parameter_loss(code, again))
            terms["loopback"] = weights.loopback * loop
        return terms

    def parameter_loss(self, code: tf.Tensor, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Eq. (3), `[B]`."""
        truth, weights = self.layout.split(code), self.losses_config
        distances = {n: tf.reduce_sum(tf.square(parts[n] - truth[n]), axis=-1) for n in PARTS}
        return weights.shape * distances["identity"] + weights.texture * distances["albedo"]

    def see(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Features `[V * B, F]` of random views of faces, a view of all of them after another."""
        return self.features(self.draw_random(parts), training=False)

    def draw_random(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Chips `[V * B, S, S, 3]` of random views."""
        views = self.losses_config.views
        codes = {name: tf.tile(part, [views, 1]) for name, part in parts.items()}
        count = tf.shape(codes["identity"])[0]
        return self.draw(codes, draw_views(count, tf.cast(self.random.next(), tf.int32)))

    def draw(self, parts: Mapping[str, tf.Tensor], views: Views) -> tf.Tensor:
        """Chips of neutral faces."""
        neutral = tf.zeros([tf.shape(parts["identity"])[0], self.expression_size])
        return self.views(parts["identity"], neutral, parts["albedo"], views)

    @property
    def decoded_layout(self) -> CodeLayout:
        """With the expression, which no photo gives here but pictures of one want."""
        sizes = self.decoder.code_sizes
        return CodeLayout({name: sizes[name] for name in ("identity", "expression", "albedo")})

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Code `[B, N]` -> `vertices`, `albedo` `[B, V, 3]`, `landmarks` `[B, 68, 3]`."""
        return self.decoder.face(self.decoded_layout.split(code))

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Chips `[B, S, S, 3]` in [0, 1] -> the code's parts, the flat `code` and the neutral face.

        There is no `camera`: pose is not estimated.
        """
        parts = self(images, training=False)
        neutral = {**parts, "expression": tf.zeros([tf.shape(images)[0], self.expression_size])}
        return {
            **parts,
            "code": self.layout.join(parts),
            **self.decode(self.decoded_layout.join(neutral)),
        }

    def render(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Chips `[B, S, S, 3]` -> `input`, and the neutral face: `render`, `geometry`, `albedo`."""
        parts = self(images, training=False)
        count = tf.shape(images)[0]
        looks = {
            "render": self.draw(parts, frontal_views(count)),
            "albedo": self.draw(parts, frontal_views(count, lit=False)),
        }
        grey = {**parts, "albedo": tf.zeros_like(parts["albedo"])}
        return {
            "input": tf.cast(images, tf.float32),
            **looks,
            "geometry": self.draw(grey, frontal_views(count)),
        }

    def stages(self, config: Config, folder: Path, chief: bool = True) -> Iterable[Stage]:
        """Drawn faces alone, then photos beside them.

        Without records other drawn faces stand for photos.
        """
        config = cast(IdentityRegressionConfig, config)
        data, unsupervised, size = (
            config.data.synthetic,
            config.unsupervised,
            config.training.batch_size,
        )
        settings = config.model_dump_json(
            include={
                "face_model": True,
                "model": True,
                "data": True,
                "seed": True,
                "unsupervised": {"records"},
            }
        )

        def features(name: str, make: Callable[[], Arrays]) -> Arrays:
            return kept(folder / "features" / f"{name}.npz", settings, chief, make)

        def draw(seed: int) -> Arrays:
            count = data.corpus or _CORPUS
            faces = self.draw_faces(data, count, seed, chips=False)
            return {name: faces[name] for name in ("code", "features")}

        def see_photos() -> Arrays:
            if unsupervised.records:
                return photo_features(self.features, unsupervised.records, self.image_size)
            return draw(config.seed + 1)

        def make_batches(with_photos: bool, first_step: int) -> tf.data.Dataset:
            drawn = features("drawn", partial(draw, config.seed))
            photos = features("photos", see_photos)["features"] if with_photos else None
            return feature_batches(photos, drawn, size, size, config.seed + with_photos, first_step)

        first = config.training.epochs
        yield Stage(0, first, partial(make_batches, False))
        if unsupervised.epochs:
            yield Stage(first, first + unsupervised.epochs, partial(make_batches, True))

    def draw_faces(
        self, settings: SyntheticConfig, count: int, seed: int, chips: bool = True
    ) -> dict[str, np.ndarray]:
        """`code` `[M, N]`, `features` `[M, F]` and `chips` of random faces in random views."""
        sampler = FaceSampler(self.morphable_model, self.decoder, settings)
        layout = CodeLayout(self.decoder.code_sizes)

        @tf.function
        def draw(number: tf.Tensor) -> dict[str, tf.Tensor]:
            key = tf.stack([tf.constant(seed, tf.int64), number])
            seeds = tf.unstack(tf.random.split(key, 2))
            parts = layout.split(sampler.draw(_TOGETHER, seeds[0]))
            views = draw_views(_TOGETHER, seeds[1])
            drawn = self.views(parts["identity"], parts["expression"], parts["albedo"], views)
            code = self.layout.join({name: parts[name] for name in PARTS})
            found = {"code": code, "features": self.features(drawn, training=False)}
            return {**found, "chips": drawn} if chips else found

        numbers = tqdm(range(-(-count // _TOGETHER)), "drawing faces", disable=count < _PROGRESS)
        groups = [draw(tf.constant(n, tf.int64)) for n in numbers]
        return {n: np.concatenate([g[n].numpy() for g in groups])[:count] for n in groups[0]}

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        """As of all systems; the schedule starts again with the second stage."""
        steps, second = config.training.steps_per_epoch, cast(IdentityRegressionConfig, config)
        later = (second.unsupervised.epochs * steps, second.unsupervised.learning_rate)
        return make_optimizer(
            **config.optimizer.model_dump(),
            total_steps=config.training.epochs * steps,
            later=[later] if later[0] else [],
        )

    def _by_view(self, values: tf.Tensor) -> tf.Tensor:
        views = self.losses_config.views
        return tf.transpose(tf.reshape(values, [views, -1, values.shape[-1]]), [1, 0, 2])

    def training_batches(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        """Chips of drawn faces with their codes; a run trains on what `stages` makes of them."""
        faces = self.draw_faces(data.synthetic, max(batch_size, _TOGETHER), seed)
        batches = tf.data.Dataset.from_tensor_slices((faces["chips"], {"code": faces["code"]}))
        return batches.batch(batch_size, drop_remainder=True).repeat().skip(first_step)

    def validation_batches(self, data: DataConfig, batch_size: int, seed: int) -> tf.data.Dataset:
        """The same of faces that training does not see."""
        return self.training_batches(data, batch_size, seed + _VALIDATION_SEED)

    def topology(self) -> dict[str, np.ndarray]:
        """What a program needs beside `decode` to build a mesh."""
        return mesh_topology(self.decoder, self.morphable_model, self.compared)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "network": self.network_name,
            "weights": None,  # which are in the saved file
            "losses": self.losses_config.model_dump(),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        decoder = keras.saving.deserialize_keras_object(config.pop("decoder"))
        return cls(decoder, losses=IdentityLossesConfig(**config.pop("losses")), **config)


def _regressor(features: int, size: int) -> keras.Model:
    """The paper's decoder: two hidden layers; before training it gives the mean face.

    Features of networks differ in size and offset; unlike the paper, they are normalised first.
    """
    inputs = keras.Input((features,), name="features")
    x = keras.layers.LayerNormalization(center=False, scale=False)(inputs)
    for number in (1, 2):
        x = keras.layers.Dense(HIDDEN, "relu", kernel_initializer="he_normal", name=f"fc{number}")(
            x
        )
    code = keras.layers.Dense(size, kernel_initializer="zeros", name="code", dtype="float32")(x)
    return keras.Model(inputs, code, name="regressor")
