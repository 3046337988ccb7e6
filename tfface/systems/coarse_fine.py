"""CoarseNet and FineNet: from the morphable model to wrinkles (Richardson et al. 2017).

CoarseNet finds shape and pose by iteration, the rendering layer draws their depth, and FineNet
refines it. CoarseNet learns from drawn faces; FineNet, first alone and then with CoarseNet, from
photos without labels, by shape from shading.

Where the paper is silent, or something else is done here:
- The size is a logarithm and the shift counts in thirds of the picture, so that a plain mean
  square of the six pose numbers makes sense; the geometry error counts the face, not the skull.
- A pass starts from zeros for half of the drawn faces; the random face of eq. (3) is another of
  the batch. Before that pass a quarter of the solutions are corrected once and a quarter twice,
  without a gradient: else the net never sees how its own errors look, and later passes drift.
- In end-to-end training gradients reach the correction of CoarseNet's last pass as though it were
  the solution; its batch normalisation keeps its statistics; the passes before are constants.
- FineNet gives a correction, by two 1x1 convolutions with a ReLU between; its first convolution
  also sees colours, the slopes of the coarse surface, and what light and albedo, eq. (11) and (12),
  say of them: which side the light comes from is nothing that a pixel's neighbourhood shows.
- Steep places and the border of the skin have no shading term, but the fidelity term.
- FineNet learns on CoarseNet's solutions before the end-to-end training, which costs less a step.
- Half of each batch of both are drawn faces, which hold CoarseNet at what it knows. They have a
  random relief, lit like them, and FineNet is to find the slopes of their skin, outlines excepted;
  by eq. (14) alone the compact one found few wrinkles. On photos fidelity to CoarseNet's original
  solution is measured as the error of drawn faces is. For the criterion alone leads CoarseNet away
  from faces: light, reflectance and mask follow the surface, but are constants to its gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfface.code import CodeLayout
from tfface.config import CoarseFineConfig, CoarseFineLossesConfig, Config, DataConfig
from tfface.data.relief import random_relief, shade_relief
from tfface.data.training_data import training_batches, validation_batches
from tfface.encoders.fine_net import FineNet
from tfface.layers.face_decoder import FaceDecoder
from tfface.losses.model_space import gram_matrix, model_space_distance
from tfface.losses.shape_from_shading import (
    ShadingProblem,
    height_normals,
    shading_problem,
    shading_terms,
    slope_hints,
    slopes,
    within,
)
from tfface.morphable.model import MorphableModel
from tfface.optimizers import Consecutive, make_optimizer
from tfface.rendering.clay import clay_colours
from tfface.rendering.spherical_harmonics import ambient_illumination
from tfface.rendering.srgb import grey
from tfface.rendering.weak_perspective import FAR
from tfface.systems.base import FaceSystem, Stage
from tfface.systems.coarse_net import POSE, CoarseNet, FirstPass, Trajectory
from tfface.systems.code_regressor import compared_vertices, mesh_topology
from tfface.systems.face_maps import FaceMapRenderer, PicturedFaces
from tfface.systems.pictures import draw_columns
from tfface.systems.solved_faces import solved_batches

ALBEDO_MODES = 10  # of eq. (10), the paper's
FROM_ZEROS = 0.5  # part of the training faces that start from zeros, as in a first pass
CORRECTIONS = (2, 0, 1, 0)  # how often CoarseNet has corrected them before, in turn
AMBIENT = 0.8  # shading of the pictures of training
SOLVED_FACES = 2048  # drawn faces of FineNet's training, at most
_ASTRAY = 2.0  # difference of slopes from which on a coarse surface shows something else
_SOLVED_SEED = 2_000_003  # added to the seed: other faces than those of training and validation

Parts = Mapping[str, tf.Tensor]
Batch = tuple[tf.Tensor, dict[str, tf.Tensor]]


@keras.saving.register_keras_serializable(package="tfface")
class CoarseFine(FaceSystem):
    """CoarseNet, rendering layer and FineNet.

    The targets of a step: `code` of drawn faces, the solution `state` `[B, R]` that they start
    from, and the `corrections` `[B]` before the one that is trained; or, for FineNet, what
    `fine_terms` takes. Validation, which has no `state`, measures what all passes give.

    Args:
        decoder: Of the face model, with a distant camera; draws the depth for FineNet.
        feedback: A decoder of the same codes for CoarseNet, perhaps with fewer vertices; None
            takes `decoder`.
        compared: `(V,)` weight of each vertex in the geometry term; skin where it exceeds 0.5.
        encoder: Of CoarseNet.
        passes: See `CoarseNet`.
        detail: Stages of FineNet.
        losses: Weights of the terms.
        seed: Not used: nothing is drawn here.
    """

    camera = "weak_perspective"
    morphable_model: MorphableModel

    def __init__(
        self,
        decoder: FaceDecoder,
        compared: ArrayLike,
        feedback: FaceDecoder | None = None,
        encoder: str = "compact",
        passes: int = 4,
        detail: str = "compact",
        losses: CoarseFineLossesConfig | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decoder, self.seed = decoder, seed
        self.losses_config = losses or CoarseFineLossesConfig()
        self.compared = np.asarray(compared, np.float32)
        self.image_size, self.focal_length = decoder.image_size, decoder.focal_length
        self.triangles = decoder.normals.topology.triangles
        self.coarse_net = CoarseNet(feedback or decoder, encoder, passes, name="coarse_net")
        self.maps = FaceMapRenderer(decoder)
        self.fine_net = FineNet(detail, name="fine_net")
        self.fine_net.build()
        self.layout = self.coarse_net.layout
        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        self.encoder = keras.Model(images, self.coarse_net(images), name="encoder")
        size = self.coarse_net.representation.size - POSE
        # Of the vertices: whether they are skin, the grey mean albedo, and its modes.
        self.skin = self.add_weight(
            name="skin",
            shape=(len(self.compared), 2 + min(ALBEDO_MODES, decoder.code_sizes["albedo"])),
            initializer="zeros",
            trainable=False,
        )
        self.gram = self.add_weight(
            name="gram", shape=(size, size), initializer="zeros", trainable=False
        )
        self.track_terms(
            ("geometry", "pose", "shading", "fidelity", "smoothness", "slopes", "coarse")
        )

    @classmethod
    def of_model(
        cls,
        model: MorphableModel,
        image_size: int,
        focal_length: float = FAR,
        feedback: MorphableModel | None = None,
        **options: Any,
    ) -> Self:
        """Returns an untrained system for a face model; options as in the constructor.

        Args:
            feedback: The same model with fewer vertices, for CoarseNet; None takes `model`.
        """
        decoder = FaceDecoder.of_model(model, image_size, focal_length)
        if feedback is not None:
            options["feedback"] = FaceDecoder.of_model(feedback, image_size, focal_length)
        system = cls(decoder, compared_vertices(model, decoder), **options)
        system.morphable_model, system.face_model_name = model, model.name
        basis = np.concatenate([model.identity, model.expression], axis=-1)
        system.gram.assign(gram_matrix(basis, system.compared))
        modes = [model.albedo[..., i] for i in range(system.skin.shape[1] - 2)]
        tints = [grey(tf.constant(tint, tf.float32)) for tint in (model.albedo_mean, *modes)]
        system.skin.assign(tf.concat([system.compared[:, None], *tints], axis=-1))
        return system

    @property
    def learned_variables(self) -> list[keras.Variable]:
        return [*self.coarse_net.network.variables, *self.fine_net.variables]

    @property
    def other_encoders(self) -> dict[str, keras.Model]:
        images = self.encoder.input
        trajectory = Trajectory(self.coarse_net, name="trajectory")(images)
        return {"serve_trajectory": keras.Model(images, trajectory, name="trajectory")}

    @property
    def lite_encoder(self) -> keras.Model:
        """The first pass: TFLite has no z-buffer for the others."""
        images = self.encoder.input
        code = FirstPass(self.coarse_net, name="first_pass")(images)
        return keras.Model(images, code, name="first_pass")

    @property
    def detail_sizes(self) -> tuple[int, ...]:
        return self.image_size, 2 * self.image_size

    def call(self, images: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` in [0, 1] -> the parts; in training none: losses run the nets."""
        return {} if training else self.layout.split(self.encoder(images))

    def loss_terms(
        self, images: tf.Tensor, targets: Mapping[str, tf.Tensor], parts: Parts
    ) -> dict[str, tf.Tensor]:
        if "original" in targets:
            return self.fine_terms(images, **targets)
        if "state" in targets:
            state = self.corrected_before(images, targets["state"], targets["corrections"])
            found = self.coarse_net.correct(images, state, training=True)
            found += _idle(self.fine_net.trainable_variables)
        else:
            found = self.coarse_net.to_solution(parts or self(images))
        return self.supervised_terms(found, self.true_solutions(targets["code"]))

    def corrected_before(
        self, images: tf.Tensor, state: tf.Tensor, corrections: tf.Tensor
    ) -> tf.Tensor:
        """Solutions `[B, R]` after so many passes `[B]` from `state` on; without gradients."""
        for passes in range(max(CORRECTIONS)):
            chosen = corrections > passes
            # Only these are drawn, but one at least.
            some = tf.where(chosen | ~tf.reduce_any(chosen))[:, 0]
            first = tf.gather(state, some)
            change = self.coarse_net.correct(tf.gather(images, some), first) - first
            change /= 1 + passes  # as the mean of all corrections goes on
            moved = tf.tensor_scatter_nd_add(state, some[:, None], change)
            state = tf.where(chosen[:, None], moved, state)
        return tf.stop_gradient(state)

    def true_solutions(self, codes: tf.Tensor) -> tf.Tensor:
        """Solutions `[B, R]` of drawn faces, whose codes say more."""
        return self.coarse_net.to_solution(CodeLayout(self.decoder.code_sizes).split(codes))

    def supervised_terms(self, found: tf.Tensor, truth: tf.Tensor) -> dict[str, tf.Tensor]:
        """Means of `solution_errors`."""
        errors = self.solution_errors(found, truth)
        return {name: tf.reduce_mean(error) for name, error in errors.items()}

    def solution_errors(self, found: tf.Tensor, truth: tf.Tensor) -> dict[str, tf.Tensor]:
        """`geometry`, the mean square error of eq. (4), and `pose`, that of the six numbers, `[B]`.

        Both are weighted.
        """
        weights = self.losses_config
        gram = tf.convert_to_tensor(self.gram)
        geometry = model_space_distance(found[:, :-POSE], truth[:, :-POSE], gram)
        pose = tf.reduce_mean(tf.square(found[:, -POSE:] - truth[:, -POSE:]), axis=-1)
        return {"geometry": weights.geometry * geometry, "pose": weights.pose * pose}

    def fine_terms(
        self,
        images: tf.Tensor,
        original: tf.Tensor,
        drawn: tf.Tensor,
        surface: tf.Tensor,
        solved: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """FineNet's criterion, eq. (14), and what holds CoarseNet (figure 7).

        Args:
            images: `[B, S, S, 3]`, photos and drawn faces.
            original: `[B, R]` solutions: of drawn faces the true ones, of photos those of CoarseNet
                before.
            drawn: `[B]`, 1 for drawn faces, 0 for photos.
            surface: `[B, S, S, 1]` the true heights of drawn faces, pixels; 0 where not known.
            solved: `[B, R]` what CoarseNet gives; it is not trained then. Without them it is, by
                gradients that reach its last correction.
        """
        weights, net = self.losses_config, self.coarse_net
        solution = self.last_solution(images) if solved is None else solved
        faces = self.maps.see(net.parts(solution), self.image_size)
        skin, *albedo = self.paint_skin(faces)
        problem = shading_problem(grey(images), faces.height, skin, *albedo)
        heights = self.fine_net(images, faces.height, slope_hints(problem), skin)
        errors = self.solution_errors(solution, original)
        terms = {
            **shading_terms(problem, heights),
            "slopes": drawn * slope_error(heights, surface, problem),
            "coarse": (1.0 - drawn) * tf.add_n(list(errors.values())),
        }
        terms = {name: getattr(weights, name) * term for name, term in terms.items()}
        terms |= {name: drawn * error for name, error in errors.items()}
        if solved is not None:
            terms["coarse"] += _idle(net.network.trainable_variables)
        return {name: tf.reduce_mean(term) for name, term in terms.items()}

    def last_solution(self, images: tf.Tensor) -> tf.Tensor:
        """The mean `[B, R]` that all passes give, with the gradient of the last correction."""
        net = self.coarse_net
        last = net.iterate(images, net.passes - 1)[:, -1]
        correction = net.correct(images, last)
        return correction + tf.stop_gradient((last - correction) * (1.0 - 1.0 / net.passes))

    def paint_skin(self, faces: PicturedFaces) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Maps `[B, S, S, C]`: where skin is, in [0, 1], and its mean albedo and the modes of
        that, in grey values."""
        painted = self.maps.paint(tf.convert_to_tensor(self.skin), faces)
        return painted[..., :1], painted[..., 1:2], painted[..., 2:]

    def detail(self, images: tf.Tensor, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Refines faces at the size of the pictures given.

        Args:
            images: `[B, H, H, 3]` in [0, 1], any H: the same crops that the codes are of.
            code: `[B, N]`.

        Returns:
            `coarse` and `heights` `[B, H, H, 1]`: towards the camera from the origin of the head,
            in pixels of the pictures; their unit normals `coarse_normals` and `normals`
            `[B, H, H, 3]` in camera space; `mask` `[B, H, H, 1]`, 1 where the head is (its skin
            alone is refined), less its outline.
        """
        images = tf.convert_to_tensor(images, tf.float32)
        faces = self.maps.see(self.layout.split(code), images.shape[1])
        skin, *albedo = self.paint_skin(faces)
        problem = shading_problem(grey(images), faces.height, skin, *albedo)
        coarse = faces.height
        heights = self.fine_net(images, coarse, slope_hints(problem), skin)
        inside = within(faces.mask)  # at an outline differences tell nothing of normals
        return {
            "coarse": coarse,
            "heights": heights,
            "coarse_normals": height_normals(coarse) * inside,
            "normals": height_normals(heights) * inside,
            "mask": inside,
        }

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Code `[B, N]` -> `vertices`, mean `albedo` `[B, V, 3]`, `landmarks` `[B, 68, 3]`.

        Not by the decoder's `face`, so that an export needs no basis of albedo.
        """
        parts, model = self.layout.split(code), self.decoder.face_model
        vertices = model.vertices(parts["identity"], parts["expression"])
        mean = tf.convert_to_tensor(model.albedo_mean)
        return {
            "vertices": vertices,
            "albedo": tf.broadcast_to(mean, tf.shape(vertices)),
            "landmarks": tf.gather(vertices, self.decoder.landmark_vertices, axis=1),
        }

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` in [0, 1] -> parts, `code`, posed face, `camera` and detail.

        Returns:
            As of `CodeRegressor.reconstruct` (the albedo is the mean, there is no light), and
            `trajectory` `[B, P + 1, N]`, the codes after each pass, and what `detail` returns.
        """
        count, size = tf.shape(images)[0], float(self.image_size)
        trajectory = Trajectory(self.coarse_net)(images)
        code = trajectory[:, -1]
        parts = self.layout.split(code)
        face = self.decoder(self.drawable(parts))
        for unknown in ("shading", "colours"):
            del face[unknown]
        camera = {
            "focal_length": tf.fill([count], self.focal_length * size),
            "principal_point": tf.fill([count, 2], size / 2),
        }
        found = {**parts, "code": code, "trajectory": trajectory, "camera": camera}
        return {**found, **face, "detail": self.detail(images, code)}

    def render(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, S, S, 3]` -> columns of an image grid: those of others, and `detail`."""
        parts = self(images)
        columns = draw_columns(self.decoder, self.drawable(parts), images)
        fine = self.detail(images, self.layout.join(parts))
        return {**columns, "detail": clay_colours(fine["normals"]) * fine["mask"]}

    def drawable(self, parts: Parts) -> dict[str, tf.Tensor]:
        """With the mean albedo in even light, as the decoder wants them."""
        count = tf.shape(parts["identity"])[0]
        light = tf.constant(ambient_illumination(AMBIENT), tf.float32)
        return {
            **parts,
            "albedo": tf.zeros([count, self.decoder.code_sizes["albedo"]]),
            "illumination": tf.tile(tf.reshape(light, [1, 9, 3]), [count, 1, 1]),
        }

    def load_encoder_weights(self, path: str) -> None:
        """Loads published VGG-Face weights into FineNet.

        Raises:
            WeightsError: if the file does not hold them.
        """
        self.fine_net.load_vgg_face(path)

    def training_batches(
        self, data: DataConfig, batch_size: int, seed: int, first_step: int = 0
    ) -> tf.data.Dataset:
        """Drawn faces with the solutions that CoarseNet is to correct, r_t of eq. (3)."""
        model = self.morphable_model
        batches = training_batches(data, model, self.decoder, batch_size, seed, first_step)
        corrections = tf.constant(np.resize(CORRECTIONS, batch_size), tf.int32)

        def with_state(step: tf.Tensor, batch: Batch) -> Batch:
            images, targets = batch
            truth = self.true_solutions(targets["code"])
            seeds = tf.random.split(tf.stack([tf.constant(seed, tf.int64), step]))
            share, first = tf.unstack(
                tf.random.stateless_uniform([2, batch_size, 1], tf.cast(seeds[0], tf.int64))
            )
            # Another face of the batch is a random one.
            state = share * truth + (1.0 - share) * tf.roll(truth, 1, axis=0)
            state = tf.where(first < FROM_ZEROS, 0.0, state)
            return images, {**targets, "state": state, "corrections": corrections}

        batches = batches.enumerate(first_step).map(with_state, num_parallel_calls=tf.data.AUTOTUNE)
        return batches.prefetch(tf.data.AUTOTUNE)

    def validation_batches(self, data: DataConfig, batch_size: int, seed: int) -> tf.data.Dataset:
        """See `tfface.data.training_data.validation_batches`."""
        return validation_batches(data, self.morphable_model, self.decoder, batch_size, seed)

    def stages(self, config: Config, folder: Path, chief: bool = True) -> Iterable[Stage]:
        """Drawn faces for CoarseNet, then photos and drawn faces for FineNet, then for both."""
        config = cast(CoarseFineConfig, config)
        yield from super().stages(config, folder, chief)
        first, second = config.training.epochs, config.end_to_end
        for epochs, make_batches in (
            (second.fine_epochs, self._solved_batches),
            (second.epochs, self._joint_batches),
        ):
            if epochs:
                yield Stage(first, first + epochs, partial(make_batches, config, folder, chief))
            first += epochs

    def _solved_batches(
        self,
        config: CoarseFineConfig,
        folder: Path,
        chief: bool,
        first_step: int,
        changed: bool = False,
    ) -> tf.data.Dataset:
        drawn = config.drawn_for_fine_net
        corpus = {"corpus": None}  # fewer faces are wanted, and only once
        synthetic = drawn.synthetic.model_copy(update=corpus)
        faces = training_batches(
            drawn.model_copy(update={"synthetic": synthetic}),
            self.morphable_model, self.decoder, config.training.batch_size,
            config.seed + _SOLVED_SEED,
        )  # fmt: skip
        seed = tf.constant(config.seed, tf.int64)
        faces = faces.enumerate().map(
            lambda step, batch: self._with_relief(batch, tf.stack([seed, step]))
        )
        faces = faces.unbatch().take(min(drawn.synthetic.corpus or SOLVED_FACES, SOLVED_FACES))
        return solved_batches(self.coarse_net, faces, config, folder, chief, first_step, changed)

    def _with_relief(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Pictures of drawn faces with random relief, their true solutions, and `surface`."""
        images, targets = batch
        truth = self.true_solutions(targets["code"])
        faces = self.maps.see(self.coarse_net.parts(truth), self.image_size)
        skin = self.maps.paint(tf.constant(self.compared[:, None]), faces)
        relief = skin * random_relief(images.shape[0], self.image_size, seed)
        light = CodeLayout(self.decoder.code_sizes).split(targets["code"])["illumination"]
        images = shade_relief(images, faces.height, relief, skin, light)
        return images, truth, faces.mask * (faces.height + relief)

    def _joint_batches(
        self, config: CoarseFineConfig, folder: Path, chief: bool, first_step: int
    ) -> tf.data.Dataset:
        before = config.end_to_end.fine_epochs * config.training.steps_per_epoch
        changed = first_step > 0
        batches = self._solved_batches(config, folder, chief, before + first_step, changed)
        wanted = ("original", "drawn", "surface")  # what CoarseNet solved is not what it will
        batches = batches.map(lambda images, targets: (images, {k: targets[k] for k in wanted}))
        return batches.prefetch(tf.data.AUTOTUNE)

    def make_optimizer(self, config: Config) -> keras.Optimizer:
        """As of all systems; the schedule starts again with each stage. CoarseNet rests while
        FineNet is trained alone, and has `coarse_rate` of its rate when both are."""
        steps, second = config.training.steps_per_epoch, cast(CoarseFineConfig, config).end_to_end
        lengths = [epochs * steps for epochs in (config.training.epochs, second.fine_epochs)]
        settings = config.optimizer.model_dump()
        multipliers = settings["multipliers"]
        coarse = self.coarse_net.network.trainable_variables
        for name in {variable.path.split("/")[-2] for variable in coarse}:
            own = multipliers.get(name, 1.0)
            factors = [own, 0.0, own * second.coarse_rate]
            multipliers[name] = Consecutive(factors, lengths)
        later = [
            (epochs * steps, second.learning_rate) for epochs in (second.fine_epochs, second.epochs)
        ]
        return make_optimizer(
            **settings,
            total_steps=lengths[0],
            later=later,
            # The moments of FineNet's gradients are still zero, and Adam takes them for old.
            later_warmup_steps=settings["warmup_steps"],
        )

    def topology(self) -> dict[str, np.ndarray]:
        """What a program needs beside `decode` to build a mesh."""
        return mesh_topology(self.decoder, self.morphable_model, self.compared)

    def get_config(self) -> dict[str, Any]:
        feedback = self.coarse_net.decoder
        own = feedback is not self.decoder
        return {
            "name": self.name,
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "compared": self.compared.tolist(),
            "feedback": keras.saving.serialize_keras_object(feedback) if own else None,
            "encoder": self.coarse_net.encoder_name,
            "passes": self.coarse_net.passes,
            "detail": self.fine_net.stages,
            "losses": self.losses_config.model_dump(),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        decoders = {
            name: keras.saving.deserialize_keras_object(config.pop(name))
            for name in ("decoder", "feedback")
        }
        return cls(losses=CoarseFineLossesConfig(**config.pop("losses")), **decoders, **config)


def slope_error(found: tf.Tensor, true: tf.Tensor, problem: ShadingProblem) -> tf.Tensor:
    """Mean squared distance `[B]` of the slopes of surfaces `[B, S, S, 1]`, where they are known.

    Slopes, as a picture tells of heights by their slopes alone. At outlines, where a slope that is
    nearly right lies a pixel further, nothing is asked.

    Args:
        found: A surface.
        true: What it should be; 0 where that is not known.
        problem: Its coarse surface, and the mask.
    """
    known = problem.mask * within(tf.cast(tf.not_equal(true, 0.0), tf.float32))
    goal = slopes(true)
    apart = [g - s for g, s in zip(goal, slopes(problem.heights), strict=True)]
    known *= tf.cast(tf.add_n(list(map(tf.abs, apart))) < _ASTRAY, tf.float32)
    squared = tf.add_n([tf.square(g - s) for g, s in zip(goal, slopes(found), strict=True)])
    total = tf.reduce_sum(known * squared, axis=[1, 2, 3])
    return tf.math.divide_no_nan(total, tf.reduce_sum(known, axis=[1, 2, 3]))


def _idle(variables: Iterable[keras.Variable]) -> tf.Tensor:
    """Zero, with a gradient of zero on what a stage does not train: Keras warns of none."""
    return 0.0 * tf.add_n([tf.reduce_sum(variable) for variable in variables])
