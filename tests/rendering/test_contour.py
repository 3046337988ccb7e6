"""Jaw landmarks on an ellipsoid head, whose outline is known in closed form."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tfface.rendering.contour import contour_landmarks

RADII = np.array([75.0, 110.0, 85.0])
INWARD = 25  # candidates of a row, from the frontal outline towards the middle of the face
DISTANCE = 4000.0


@pytest.fixture(scope="module")
def head():
    """Vertices (17 * INWARD + 51, 3): row k runs over the cheek at one place of the jaw."""
    around = np.linspace(0, np.pi, 17)  # from the right temple under the chin to the left one
    forward = np.radians(np.linspace(0, 72, INWARD))
    x = -np.cos(around)[:, None] * np.cos(forward)
    y = -np.sin(around)[:, None] * np.cos(forward)
    z = np.broadcast_to(np.sin(forward), x.shape)
    jaw = np.stack([x, y, z], -1).reshape(-1, 3)
    unit = np.concatenate([jaw, np.tile([[0.0, 0, 1]], (51, 1))])
    normals = unit / RADII
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    contour = np.arange(17 * INWARD).reshape(17, INWARD).astype(np.int32)
    landmarks = np.concatenate([contour[:, 0], 17 * INWARD + np.arange(51)]).astype(np.int32)
    return unit * RADII, normals, landmarks, contour


def choose(head, yaw, pitch, roll):
    vertices, normals, landmarks, contour = head
    turn = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    posed = vertices @ turn.T + [0, 0, -DISTANCE]
    chosen = contour_landmarks(posed[None], (normals @ turn.T)[None], landmarks, contour)[0].numpy()
    slid = chosen[:17] - contour[:, 0]
    facing = np.abs(((normals @ turn.T)[chosen[:17]] * posed[chosen[:17]]).sum(-1)) / DISTANCE
    return chosen, slid, facing


def test_frontal_head_keeps_its_landmarks(head):
    chosen, slid, _ = choose(head, 0, 0, 0)
    assert slid.max() <= 1  # perspective hides a sliver
    np.testing.assert_array_equal(chosen[17:], head[2][17:])


@pytest.mark.parametrize("yaw", [20, 35, 50])
def test_far_cheek_slides_to_the_outline_and_near_cheek_stays(head, yaw):
    # A positive yaw turns the face to the picture's right: the subject's left cheek is far.
    _, slid, facing = choose(head, yaw, 0, 0)
    assert (slid[:8] == 0).all()
    assert (slid[10:] > 0).all()
    assert facing[9:].max() < 0.07  # 72 / 24 = 3 degrees between candidates
    _, mirrored, _ = choose(head, -yaw, 0, 0)
    np.testing.assert_array_equal(mirrored, slid[::-1])


def test_tilting_the_picture_changes_nothing(head):
    _, upright, _ = choose(head, 30, 0, 0)
    for tilt in (-60, 25, 90):
        _, tilted, _ = choose(head, 30, 0, tilt)
        np.testing.assert_array_equal(tilted, upright)


def test_chin_slides_when_the_head_looks_up(head):
    _, up, _ = choose(head, 0, -25, 0)
    _, down, _ = choose(head, 0, 25, 0)
    assert up[8] == 0 or down[8] == 0
    assert max(up[8], down[8]) > 0


def test_choice_is_a_constant_for_the_gradient(head):
    vertices, normals, landmarks, contour = head
    points = tf.Variable(vertices[None] + [0, 0, -DISTANCE])

    @tf.function
    def total():
        chosen = contour_landmarks(points, tf.constant(normals[None]), landmarks, contour)
        return tf.reduce_sum(tf.gather(points, chosen, batch_dims=1))

    with tf.GradientTape() as tape:
        value = total()
    gradient = tf.convert_to_tensor(tape.gradient(value, points)).numpy()
    assert gradient.sum() == pytest.approx(68 * 3)


def test_wrong_contour(head):
    vertices, normals, landmarks, contour = head
    with pytest.raises(ValueError, match="contour: expected shape"):
        contour_landmarks(vertices[None], normals[None], landmarks, contour[:16])
