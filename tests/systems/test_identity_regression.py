"""Identity regression: which loss sees which faces, its stages, and what it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from skimage.data import astronaut

from tfface.config import (
    IdentityLossesConfig,
    IdentityRegressionConfig,
    SyntheticConfig,
    load_config,
)
from tfface.data.chips import crop_chip
from tfface.data.detection import FaceDetector
from tfface.data.face_records import make_record
from tfface.data.records import write_shard
from tfface.files import kept
from tfface.losses.recognition import cosine_score
from tfface.morphable.default import load_default_face_model
from tfface.systems.face_views import draw_views, frontal_views
from tfface.systems.identity_regression import IdentityRegression
from tfface.systems.recognition_features import (
    RECORD_SIZE,
    feature_batches,
    photo_features,
)

SIZE = 112
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> IdentityRegression:
    losses = IdentityLossesConfig(
        shape=1.0, texture=2.0, identity=3.0, batch_distribution=0.5, loopback=0.1, views=2, faces=2
    )
    return IdentityRegression.of_model(load_default_face_model("coarse"), SIZE, losses=losses)


@pytest.fixture(scope="module")
def faces(system: IdentityRegression) -> dict[str, np.ndarray]:
    return system.draw_faces(SyntheticConfig(), 16, seed=0)


def test_drawn_faces_alone_see_the_parameter_loss(system, faces) -> None:
    terms = system.loss_terms(faces["features"], {"code": faces["code"]}, system(faces["features"]))
    assert list(terms) == ["parameter"]
    identity, albedo = system.layout.split(faces["code"]).values()
    # Before training every face is the mean face, all zeros.
    expected = np.square(identity).sum(axis=1) + 2.0 * np.square(albedo).sum(axis=1)
    assert float(terms["parameter"]) == pytest.approx(expected.mean(), rel=1e-5)


def test_photos_see_every_other_loss(system, faces) -> None:
    targets = {"code": faces["code"][:4], "drawn": faces["features"][:4]}
    features = tf.constant(faces["features"][4:8])
    with tf.GradientTape() as tape:
        parts = {name: tf.zeros([4, part.size]) for name, part in system.layout.parts.items()}
        tape.watch(parts)
        terms = system.loss_terms(features, targets, parts)
        of_photos = terms["identity"] + terms["batch_distribution"] + terms["loopback"]
    assert set(terms) == {"parameter", "batch_distribution", "identity", "loopback"}
    gradients = tape.gradient(of_photos, parts)
    for name in parts:
        assert (np.abs(gradients[name][:2].numpy()).max(axis=1) > 0).all(), name
    # Equal faces have mean 0, variance 0: |0|^2 + |0 - 1|^2 of all modes.
    modes = sum(part.size for part in system.layout.parts.values())
    assert float(terms["batch_distribution"]) == pytest.approx(0.5 * modes)
    assert 0 < float(terms["identity"]) < 3.0 * 1.0


def test_the_loopback_teaches_on_both_paths(system, faces) -> None:
    """Its gradient is that on the code, and that through the picture of it; eq. (3) of the two."""
    for number, variable in enumerate(system.regressor.trainable_variables):
        noise = 0.05 * tf.random.stateless_normal(variable.shape, [number, 2])
        variable.assign(variable + noise)
    targets = {"code": faces["code"][:2], "drawn": faces["features"][:2]}
    photos = tf.constant(faces["features"][2:4])
    before = {name: tf.identity(part) for name, part in system(photos).items()}
    assert min(float(tf.reduce_min(tf.norm(part, axis=1))) for part in before.values()) > 0.1
    variables = system.regressor.trainable_variables

    def gradients(code_moves: bool, picture_moves: bool) -> tuple[dict, list]:
        system.random.state.assign([0, 0])  # the same views
        with tf.GradientTape() as tape:
            tape.watch(before)
            still = {name: tf.stop_gradient(part) for name, part in before.items()}
            features = system.see(before if picture_moves else still)
            again = system(features[:2], training=True)
            code = system.layout.join(before if code_moves else still)
            loss = 0.1 * tf.reduce_mean(system.parameter_loss(code, again))
        return tape.gradient(loss, (before, variables))

    system.random.state.assign([0, 0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(before)
        terms = system.loss_terms(photos, targets, before)
    found, on_regressor = tape.gradient(terms["loopback"], (before, variables))
    on_code, _ = gradients(code_moves=True, picture_moves=False)
    on_picture, expected = gradients(code_moves=False, picture_moves=True)
    for name in before:
        np.testing.assert_allclose(
            found[name], on_code[name] + on_picture[name], rtol=1e-3, atol=1e-5
        )
        assert np.abs(on_code[name]).max() > 1e-3
        assert np.abs(on_picture[name]).max() > 1e-3
    for one, other in zip(on_regressor, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert tape.gradient(terms["parameter"], list(before.values())) == [None, None]


def test_a_face_is_nearer_to_its_photo_than_another(system, faces) -> None:
    """The identity loss of the true codes is below that of other people's."""
    system.random.state.assign([0, 0])
    parts = system.layout.split(tf.constant(faces["code"][:2]))
    others = system.layout.split(tf.constant(faces["code"][2:4]))
    targets = {"code": faces["code"][:2], "drawn": faces["features"][:2]}
    photos = tf.constant(faces["features"][:2])
    own = system.loss_terms(photos, targets, parts)["identity"]
    assert float(own) < float(system.loss_terms(photos, targets, others)["identity"])


def test_weights_of_zero_switch_terms_off(faces) -> None:
    losses = IdentityLossesConfig(loopback=0.0, views=1, faces=1)
    system = IdentityRegression.of_model(load_default_face_model("coarse"), SIZE, losses=losses)
    targets = {"code": faces["code"][:2], "drawn": faces["features"][:2]}
    photos = tf.constant(faces["features"][:2])
    assert "loopback" not in system.loss_terms(photos, targets, system(photos))


def test_only_the_regressor_is_trained(system) -> None:
    trained = {variable.path for variable in system.trainable_variables}
    assert trained == {variable.path for variable in system.regressor.trainable_variables}
    assert len(trained) == 3 * 2  # kernels and biases of two hidden layers and the code


def test_one_photo_together_is_that_photo(system, faces) -> None:
    for variable in system.regressor.trainable_variables:
        variable.assign(variable + 0.02 * tf.random.stateless_normal(variable.shape, [0, 1]))
    chips = faces["chips"][:3]
    alone = system.encoder(chips, training=False).numpy()
    np.testing.assert_allclose(system.together(chips[:1], training=False)[0], alone[0], atol=1e-4)
    both = system.together(chips, training=False).numpy()
    np.testing.assert_allclose(system.together(chips[::-1], training=False), both, atol=1e-4)
    assert both.shape == (1, system.layout.size)
    assert np.abs(both - alone).max() > 1e-3


def test_views_vary_and_keep_the_face_in_the_chip(system, faces) -> None:
    code = tf.tile(faces["code"][:1], [6, 1])
    chips = system.draw(system.layout.split(code), draw_views(6, tf.constant([1, 2]))).numpy()
    front = system.draw(system.layout.split(code), frontal_views(6)).numpy()
    np.testing.assert_allclose(front[0], front[5], atol=1e-6)
    assert np.abs(chips[0] - chips[1]).mean() > 0.05
    person, others = (
        system.embedding(system.features(pictures)).numpy() for pictures in (chips, faces["chips"])
    )
    apart = np.linalg.norm(person[0] - person[1:], axis=1).mean()
    assert apart < 0.9 * np.linalg.norm(person[0] - others[1:], axis=1).mean()


@pytest.fixture(scope="module")
def config(repository: Path) -> IdentityRegressionConfig:
    file = repository / "configs" / "identity_regression_quickstart.yaml"
    small = [f"model.image_size={SIZE}", "data.synthetic.corpus=8", "training.batch_size=4"]
    config = load_config(file, small)
    assert isinstance(config, IdentityRegressionConfig)
    return config


def test_stages_and_their_features(system, config, tmp_path: Path) -> None:
    first, second = system.stages(config, tmp_path)
    assert (first.first, first.end, second.end) == (0, 6, 7)
    features, targets = next(iter(first.make_batches(0)))
    assert set(targets) == {"code"}
    photos, both = next(iter(second.make_batches(0)))
    assert set(both) == {"code", "drawn"}
    assert photos.shape == features.shape == both["drawn"].shape == (4, 256)
    assert {path.name for path in (tmp_path / "features").iterdir()} == {"drawn.npz", "photos.npz"}
    with np.load(tmp_path / "features" / "drawn.npz") as drawn:
        rows = [np.abs(drawn["features"] - f).sum(axis=1).argmin() for f in features.numpy()]
        np.testing.assert_array_equal(drawn["code"][rows], targets["code"])


def test_photos_are_seen_as_at_inference(system, config, tmp_path: Path) -> None:
    """Cut out of a record and cut out of the photo: the same face to the network."""
    image = astronaut()
    face = FaceDetector().detect(image)[0]
    record = make_record(image, face, RECORD_SIZE)
    write_shard(tmp_path / "photos.tfrecord", [record])
    records = [str(tmp_path / "photos.tfrecord")]
    from_record = photo_features(system.features, records, SIZE)["features"]
    chip = crop_chip(image, face.landmarks, SIZE)[None] / np.float32(255)
    np.testing.assert_allclose(cosine_score(from_record, system.features(chip)), 1.0, atol=0.005)
    changed = config.model_dump()
    changed["unsupervised"]["records"] = records
    _, second = system.stages(type(config)(**changed), tmp_path / "run")
    photos, _ = next(iter(second.make_batches(0)))
    np.testing.assert_allclose(photos, np.tile(from_record, (4, 1)), rtol=1e-5)


def test_batches_are_a_function_of_seed_and_step() -> None:
    random = np.random.default_rng(0)
    drawn = {"code": random.random((30, 3)), "features": random.random((30, 5))}
    photos = random.random((20, 5))
    whole = list(feature_batches(photos, drawn, 4, 6, seed=3, first_step=0).take(5))
    later = next(iter(feature_batches(photos, drawn, 4, 6, seed=3, first_step=4)))
    tf.nest.map_structure(np.testing.assert_array_equal, whole[4], later)
    other = next(iter(feature_batches(photos, drawn, 4, 6, seed=4, first_step=4)))
    assert not np.array_equal(other[0], later[0])


def test_features_are_kept_as_long_as_their_settings(tmp_path: Path) -> None:
    file, made = tmp_path / "features" / "some.npz", []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"values": np.full(3, len(made))}

    for settings in ("a", "a", "b"):
        found = kept(file, settings, True, make)
    assert found["values"][0] == len(made) == 2
    assert set(found) == {"values"}
    file.write_bytes(file.read_bytes()[:40])  # a killed disk
    assert kept(file, "b", True, make)["values"][0] == 3
    (tmp_path / "features" / "other.npz").write_bytes(b"")
    assert kept(tmp_path / "features" / "other.npz", "b", False, make)["values"][0] == 4
    assert (tmp_path / "features" / "other.npz").read_bytes() == b""
