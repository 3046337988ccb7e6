"""Faces drawn as maps: what CoarseNet gets back of its last solution, and the depth for FineNet.

The maps are those of `tfface.layers.mesh_maps`, of one pass of the z-buffer at any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfface.layers.face_decoder import FaceDecoder
from tfface.layers.mesh_maps import normalized_coordinates
from tfface.rendering.cameras import rotate
from tfface.rendering.rasterize import Rasterization, interpolate, rasterize_orthographic
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.weak_perspective import WeakPerspective


@dataclass(frozen=True)
class PicturedFaces:
    """B faces in the picture plane, and what each pixel sees of them.

    Attributes:
        vertices: `[B, V, 3]` mm, model space.
        normals: `[B, V, 3]` unit, camera space.
        seen: Of each pixel.
    """

    vertices: tf.Tensor
    normals: tf.Tensor
    seen: Rasterization

    @property
    def mask(self) -> tf.Tensor:
        """`[B, S, S, 1]`, 1 where the mesh is seen."""
        return tf.cast(self.seen.mask, tf.float32)[..., None]

    @property
    def height(self) -> tf.Tensor:
        """`[B, S, S, 1]` towards the camera from the origin of the head, pixels; 0 elsewhere."""
        return -self.seen.depth[..., None]


class FaceMapRenderer:
    """The rendering layer of Richardson et al., and the maps that are painted on the mesh.

    Args:
        decoder: Of the face model; its camera is distant.
    """

    def __init__(self, decoder: FaceDecoder) -> None:
        self.decoder = decoder
        x, y, z = decoder.initial_translation
        self.camera = WeakPerspective(decoder.focal_length, (x, y, z))
        self.triangles = decoder.normals.topology.triangles

    def see(self, parts: Mapping[str, tf.Tensor], size: int) -> PicturedFaces:
        """Draws faces by a z-buffer, eq. (5) to (7): gradients reach the code through the depth.

        Args:
            parts: `identity`, `expression` `[B, K]`, `rotation` and `translation` `[B, 3]`.
            size: S, pixels.
        """
        decoder = self.decoder
        vertices = decoder.face_model.vertices(parts["identity"], parts["expression"])
        rotation = rotation_matrix(parts["rotation"])
        points = self.camera.to_picture(rotate(vertices, rotation), parts["translation"], size)
        seen = rasterize_orthographic(points, self.triangles, size, size, gradients="fixed")
        return PicturedFaces(vertices, rotate(decoder.normals(vertices), rotation), seen)

    def feedback(self, faces: PicturedFaces) -> tf.Tensor:
        """PNCC and normal map (section 3.2.1), `[B, S, S, 6]` in [0, 1], 0 where no face is.

        Each pixel tells where on the mean face it lies (each axis stretched to [0, 1]) and, as a
        colour, the normal there. No gradient flows through them.
        """
        model = self.decoder.face_model
        identity, expression, _ = model.modes
        mean = model.vertices(tf.zeros([1, identity]), tf.zeros([1, expression]))
        places = tf.broadcast_to(normalized_coordinates(mean), tf.shape(faces.vertices))
        painted = tf.stop_gradient(tf.concat([places, faces.normals], axis=-1))
        maps = interpolate(painted, faces.seen, self.triangles)
        normals = tf.math.l2_normalize(maps[..., 3:], axis=-1, epsilon=1e-12)
        pixels = tf.concat([maps[..., :3], (normals + 1.0) / 2.0], axis=-1)
        return tf.stop_gradient(pixels * faces.mask)

    def paint(self, values: tf.Tensor, faces: PicturedFaces) -> tf.Tensor:
        """Maps `[B, S, S, C]` of what vertices have, `[V, C]`, as constants."""
        count = tf.shape(faces.vertices)[0]
        return tf.stop_gradient(
            interpolate(tf.tile(values[None], [count, 1, 1]), faces.seen, self.triangles)
        )
