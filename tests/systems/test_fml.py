"""FML: persons, missing pictures, the losses, what each stage learns, and several photos of one."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfface.config import ConfigError, FMLConfig, SyntheticConfig, load_config
from tfface.data.code_samplers import FaceSampler
from tfface.data.face_records import FaceRecord
from tfface.data.person_records import encode_person
from tfface.data.records import write_serialized
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.systems import build_system
from tfface.systems.fml import FML, present_frames

SIZE, FRAMES = 64, 2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(repository: Path) -> FMLConfig:
    small = [f"model.image_size={SIZE}", f"model.frames={FRAMES}", "data.synthetic.corpus=8"]
    steps = ["training.steps_per_epoch=2", "training.epochs=1", "joint.epochs=1"]
    file = repository / "configs/fml_quickstart.yaml"
    config = load_config(file, [*small, *steps, "data.synthetic.supersampling=1"])
    assert isinstance(config, FMLConfig)
    return config


def make() -> FML:
    model = load_default_face_model("coarse")
    return FML.of_model(model, SIZE, nodes=64, identity=4, albedo=3, frames=FRAMES)


@pytest.fixture(scope="module")
def system() -> FML:
    """Its last layers, which start at zero, know a little."""
    system, random = make(), np.random.default_rng(0)
    for head in (system.multi_frame.identity_head, system.multi_frame.frame_head):
        for part in head.parts:
            part.kernel.assign(0.01 * random.standard_normal(part.kernel.shape))
    return system


@pytest.fixture(scope="module")
def batch(system: FML, config: FMLConfig) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    return next(iter(system.training_batches(config.data, 3, seed=1)))


def test_frames_of_a_person_share_identity_and_reflectance() -> None:
    model = load_default_face_model("coarse")
    sampler = FaceSampler(model, FaceDecoder.of_model(model, SIZE), SyntheticConfig(), frames=4)
    parts = sampler.layout.split(sampler.draw(8, tf.constant([1, 2])))
    for name, part in parts.items():
        persons = np.reshape(part, [2, 4, -1])
        alike = np.abs(persons - persons[:, :1]).max()
        assert (alike == 0) == (name in ("identity", "albedo")), name
        assert np.abs(persons[0] - persons[1]).max() > 0.1, name
    with pytest.raises(ValueError, match="count: expected a multiple of 4 frames, got 6"):
        sampler.draw(6, tf.constant([1, 2]))


def test_the_same_pictures_of_drawn_persons_are_shown_fewer_at_a_time(
    system: FML, config: FMLConfig
) -> None:
    unlimited = config.data.synthetic.model_copy(update={"corpus": None})  # thus not shuffled
    data = config.data.model_copy(update={"synthetic": unlimited})
    model = config.model.model_copy(update={"frames": 1, "drawn_frames": FRAMES})
    single = build_system(config.model_copy(update={"model": model}))
    together, _ = next(iter(system.training_batches(data, 2, seed=1)))
    alone, _ = next(iter(single.training_batches(data, 2 * FRAMES, seed=1)))
    np.testing.assert_array_equal(tf.reshape(together, alone.shape), alone)


def test_shuffling_keeps_persons_together(system: FML, config: FMLConfig) -> None:
    """A drawn corpus of four persons, eight batches: each picture stays beside the same other."""
    beside: dict[bytes, set[bytes]] = {}
    for images, _ in system.training_batches(config.data, 2, seed=1).take(8):
        for person in images.numpy():
            beside.setdefault(person[0].tobytes(), set()).add(person[1].tobytes())
    assert len(beside) == 4
    assert all(len(others) == 1 for others in beside.values())


def test_a_resumed_stream_goes_on(system: FML, config: FMLConfig) -> None:
    straight = [
        t["landmarks"].numpy() for _, t in system.training_batches(config.data, 3, 1).take(4)
    ]
    again = [
        t["landmarks"].numpy() for _, t in system.training_batches(config.data, 3, 1, 2).take(2)
    ]
    np.testing.assert_array_equal(again, straight[2:])


def test_a_black_picture_is_missing(system: FML, batch) -> None:
    """It changes neither its person's code nor any term, whatever its targets say."""
    images, targets = batch
    one = {name: value[:, :1] for name, value in targets.items()}
    expected = system.loss_terms(images[:, :1], one, system(images[:, :1]))
    padded = tf.concat([images[:, :1], tf.zeros_like(images[:, :1])], axis=1)
    np.testing.assert_array_equal(present_frames(padded), [[1, 0]] * 3)
    found = system.loss_terms(padded, targets, system(padded))
    for name, term in expected.items():
        np.testing.assert_allclose(found[name], term, rtol=1e-3, atol=1e-7, err_msg=name)


def test_a_face_that_looks_like_its_picture_has_no_photometric_error(system: FML, batch) -> None:
    images, _ = batch
    parts = {name: part[:, 0] for name, part in system(images).items()}
    face = system.decoder(parts)
    grey = {**face, "colours": tf.fill(face["colours"].shape, 0.4)}
    same, brighter = tf.fill(images[:, 0].shape, 0.4), tf.fill(images[:, 0].shape, 0.5)
    np.testing.assert_allclose(system.photometric_error(same, grey), 0.0, atol=1e-10)
    np.testing.assert_allclose(system.photometric_error(brighter, grey), 3 * 0.01, rtol=1e-4)


def test_gradients_reach_the_face_model_and_both_heads(system: FML, batch) -> None:
    images, targets = batch
    with tf.GradientTape() as tape:
        terms = system.loss_terms(images, targets, system(images, training=True))
        loss = tf.add_n(list(terms.values()))
    names = [variable.path for variable in system.trainable_variables]
    gradients = tape.gradient(loss, [v.value for v in system.trainable_variables])
    for name, gradient in zip(names, gradients, strict=True):
        assert gradient is not None, name
    largest = {n: float(np.abs(g).max()) for n, g in zip(names, gradients, strict=True)}
    for part in ("node_basis", "albedo_mean", "albedo_basis", "identity_head", "frame_head"):
        assert max(value for name, value in largest.items() if part in name) > 0, part


def test_each_stage_learns_what_it_should(config: FMLConfig, tmp_path: Path) -> None:
    """Identity waits for the second stage; in the third reflectance is ten times as fast."""
    system = make()
    optimizer = system.make_optimizer(config)
    system.compile(optimizer=optimizer)
    first, second, third = system.stages(config, tmp_path)
    assert [(s.first, s.end) for s in (first, second, third)] == [(0, 1), (1, 2), (2, 3)]
    images, _ = next(iter(first.make_batches(0)))
    model = system.face_model
    before = [getattr(model, name).numpy() for name in ("node_basis", "albedo_mean")]
    system.fit(first.make_batches(0), steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(system(images)["identity"], np.zeros((4, FRAMES, 4)))
    np.testing.assert_array_equal(model.node_basis, before[0])
    assert np.abs(model.albedo_mean.numpy() - before[1]).max() > 0
    system.fit(second.make_batches(0), steps_per_epoch=2, verbose=0)
    assert np.abs(system(images)["identity"]).max() > 0
    factor = optimizer.multipliers["albedo_basis"]
    assert [float(factor(step)) for step in (0, 3, 4)] == [1.0, 1.0, 10.0]


def test_one_identity_for_several_photos_of_one_person(system: FML, batch) -> None:
    photos = batch[0][0]
    together = system.layout.split(system.together(photos))
    alone = system.layout.split(system.together(photos[:1]))
    np.testing.assert_array_equal(together["identity"][0], together["identity"][1])
    missing = tf.concat([photos[:1], tf.zeros_like(photos[:1])], axis=0)
    np.testing.assert_allclose(
        system.together(missing)[0], system.together(photos[:1])[0], atol=1e-4
    )
    assert np.abs(together["rotation"][0] - together["rotation"][1]).max() > 1e-4
    np.testing.assert_allclose(alone["identity"], system(photos[:1])["identity"], atol=1e-5)


def test_records_and_drawn_persons_share_a_batch(
    system: FML, config: FMLConfig, tmp_path: Path
) -> None:
    picture = cv2.imencode(".png", np.full((90, 90, 3), 128, np.uint8))[1].tobytes()
    points, crop = np.full((68, 2), 30.0), np.array([0.0, 0, 90, 90])
    one = FaceRecord(picture, 1.5, points, np.ones(68), crop, "photo", "ada", (90, 90))
    write_serialized(tmp_path / "ada.tfrecord", [encode_person([one])])  # of one photo
    data = config.data.model_copy(update={"records": [str(tmp_path)], "records_fraction": 0.34})
    images, targets = next(iter(system.training_batches(data, 3, seed=1)))
    assert images.shape == (3, FRAMES, SIZE, SIZE, 3)
    np.testing.assert_array_equal(present_frames(images), [[1, 0], [1, 1], [1, 1]])
    assert targets["confidence"].numpy()[0, 1].max() == 0
    with pytest.raises(ConfigError, match="validation_records: expected at least a batch of 3"):
        system.validation_batches(
            data.model_copy(update={"validation_records": [str(tmp_path)]}), 3, seed=1
        )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model.frames=3", "model.frames: expected 1, 2, 4, 8 or 16"),
        ("model.drawn_frames=2", "drawn_frames: at least the 4 of frames, got 2"),
        ("data.augmentation.mirror=0.5", "which would mirror a person's pictures singly"),
        ("data.synthetic.records=[corpus]", "which have one picture of each person"),
    ],
)
def test_what_persons_cannot_be_made_of(repository: Path, change: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_config(repository / "configs/fml_quickstart.yaml", [change])


def test_more_nodes_than_vertices(repository: Path) -> None:
    config = load_config(repository / "configs/fml_quickstart.yaml", ["model.nodes=90000"])
    with pytest.raises(ConfigError, match=r"model\.nodes: expected from 9 to \d+ .*got 90000"):
        build_system(config)


def test_a_configuration_without_a_face_model_exports_what_it_trains(tmp_path: Path) -> None:
    (tmp_path / "fml.yaml").write_text("system: fml\noutput: run\n")
    face_model = load_config(tmp_path / "fml.yaml").face_model
    assert face_model.detail == face_model.exported == "coarse"


def test_the_export_draws_the_mesh_of_training(repository: Path) -> None:
    with pytest.raises(ConfigError, match="face_model: .*exported: coarse, as reflectance"):
        load_config(repository / "configs/fml_quickstart.yaml", ["face_model.exported=fine"])
