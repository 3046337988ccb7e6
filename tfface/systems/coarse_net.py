"""CoarseNet: a network that corrects its own solution, pass by pass (Richardson et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import keras
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.encoders import build_encoder
from tfface.layers.face_decoder import FaceDecoder
from tfface.rendering.srgb import grey
from tfface.systems.face_maps import FaceMapRenderer

PARTS = ("identity", "expression", "rotation", "translation")  # of the code that comes out
POSE = 6
FEEDBACK = 6  # channels: PNCC and normals
TOLERANCE = 0.01  # of sigmas and radians: a pass that moves the mean less ends the iteration

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfface")
class CoarseNet(keras.layers.Layer):
    """Images `[B, S, S, 3]` in [0, 1] -> codes `[B, N]`, by iteration from zeros (section 3.4).

    Within, a solution is the paper's representation r: identity and expression in sigmas and the
    six pose numbers of `WeakPerspective`; zeros are the mean face in the middle of the picture. Out
    comes the code of the distant camera: `identity`, `expression`, `rotation`, `translation`.

    A pass sees the grey picture, masked by where the last solution's face is, that face's PNCC and
    its normals; its last layer, which is linear, sees the solution itself as well (not in the
    paper), so that a pass can keep what it cannot improve. A solution is the mean of all that the
    network gave so far (not in the paper either): one alone jumps to and fro about where they end.

    Args:
        decoder: Of the face model, with a distant camera.
        encoder: `compact` or `resnet50`.
        passes: At most so many; less where they change nothing any more (`TOLERANCE`).
    """

    def __init__(
        self, decoder: FaceDecoder, encoder: str = "compact", passes: int = 4, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.decoder, self.encoder_name, self.passes = decoder, encoder, int(passes)
        sizes = decoder.code_sizes
        self.layout = CodeLayout({name: sizes[name] for name in PARTS})
        self.representation = CodeLayout(
            {"identity": sizes["identity"], "expression": sizes["expression"], "pose": POSE}
        )
        self.maps = FaceMapRenderer(decoder)
        self.network = _network(encoder, decoder.image_size, self.representation.size)

    def build(self, input_shape: Shape) -> None:
        self.built = True  # the network is built when it is made

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.to_code(self.iterate(images)[:, -1])

    def iterate(self, images: tf.Tensor, passes: int | None = None) -> tf.Tensor:
        """The trajectory `[B, passes + 1, R]` of solutions, from zeros; without gradients.

        A face whose solution has converged stays as it is.
        """
        passes = self.passes if passes is None else passes
        images = tf.convert_to_tensor(images, tf.float32)
        start = tf.zeros([tf.shape(images)[0], self.representation.size])
        trajectory = tf.TensorArray(tf.float32, passes + 1, element_shape=start.shape)

        def moving(
            number: tf.Tensor, solution: tf.Tensor, moves: tf.Tensor, _: tf.TensorArray
        ) -> tf.Tensor:
            return tf.reduce_any(moves)

        def step(
            number: tf.Tensor, solution: tf.Tensor, moves: tf.Tensor, past: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
            change = self.correct(images, solution) - solution
            change /= 1.0 + tf.cast(number, tf.float32)  # a mean that goes on
            new = tf.where(moves[:, None], solution + change, solution)
            moves = tf.reduce_max(tf.abs(new - solution), axis=-1) > TOLERANCE
            return number + 1, new, moves, past.write(number + 1, new)

        moves = tf.ones([tf.shape(images)[0]], tf.bool)
        state = (tf.zeros([], tf.int32), start, moves, trajectory.write(0, start))
        done, last, _, trajectory = tf.while_loop(moving, step, state, maximum_iterations=passes)
        solutions = tf.transpose(trajectory.stack(), [1, 0, 2])
        left = tf.range(passes + 1)[None, :, None] > done  # where all had converged before
        return tf.stop_gradient(tf.where(left, last[:, None], solutions))

    def correct(self, images: tf.Tensor, solution: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Solutions `[B, R]` -> better ones."""
        faces = self.maps.see(self.parts(solution), self.decoder.image_size)
        return self.read(images, solution, self.maps.feedback(faces), faces.mask, training)

    def read(
        self,
        images: tf.Tensor,
        solution: tf.Tensor,
        feedback: tf.Tensor,
        mask: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """A pass whose feedback `[B, S, S, 6]` and mask `[B, S, S, 1]` are drawn."""
        seen = tf.concat([grey(images) * mask, feedback], axis=-1)
        return tf.cast(self.network([seen, solution], training=training), tf.float32)

    def parts(self, solution: tf.Tensor) -> dict[str, tf.Tensor]:
        """The named parts of the code of solutions `[B, R]`."""
        found = self.representation.split(solution)
        rotation, translation = self.maps.camera.to_camera(found.pop("pose"))
        return {**found, "rotation": rotation, "translation": translation}

    def to_code(self, solution: tf.Tensor) -> tf.Tensor:
        """Solutions `[B, R]` -> codes `[B, N]`."""
        return self.layout.join(self.parts(solution))

    def to_solution(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The inverse: parts of codes, perhaps among others -> solutions `[B, R]`."""
        pose = self.maps.camera.from_camera(parts["rotation"], parts["translation"])
        return tf.concat([parts["identity"], parts["expression"], pose], axis=-1)

    def compute_output_shape(self, images_shape: Shape) -> Shape:
        return (images_shape[0], self.layout.size)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "encoder": self.encoder_name,
            "passes": self.passes,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(keras.saving.deserialize_keras_object(config.pop("decoder")), **config)


class Trajectory(keras.layers.Layer):
    """CoarseNet's codes after 0, 1, ... passes: images `[B, S, S, 3]` -> `[B, passes + 1, N]`.

    Args:
        coarse_net: The layer.
    """

    def __init__(self, coarse_net: CoarseNet, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.coarse_net = coarse_net

    def call(self, images: tf.Tensor) -> tf.Tensor:
        net = self.coarse_net
        solutions = net.iterate(images)
        flat = tf.reshape(solutions, [-1, net.representation.size])
        return tf.reshape(net.to_code(flat), [-1, net.passes + 1, net.layout.size])

    def compute_output_shape(self, images_shape: Shape) -> Shape:
        return (images_shape[0], self.coarse_net.passes + 1, self.coarse_net.layout.size)


class FirstPass(keras.layers.Layer):
    """CoarseNet's first pass alone, whose feedback is the mean face's: no renderer is needed.

    Args:
        coarse_net: The layer; its face model must hold its values.
    """

    def __init__(self, coarse_net: CoarseNet, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.coarse_net = coarse_net
        zeros = tf.zeros([1, coarse_net.representation.size])
        faces = coarse_net.maps.see(coarse_net.parts(zeros), coarse_net.decoder.image_size)
        self.feedback, self.mask = coarse_net.maps.feedback(faces).numpy(), faces.mask.numpy()

    def call(self, images: tf.Tensor) -> tf.Tensor:
        net, count = self.coarse_net, tf.shape(images)[0]
        feedback, mask = (tf.tile(m, [count, 1, 1, 1]) for m in (self.feedback, self.mask))
        start = tf.zeros([count, net.representation.size])
        return net.to_code(net.read(images, start, feedback, mask))

    def compute_output_shape(self, images_shape: Shape) -> Shape:
        return self.coarse_net.compute_output_shape(images_shape)


def _network(encoder: str, size: int, count: int) -> keras.Model:
    """Grey picture and feedback `[B, S, S, 7]`, solution `[B, R]` -> `[B, R]`; untrained, zero."""
    features = build_encoder(encoder, size, channels=1 + FEEDBACK)
    seen = keras.Input((size, size, 1 + FEEDBACK), name="seen")
    solution = keras.Input((count,), name="solution", dtype="float32")
    known = keras.layers.Concatenate(dtype="float32")([features(seen), solution])
    head = keras.layers.Dense(count, kernel_initializer="zeros", name="code", dtype="float32")
    return keras.Model([seen, solution], head(known), name="coarse_network")
