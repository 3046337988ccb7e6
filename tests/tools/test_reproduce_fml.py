"""The measurements behind the figures of FML."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tfface.config import ConfigError, SyntheticConfig
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.morphable.load import load_face_model

SIZE = 64


@pytest.fixture(scope="module")
def truth():
    return load_default_face_model("coarse")


@pytest.fixture
def draw(tools, truth):
    from fml_evaluation.people import draw_people

    decoder = FaceDecoder.of_model(truth, SIZE)
    return lambda **options: draw_people(truth, decoder, SyntheticConfig(), 3, 2, 5, **options)


class Known:
    """Tells the truth, moved, turned and scaled; its reflectance is the mean of the picture."""

    image_size = SIZE

    def __init__(self, vertices: np.ndarray, further: float = 0.0) -> None:
        self.compared = np.ones(vertices.shape[-2], np.float32)
        turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        self.shapes = iter(1.3 * vertices[:, 0] @ turn + 7.0 + further)

    def regress_together(self, pictures):
        return {"identity": np.zeros((len(pictures), 1))}

    def regress(self, pictures):
        return {"albedo": pictures.mean(axis=(1, 2)) / 255}

    def pose(self, parts):
        albedo = np.repeat(parts["albedo"][:, None], len(self.compared), axis=1)
        visible = np.arange(len(self.compared)) % 3 > 0
        albedo[:, ~visible] = np.nan
        return SimpleNamespace(albedo=albedo, visible=np.repeat(visible[None], len(albedo), 0))

    def observe(self, faces, crops):
        return 2.0 * faces.albedo

    def decode(self, parts):
        return {"vertices": next(self.shapes)[None]}


def test_a_face_known_up_to_place_and_size_has_no_error(tools, draw):
    from fml_evaluation.measures import geometric_errors

    people = draw()
    errors = geometric_errors(Known(people.vertices), people, 2)
    np.testing.assert_allclose(errors, np.zeros(3), atol=1e-4)
    noise = np.random.default_rng(0).normal(size=people.vertices[:, 0].shape)
    noisy = geometric_errors(Known(people.vertices, noise), people, 1)
    np.testing.assert_allclose(noisy, np.sqrt(3) / 1.3, rtol=0.05)  # three coordinates, of sigma 1


def test_people_share_their_identity_or_all_but_the_light(draw):
    people, lit = draw(), draw(light_only=True)
    assert people.pictures.shape == lit.pictures.shape == (3, 2, SIZE, SIZE, 3)
    np.testing.assert_array_equal(lit.vertices[:, 0], lit.vertices[:, 1])
    assert np.abs(people.vertices[:, 0] - people.vertices[:, 1]).max() > 1  # mm, expressions
    apart = np.abs(lit.pictures[:, 0].astype(int) - lit.pictures[:, 1]).max(axis=-1)
    assert np.percentile(apart, 95) > 10 > 2 > np.percentile(apart, 20)  # face and background


def test_light_differences_by_hand(tools, draw):
    """Of reflectances that are the means of the pictures, in a light of 2."""
    from fml_evaluation.measures import light_differences

    people = draw(light_only=True)
    found = light_differences(Known(people.vertices), people)
    means = people.pictures.mean(axis=(2, 3)) / 255
    others = {"one_person": means[:, 1], "two_people": np.roll(means[:, 0], 1, 0)}
    assert set(found) == set(others)
    for name, other in others.items():
        apart = np.linalg.norm(means[:, 0] - other, axis=-1).mean()
        assert found[name]["albedo"] == pytest.approx(apart, rel=1e-5)
        assert found[name]["pictures"] == pytest.approx(2 * apart, rel=1e-5)


def test_a_space_explains_its_own_identities(tools, truth):
    """All modes leave nothing; moving, turning and scaling is free; fewer modes leave more."""
    from fml_evaluation.measures import explained_identities

    face = truth.regions["face"] > 0.5
    codes = np.random.default_rng(1).standard_normal((6, truth.identity.shape[-1]))
    counts = (0, 4, truth.identity.shape[-1])
    errors = explained_identities(truth, truth, face, codes, counts, 100, seed=2)
    assert errors["learned"] == errors["truth"]
    assert errors["truth"][0] > errors["truth"][1] > 10 * errors["truth"][2]
    assert errors["random"][0] == errors["truth"][0] > errors["random"][2] > errors["truth"][2]
    larger = 0.05 * truth.mean + [[3.0, -2.0, 1.0]]
    assert larger.shape == truth.mean.shape
    scaled = type(truth)(
        **{**vars(truth), "identity": larger[..., None], "identity_samples": np.zeros((0, 1))}
    )
    only = explained_identities(scaled, scaled, face, np.ones((2, 1)), (0, 1), 100, seed=2)
    assert only["truth"][0] == pytest.approx(0.0, abs=1e-4)


def test_trainings_see_as_many_pictures_and_refuse_others(tools, tmp_path, monkeypatch):
    from fml_evaluation import trainings
    from tfface.training.run import RunFolder

    started = []

    def train(config, resume):
        started.append(config)
        folder = RunFolder(tmp_path / config.output)
        folder.export.mkdir(parents=True)
        folder.config.write_text(config.to_yaml())

    monkeypatch.setattr(trainings, "train", train)
    runs = trainings.Trainings(tmp_path, "fml_quickstart.yaml", ["joint.epochs=5"], 3)
    for frames in trainings.FRAMES:
        runs.with_frames(frames)
        runs.with_frames(frames)  # is there
    seen = [(c.model.frames, c.model.frames * c.training.batch_size) for c in started]
    assert seen == [(1, 16), (2, 16), (4, 16)]
    assert {c.model.drawn_frames for c in started} == {4}
    runs.with_vectors(8)
    runs.with_vectors(0)
    some, none = started[3:]
    runs.with_frames(2, people=True)
    assert (started[-1].model.frames, started[-1].training.batch_size) == (2, 4)
    assert (some.model.identity, some.model.albedo, some.joint.epochs) == (8, 8, 5)
    assert none.optimizer.multipliers["identity_head"] == 0
    assert (none.training, none.joint) == (some.training, some.joint)
    other = trainings.Trainings(tmp_path, "fml_quickstart.yaml", ["joint.epochs=6"], 3)
    with pytest.raises(ConfigError, match="holds another run"):
        other.with_frames(1)


@pytest.mark.slow
def test_the_whole_of_a_small_run(tools, tmp_path, monkeypatch, capsys):
    """With one training in the place of all."""
    import reproduce_fml
    from fml_evaluation.trainings import Trainings

    overrides = (
        "data.synthetic.corpus=16",
        "model.image_size=64",
        "model.nodes=64",
        "model.identity=4",
        "model.albedo=4",
        "training.epochs=1",
        "training.steps_per_epoch=2",
        "training.batch_size=2",
        "training.validation_steps=1",
        "joint.epochs=1",
        "joint.reflectance_epochs=0",
    )
    size = reproduce_fml.Size("fml_quickstart.yaml", overrides, (2,), 2)
    monkeypatch.setattr(reproduce_fml, "SIZES", {"small": size})
    monkeypatch.setattr(reproduce_fml, "FILM", 2)
    with_frames = Trainings.with_frames
    monkeypatch.setattr(Trainings, "with_frames", lambda self, *_, **__: with_frames(self, 2))
    monkeypatch.setattr(Trainings, "with_vectors", lambda self, _: with_frames(self, 2))
    output = tmp_path / "out"
    arguments = ["reproduce_fml.py", "--size", "small", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert reproduce_fml.main() == 0
    assert "| frames in training |" in capsys.readouterr().out
    results = json.loads((output / "results.json").read_text())
    assert 1 < results["geometry.mean_face.one_mm"] < 6
    for frames in ("1", "2", "4", "1_people", "2_people"):
        assert 0.5 < results[f"geometry.{frames}.one_mm"] < 10
    assert results["vectors.all.photometric"] > 0
    assert results["identities.0.random"] == results["identities.0.truth"] > 1
    for name in ("modes", "lights", "spaces", "film"):
        assert (output / f"{name}.png").stat().st_size > 1000
    assert load_face_model(str(output / "face_model.npz")).vertex_count > 1000
