"""Drawn faces: true to their codes, framed as photos are, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import (
    ConfigError,
    Constant,
    NoiseConfig,
    Normal,
    Samples,
    SyntheticConfig,
)
from tfface.data.code_samplers import CodeNeighbourhood, FaceSampler, MixedSampler
from tfface.data.crop import crop_box
from tfface.data.photos import PhotoError
from tfface.data.synthetic import GROUP, synthetic_faces
from tfface.data.synthetic_rendering import FacePainter
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.sampling import sample_bilinear
from tfface.rendering.spherical_harmonics import sh_shading

SIZE = 64
SETTINGS = SyntheticConfig(supersampling=1)
STILL = Constant(value=0.0)


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def decoder(model) -> FaceDecoder:
    return FaceDecoder.of_model(model, SIZE)


@pytest.fixture(scope="module")
def codes(model, decoder) -> np.ndarray:
    settings = SyntheticConfig(crop_scale=STILL, crop_shift=STILL, yaw=Normal(deviation=15.0))
    return FaceSampler(model, decoder, settings).draw(128, (0, 0)).numpy()


def split(decoder: FaceDecoder, codes: np.ndarray) -> dict[str, np.ndarray]:
    parts = CodeLayout(decoder.code_sizes).split(tf.constant(codes))
    return {name: part.numpy() for name, part in parts.items()}


def paint(model, decoder, codes, **changes: object) -> dict[str, np.ndarray]:
    settings = SETTINGS.model_copy(update=changes)
    painted = FacePainter(model, decoder, settings)(tf.constant(codes), (5, 6))
    return {name: value.numpy() for name, value in painted.items()}


def test_codes_are_in_sigmas(decoder, codes) -> None:
    parts = split(decoder, codes)
    assert parts["identity"].std() == pytest.approx(1.0, abs=0.05)
    assert 0.1 < parts["expression"].std() < 1.5
    assert 0.5 < parts["albedo"].std() < 1.6


def test_faces_are_framed_by_the_crop_rule(codes, decoder) -> None:
    boxes = np.stack([crop_box(p) for p in decoder.landmarks(split(decoder, codes)).numpy()])
    assert np.abs(boxes - [0, 0, SIZE, SIZE]).max() < 0.02 * SIZE


def test_a_crop_scale_moves_the_face_away_about_its_middle(model, decoder, codes) -> None:
    settings = SyntheticConfig(
        crop_scale=Constant(value=0.1), crop_shift=STILL, yaw=Normal(deviation=15.0)
    )
    farther = FaceSampler(model, decoder, settings).draw(128, (0, 0)).numpy()
    boxes = np.stack([crop_box(p) for p in decoder.landmarks(split(decoder, farther)).numpy()])
    sides = boxes[:, 2] - boxes[:, 0]
    np.testing.assert_allclose(sides, SIZE * np.exp(-0.1), rtol=0.02)
    assert np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - SIZE / 2).max() < 0.02 * SIZE


def test_angles_follow_their_distributions(model, decoder) -> None:
    settings = SyntheticConfig(yaw=Constant(value=40.0), pitch=STILL, roll=STILL)
    codes = FaceSampler(model, decoder, settings).draw(3, (0, 0)).numpy()
    expected = [[0.0, np.radians(40.0), 0.0]] * 3
    np.testing.assert_allclose(split(decoder, codes)["rotation"], expected, atol=1e-5)


def test_light_is_not_negative_where_the_face_is(codes, decoder) -> None:
    directions = np.random.default_rng(0).standard_normal((128, 400, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    light = split(decoder, codes)["illumination"]
    shading = sh_shading(tf.constant(directions, tf.float32), tf.constant(light)).numpy()
    assert shading.min() > 0.2
    assert 0.4 < np.median(shading) < 1.3


def test_light_comes_from_where_it_is_said_to(model, decoder) -> None:
    settings = SyntheticConfig(
        light_azimuth=Constant(value=90.0),
        light_elevation=STILL,
        directional=Constant(value=0.5),
    )
    codes = FaceSampler(model, decoder, settings).draw(2, (0, 0)).numpy()
    light = split(decoder, codes)["illumination"]
    left, right = (
        sh_shading(tf.constant([[[x, 0.0, 0.0]]] * 2), tf.constant(light)).numpy()
        for x in (1.0, -1.0)
    )
    assert (left > right + 0.5).all()


def test_neighbours_lie_around_their_codes(codes, decoder) -> None:
    noise = NoiseConfig(identity=0.1, expression=0.3, rotation=4.0)
    layout = CodeLayout(decoder.code_sizes)
    sampler = CodeNeighbourhood(codes[:1], layout, decoder.focal_length, noise)
    drawn = split(decoder, sampler.draw(500, tf.constant([1, 2])).numpy())
    known = split(decoder, codes[:1])
    for name, deviation in (("identity", 0.1), ("expression", 0.3), ("albedo", 0.2)):
        assert (drawn[name] - known[name]).std() == pytest.approx(deviation, rel=0.05)
    turn = rotation_matrix(drawn["rotation"]) @ rotation_matrix(-known["rotation"])
    angle = np.arccos((np.trace(turn, axis1=1, axis2=2) - 1) / 2)
    assert np.sqrt(np.mean(angle**2) / 3) == pytest.approx(np.radians(4.0), rel=0.1)
    depth = drawn["translation"][:, 2] / known["translation"][:, 2]
    assert np.log(depth).std() == pytest.approx(noise.crop_scale, rel=0.1)
    light = drawn["illumination"] - known["illumination"]
    strength = np.sqrt(np.mean(known["illumination"][:, 0] ** 2))
    ambient = light[:, 0].mean(axis=-1).std() / strength  # of all channels
    assert ambient == pytest.approx(noise.illumination, rel=0.1)
    assert light[:, 0].std(axis=-1).mean() < 0.5 * light[:, 0].mean(axis=-1).std()  # hardly tinted
    assert light[:, 4:].std() < 0.4 * light[:, 0].std()


def test_without_noise_neighbours_are_the_codes(codes, decoder) -> None:
    nothing = NoiseConfig(**dict.fromkeys(NoiseConfig.model_fields, 0.0))
    layout = CodeLayout(decoder.code_sizes)
    sampler = CodeNeighbourhood(codes[:1], layout, decoder.focal_length, nothing)
    drawn = sampler.draw(4, tf.constant([1, 2])).numpy()
    np.testing.assert_allclose(drawn, np.repeat(codes[:1], 4, axis=0), rtol=1e-5, atol=1e-5)


def test_a_mixture_has_its_share_of_both() -> None:
    class Fixed:
        def __init__(self, value: float) -> None:
            self.value = value

        def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
            return tf.fill([count, 2], self.value)

    drawn = MixedSampler(Fixed(1.0), Fixed(0.0), 0.3).draw(2000, tf.constant([0, 0])).numpy()
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    assert drawn.mean() == pytest.approx(0.3, abs=0.04)


@pytest.mark.slow
def test_a_bare_face_is_what_the_decoder_draws(model, decoder, codes) -> None:
    painted = paint(model, decoder, codes[:4], hair=0.0)
    parts = split(decoder, codes[:4])
    np.testing.assert_allclose(painted["landmarks"], decoder.landmarks(parts), atol=1e-4)
    face = {name: value.numpy() for name, value in decoder(parts).items()}
    seen = sample_bilinear(painted["image"], face["pixels"]).numpy()
    towards = (face["normals"][..., 2] > 0.7) & (model.regions["face"] > 0.5)
    apart = np.abs(seen - np.clip(face["colours"], 0, 1))[towards]
    assert np.median(apart) < 0.02


@pytest.mark.slow
def test_a_fringe_hides_the_forehead_and_not_the_mouth(model, decoder, codes) -> None:
    bare = paint(model, decoder, codes, hair=0.0)
    fringe = paint(model, decoder, codes, hair=1.0, fringe=1.0, hair_line=Constant(value=0.3))
    landmarks, faces = bare["landmarks"].astype(int), np.arange(len(codes))
    change = np.abs(fringe["image"] - bare["image"]).mean(axis=-1)
    brow = landmarks[:, [19, 24]].mean(axis=1).astype(int)
    lip = landmarks[:, 62]
    above = np.maximum(brow[:, 1] - SIZE // 8, 0)
    assert np.mean(change[faces, above, brow[:, 0]] > 0.03) > 0.7
    assert np.mean(change[faces, lip[:, 1], lip[:, 0]] > 0.03) < 0.05


@pytest.mark.slow
def test_a_collar_hides_the_neck_and_not_the_face(model, decoder, codes) -> None:
    bare = paint(model, decoder, codes, hair=0.0)
    dressed = paint(model, decoder, codes, hair=0.0, collar=1.0)
    change = np.abs(dressed["image"] - bare["image"]).mean(axis=-1)
    faces, chin = np.arange(len(codes)), bare["landmarks"][:, 8].astype(int)
    below = np.minimum(chin[:, 1] + SIZE // 6, SIZE - 1)  # the neck, or its end
    assert np.mean(change[faces, below, np.clip(chin[:, 0], 0, SIZE - 1)] > 0.03) > 0.5
    assert change[:, : SIZE // 2].max() < 1e-5


@pytest.mark.slow
def test_glasses_go_round_the_eyes_and_leave_the_mouth(model, decoder, codes) -> None:
    bare = paint(model, decoder, codes)
    worn = paint(model, decoder, codes, glasses=1.0)
    change = np.abs(worn["image"] - bare["image"]).mean(axis=-1)
    eyes, faces = bare["landmarks"][:, 36:48].mean(axis=1), np.arange(len(codes))
    bridge = np.clip(np.round(eyes).astype(int), 0, SIZE - 1)
    above = np.arange(SIZE // 10)[:, None]
    around = change[faces, bridge[:, 1] - above, bridge[:, 0]].max(axis=0)
    assert np.mean(around > 0.05) > 0.9
    lip = bare["landmarks"][:, 62].astype(int)
    assert change[faces, lip[:, 1], lip[:, 0]].max() < 1e-5


@pytest.mark.slow
def test_glasses_turn_with_the_head(model, decoder) -> None:
    settings = SyntheticConfig(yaw=Constant(value=35.0), pitch=STILL, roll=Constant(value=15.0))
    codes = FaceSampler(model, decoder, settings).draw(64, (0, 0)).numpy()
    bare, worn = paint(model, decoder, codes), paint(model, decoder, codes, glasses=1.0)
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    cosines = []
    for before, after, points in zip(bare["image"], worn["image"], bare["landmarks"], strict=True):
        weight = np.abs(after - before).mean(axis=-1)
        middle = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        assert np.linalg.norm(middle - points[36:48].mean(axis=0)) < 0.12 * SIZE
        offsets = np.stack([columns, rows], axis=-1) - middle
        spread = np.einsum("yx,yxi,yxj->ij", weight, offsets, offsets)
        longest = np.linalg.eigh(spread)[1][:, -1]
        along = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
        cosines.append(abs(longest @ along) / np.linalg.norm(along))
    assert np.degrees(np.arccos(np.median(cosines))) < 6.0  # the heads lean by 15


@pytest.mark.slow
def test_a_profile_wears_no_glasses(model, decoder) -> None:
    settings = SyntheticConfig(yaw=Constant(value=88.0), pitch=STILL, roll=STILL)
    codes = FaceSampler(model, decoder, settings).draw(16, (0, 0)).numpy()
    worn = paint(model, decoder, codes, glasses=1.0)["image"]
    np.testing.assert_array_equal(worn, paint(model, decoder, codes)["image"])


def test_gloss_adds_white_light(model, decoder, codes) -> None:
    bare = paint(model, decoder, codes, hair=0.0)["image"]
    glossy = paint(model, decoder, codes, hair=0.0, gloss=Constant(value=0.2))["image"]
    added = glossy - bare
    assert added.min() > -1e-5
    assert 0.1 < added.max() < 0.2 + 1e-5
    unclipped = glossy.max(axis=-1) < 0.99
    assert np.ptp(added, axis=-1)[unclipped].max() < 1e-4


def test_backgrounds_come_from_the_folder(model, decoder, codes, tmp_path: Path) -> None:
    green = np.zeros((80, 120, 3), np.uint8)
    green[..., 1] = 200
    cv2.imwrite(str(tmp_path / "green.png"), green)
    options = {"backgrounds": str(tmp_path), "background_share": 1.0}
    corners = paint(model, decoder, codes, **options)["image"][:, 0, 0]
    behind = np.abs(corners - [0, 200 / 255, 0]).max(axis=-1) < 0.01
    assert behind.mean() > 0.5  # the others show hair


@pytest.mark.parametrize("name", [None, "only.mp4"])
def test_a_folder_without_pictures_is_an_error(
    model, decoder, tmp_path: Path, name: str | None
) -> None:
    if name:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(PhotoError):
        FacePainter(model, decoder, SETTINGS.model_copy(update={"backgrounds": str(tmp_path)}))


def test_a_bias_longer_than_its_part(model, decoder) -> None:
    settings = SyntheticConfig(expression=Samples(bias=[0.0] * 65))
    with pytest.raises(ConfigError, match=r"data\.synthetic\.expression\.bias: .* 64 .*got 65"):
        FaceSampler(model, decoder, settings)


def test_maps_are_those_of_the_face(model, decoder, codes) -> None:
    painter = FacePainter(model, decoder, SETTINGS)
    maps = {name: value.numpy() for name, value in painter.maps(tf.constant(codes[:4])).items()}
    inside = maps["mask"][..., 0] > 0.5
    assert 0.3 < inside.mean() < 0.9
    distance = -split(decoder, codes[:4])["translation"][:, 2, None, None]
    depth = maps["depth"][..., 0] - distance
    assert np.abs(depth[inside]).max() < 200.0
    lengths = np.linalg.norm(maps["normals"], axis=-1)
    np.testing.assert_allclose(lengths[inside], 1.0, atol=1e-4)
    assert lengths[~inside].max() == maps["depth"][..., 0][~inside].max() == 0.0


@pytest.mark.slow
def test_the_stream_is_a_function_of_its_seed(model, decoder) -> None:
    first, again, other = (
        list(synthetic_faces(model, decoder, SETTINGS, seed).take(3)) for seed in (1, 1, 2)
    )
    for (image, targets), (same, same_targets) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image, same)
        np.testing.assert_array_equal(targets["code"], same_targets["code"])
    assert np.abs(first[0][0] - other[0][0]).max() > 0.1


@pytest.mark.slow
def test_a_resumed_stream_goes_on_where_it_was(model, decoder) -> None:
    first = 2 * GROUP + 3
    whole = synthetic_faces(model, decoder, SETTINGS, seed=1).skip(first).take(2)
    resumed = synthetic_faces(model, decoder, SETTINGS, seed=1, first=first).take(2)
    for (image, _), (same, _) in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(image, same)
