"""Weak perspective: a pose of six numbers, and the distant camera that sees the same.

Eq. (2) of Richardson et al. 2017: a face is turned, scaled and shifted in the picture. A camera
that is a hundred metres away with a focal length to match draws that picture, to some tenths of a
pixel at most, so what is written for perspective cameras serves both.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfface.rendering.rotations import quaternion_axis_angle, rotation_matrix

FAR = 450.0  # sides of the picture: a focal length of which nothing is left of perspective
_MILLIMETRES = 1000.0  # in a metre
SHIFT_UNIT = 1 / 3  # sides: a third of a face, as a radian or a doubled size moves its outline


def euler_axis_angle(angles: tf.Tensor) -> tf.Tensor:
    """The rotation of Euler angles: yaw about y first, then pitch about x, then roll about z.

    Args:
        angles: `[..., 3]` pitch, yaw and roll, radians.

    Returns:
        `[..., 3]` axis times angle, radians.
    """
    cosines, sines = tf.cos(angles / 2), tf.sin(angles / 2)
    (a, b, c), (x, y, z) = (tf.unstack(tensor, axis=-1) for tensor in (cosines, sines))
    turned = [a * b, x * b, a * y, x * y]  # pitch after yaw
    roll = [
        c * turned[0] - z * turned[3],
        c * turned[1] - z * turned[2],
        c * turned[2] + z * turned[1],
        c * turned[3] + z * turned[0],
    ]
    return quaternion_axis_angle(tf.stack(roll, axis=-1))


def euler_angles(rotation: tf.Tensor) -> tf.Tensor:
    """The Euler angles of a rotation, for pitches from -90 to 90 degrees.

    Args:
        rotation: `[..., 3, 3]` matrices.

    Returns:
        `[..., 3]` pitch, yaw and roll, radians.
    """
    rotation = tf.convert_to_tensor(rotation)
    pitch = tf.asin(tf.clip_by_value(rotation[..., 2, 1], -1, 1))
    yaw = tf.atan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    roll = tf.atan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    return tf.stack([pitch, yaw, roll], axis=-1)


@dataclass(frozen=True)
class WeakPerspective:
    """The six pose numbers of a picture, and the pose before the distant camera.

    The numbers are normalised: zero is the frontal face in the middle of the picture, as large as
    the crop rule makes it, and a unit of any moves a face's outline about as far. They are pitch,
    yaw, roll (radians), the shift to the right and up (units of `SHIFT_UNIT` sides of the picture)
    and the logarithm of the size.

    Attributes:
        focal_length: Of the distant camera, in sides of the picture.
        centre: `(3,)` camera-space translation of the centred face, mm.
    """

    focal_length: float
    centre: tuple[float, float, float]

    def to_camera(self, pose: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pose numbers `[B, 6]` -> axis-angle rotation and translation (mm), both `[B, 3]`."""
        nearer = tf.exp(-pose[:, 5:])
        # In metres first: TFLite holds constants in half precision, which ends at 65504.
        depth = _MILLIMETRES * (nearer * (-self.centre[2] / _MILLIMETRES))
        shift = SHIFT_UNIT * pose[:, 3:5] * depth / self.focal_length
        across = tf.constant([self.centre[:2]], pose.dtype) * nearer + shift
        return euler_axis_angle(pose[:, :3]), tf.concat([across, -depth], axis=-1)

    def from_camera(self, rotation: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
        """The inverse of `to_camera`: `[B, 6]`."""
        nearer = translation[:, 2:] / self.centre[2]
        away = translation[:, :2] - tf.constant([self.centre[:2]], translation.dtype) * nearer
        shift = away * self.focal_length / (-translation[:, 2:] * SHIFT_UNIT)
        angles = euler_angles(rotation_matrix(rotation))
        return tf.concat([angles, shift, -tf.math.log(nearer)], axis=-1)

    def to_picture(self, points: tf.Tensor, translation: tf.Tensor, size: int) -> tf.Tensor:
        """Turned faces in the picture: eq. (5), all three coordinates in pixels.

        Args:
            points: `[B, V, 3]` mm, turned but not moved.
            translation: `[B, 3]` mm.
            size: Side of the picture, pixels.

        Returns:
            `[B, V, 3]`: x to the right, y down, and the depth: away from the camera, zero at the
            origin of the head.
        """
        scale = pixels_per_mm(translation, self.focal_length, size)[:, None, None]
        x, y, z = tf.unstack(scale * points, axis=-1)
        shift = scale[..., 0] * translation[:, :2]
        return tf.stack([size / 2 + x + shift[:, :1], size / 2 - y - shift[:, 1:], -z], axis=-1)


def pixels_per_mm(translation: tf.Tensor, focal_length: float, size: int) -> tf.Tensor:
    """The scale f of eq. (2), `[B]`, of faces at translations `[B, 3]` before a distant camera."""
    return focal_length * size / -translation[:, 2]
