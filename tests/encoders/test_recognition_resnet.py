"""The recognition network is dlib's: layers, weights, alignment."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from skimage.data import astronaut

from tests.encoders.dlib_files import random_layers, write_dlib_file
from tfface.data.chips import crop_chip
from tfface.data.detection import FaceDetector
from tfface.encoders import WeightsError, build_encoder, load_published_weights
from tfface.encoders.recognition_resnet import CHIP_SIZE, MEAN_RGB, load_recognition_resnet
from tfface.rendering.chip_alignment import CHIP_LANDMARKS, CHIP_POINTS, align_to_chip, similarity


@pytest.fixture(scope="module")
def network():
    return load_recognition_resnet()


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    image = astronaut()
    return image, FaceDetector().detect(image)[0].landmarks


def published_weights() -> Path:
    """dlib's file, where the package that carries it is installed."""
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or found.origin is None:
        pytest.skip("needs the package face_recognition_models")
    folder = Path(found.origin).parent / "models"
    return folder / "dlib_face_recognition_resnet_model_v1.dat"


def chips(face) -> np.ndarray:
    image, landmarks = face
    random = np.random.default_rng(0).integers(0, 256, (2, CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    return np.concatenate([random, crop_chip(image, landmarks, CHIP_SIZE)[None]])


def test_descriptors_are_dlibs(face) -> None:
    """Within 1e-4 of the reference implementation, with the weights as they are published."""
    dlib = pytest.importorskip("dlib")
    path = published_weights()
    reference = dlib.face_recognition_model_v1(str(path))
    network = build_encoder("recognition_resnet", CHIP_SIZE)
    load_published_weights(network, path)
    pictures = chips(face)
    expected = np.stack([np.array(reference.compute_face_descriptor(p)) for p in pictures])
    np.testing.assert_allclose(network(pictures / np.float32(255)), expected, atol=1e-4)


def test_shipped_descriptors_are_those_of_the_reference(network, face) -> None:
    """Numbers that dlib 20.0.1 computed for the same chips; the shipped weights are float16."""
    descriptors = np.asarray(network(chips(face) / np.float32(255)))
    expected = np.load(Path(__file__).parent / "dlib_descriptors.npy")
    np.testing.assert_allclose(descriptors, expected, atol=1e-3)


def test_convolutions_with_their_affine_layers(tmp_path: Path) -> None:
    layers, dense = random_layers(), np.random.default_rng(4).standard_normal((256, 128))
    network = build_encoder("recognition_resnet", CHIP_SIZE)
    load_published_weights(network, write_dlib_file(tmp_path / "network.dat", layers, dense))
    picture = np.random.default_rng(5).random((1, CHIP_SIZE, CHIP_SIZE, 3), np.float32)
    stem = tf.keras.Model(network.input, network.get_layer("conv1").output)
    kernel, bias, scale, shift = layers[0]
    centred = (255 * picture - np.array(MEAN_RGB)) / 256
    expected = tf.nn.conv2d(centred, kernel.transpose(2, 3, 1, 0), 2, "VALID") + bias
    expected = np.maximum(expected * scale + shift, 0)
    np.testing.assert_allclose(stem(picture), expected, atol=1e-4)
    np.testing.assert_allclose(network.get_layer("fc").kernel, dense, rtol=1e-6)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[: len(b) // 2], "expected a network of dlib"),
        (lambda b: b"nothing of the kind", "no layers"),
        (lambda b: b.replace(b"\x01\x02\x02", b"\x01\x03\x02", 1), "version 3"),
    ],
)
def test_damaged_files(tmp_path: Path, damage, message: str) -> None:
    layers, dense = random_layers(), np.ones((256, 128))
    path = write_dlib_file(tmp_path / "network.dat", layers, dense)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match=message):
        load_published_weights(build_encoder("recognition_resnet", CHIP_SIZE), path)


def test_gradients_reach_the_picture(network, face) -> None:
    picture = tf.constant(chips(face)[2:] / np.float32(255))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        size = tf.norm(network(picture))
    gradient = tape.gradient(size, picture).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-4
    step = 0.5 * gradient / np.abs(gradient).max()
    nearby = tf.norm(network(picture + 1e-2 * step)) - tf.norm(network(picture - 1e-2 * step))
    assert float(nearby) == pytest.approx(2e-2 * float((gradient * step).sum()), rel=0.1)


def test_other_photos_of_a_face_are_nearer_than_other_faces(network, face) -> None:
    image, landmarks = face
    chip = crop_chip(image, landmarks, CHIP_SIZE)
    darker = (0.6 * chip).astype(np.uint8)
    stranger = np.random.default_rng(0).integers(0, 256, chip.shape, np.uint8)
    a, b, c = np.asarray(network(np.stack([chip, darker, stranger]) / np.float32(255)))
    assert np.linalg.norm(a - b) < 0.3 < 0.6 < np.linalg.norm(a - c)


def test_chips_are_where_dlib_cuts_them(face) -> None:
    dlib = pytest.importorskip("dlib")
    image, landmarks = face
    points = [dlib.point(*np.round(p).astype(int).tolist()) for p in landmarks[[*CHIP_LANDMARKS]]]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), points)
    theirs = dlib.get_face_chip(image, shape, CHIP_SIZE, 0.25).astype(np.float32)
    apart = {
        shift: np.abs(
            np.roll(crop_chip(image, landmarks, CHIP_SIZE), shift, axis=(0, 1)) - theirs
        ).mean()
        for shift in ((0, 0), (0, 3), (0, -3), (3, 0), (-3, 0))
    }
    assert min(apart, key=apart.__getitem__) == (0, 0)
    assert apart[0, 0] < 8


def test_chips_turn_with_the_photo(face) -> None:
    image, landmarks = face
    turned = np.ascontiguousarray(np.rot90(image))
    points = np.stack([landmarks[:, 1], image.shape[1] - landmarks[:, 0]], axis=-1)
    upright = crop_chip(image, landmarks, CHIP_SIZE).astype(float)
    assert np.abs(crop_chip(turned, points, CHIP_SIZE) - upright).mean() < 3


def test_similarity_is_least_squares() -> None:
    random = np.random.default_rng(0)
    points = random.standard_normal((4, 5, 2)).astype(np.float32)
    turn, shift = np.array([[0.6, -0.8], [0.8, 0.6]]) * 1.7, np.array([3.0, -2.0])
    exact = points @ turn.T + shift
    found = similarity(points, tf.constant(exact, tf.float32)).numpy()
    np.testing.assert_allclose(found, np.tile(np.c_[turn, shift], (4, 1, 1)), atol=1e-5)
    noisy = (exact + random.standard_normal(exact.shape)).astype(np.float32)

    def misfit(a: np.ndarray) -> float:
        moved = np.einsum("bij,bpj->bpi", a[..., :2], points) + a[:, None, :, 2]
        return float(((moved - noisy) ** 2).sum())

    best = similarity(points, tf.constant(noisy)).numpy()
    for change in ([[1, 0, 0], [0, 1, 0]], [[0, -1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]]):
        for sign in (-1e-2, 1e-2):
            assert misfit(best + sign * np.array(change)) > misfit(best)


def test_aligned_faces_are_seen_as_chips() -> None:
    random = np.random.default_rng(1)
    points = random.standard_normal((3, 68, 3)) * [40, 50, 5] + [30, -20, -900]
    landmarks = tf.constant(points, tf.float32)
    moved = align_to_chip(landmarks, landmarks, 3.0).numpy()
    np.testing.assert_allclose(moved[..., 2], points[..., 2], rtol=1e-6)
    seen = 0.5 + 3.0 * moved[..., :2] * [1, -1] / -moved[..., 2:]
    before = 0.5 + 3.0 * points[..., :2] * [1, -1] / -points[..., 2:]
    found = similarity(tf.constant(seen[:, CHIP_LANDMARKS, :], tf.float32), CHIP_POINTS).numpy()
    np.testing.assert_allclose(found, np.tile(np.eye(2, 3), (3, 1, 1)), atol=1e-3)
    shape = similarity(tf.constant(before, tf.float32), tf.constant(seen, tf.float32)).numpy()
    again = np.einsum("bij,bpj->bpi", shape[..., :2], before) + shape[:, None, :, 2]
    np.testing.assert_allclose(again, seen, atol=1e-3)  # nothing but a similarity
