"""Readers of published models: real samples where they are, faithfully made files elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.morphable import make_model_files as make
from tests.morphable.make_model_files import WRITERS, SmallFace
from tfface.morphable.model import FaceModelError, MorphableModel
from tfface.morphable.readers import (
    read_basel_2017,
    read_face_model,
    read_flame,
    read_surrey,
    register,
    transfer_landmarks,
)
from tfface.morphable.readers.assemble import outward

SHARED = Path(os.environ.get("TFFACE_SHARED", Path(__file__).parents[2] / ".." / "shared"))
ICT = SHARED / "face_models" / "ict_facekit_sample" / "FaceXModel"
SURREY = SHARED / "face_models" / "surrey" / "sfm_shape_3448.bin"
needs_ict = pytest.mark.skipif(not ICT.is_dir(), reason="no sample of ICT-FaceKit")
needs_surrey = pytest.mark.skipif(not SURREY.is_file(), reason="no sample of the Surrey model")


@pytest.mark.parametrize("name", WRITERS)
def test_a_made_file_comes_back_in_tfface_conventions(
    name: str, written: Path, face: SmallFace, template: MorphableModel
) -> None:
    model = read_face_model(written / name, template=template)
    # Units, one standard deviation, winding: the face that was written, in mm.
    np.testing.assert_allclose(
        model.mean - model.mean.mean(0), face.mean - face.mean.mean(0), atol=0.01
    )
    np.testing.assert_allclose(model.identity[..., :5], face.identity, atol=0.01)
    assert not model.identity[..., 5:].any()
    np.testing.assert_array_equal(model.triangles, face.triangles)
    if name != "basel2009.mat" and name != "surrey.bin":
        np.testing.assert_allclose(model.expression[..., :3], face.expression, atol=0.01)
    if name in ("basel2009.mat", "basel2017.h5", "surrey.bin"):
        np.testing.assert_allclose(model.albedo_mean, face.colour_mean, atol=1e-3)
        np.testing.assert_allclose(model.albedo, face.colour, atol=1e-3)
    else:
        assert model.albedo.shape[-1] == 0
        assert (model.albedo_mean > 0.3).all()
        assert (model.albedo_mean < 0.9).all()
    # Carried over from the template: the face is a piece of it, so the truth is known.
    np.testing.assert_array_equal(model.landmarks, face.landmarks)
    np.testing.assert_allclose(model.mean, face.mean - make.SHIFT, atol=0.1)
    assert model.contour.shape == template.contour.shape
    assert set(model.regions) == set(template.regions)
    assert model.licence
    assert model.source


def test_every_mode_may_be_mirrored(written: Path, template: MorphableModel) -> None:
    model = read_face_model(written / "surrey.bin", template=template)
    image = model.mean[model.symmetry] * [-1, 1, 1]
    assert np.linalg.norm(image - model.mean, axis=1).mean() < 1.0
    assert (model.symmetry[model.symmetry] == np.arange(model.vertex_count)).mean() > 0.95


@pytest.mark.parametrize(("version", "kind"), [(2, 0), (3, 1), (4, 1)])
def test_all_versions_of_eos_archives(
    version: int, kind: int, face: SmallFace, template: MorphableModel, tmp_path: Path
) -> None:
    path = make.write_surrey(tmp_path / "model.bin", face, version, kind)
    model = read_surrey(path, template=template)
    np.testing.assert_allclose(model.expression, face.expression, atol=0.01)
    assert len(model.expression_samples) == (7 if kind == 1 else 0)
    np.testing.assert_allclose(model.uv[0], [0.25, 0.1], atol=1e-6)  # eos' v points down


def test_blendshapes_beside_a_surrey_model_and_by_name(
    face: SmallFace, template: MorphableModel, tmp_path: Path
) -> None:
    path = make.write_surrey(tmp_path / "model.bin", face)
    assert read_surrey(path, template=template).expression.shape[-1] == 0
    beside = tmp_path / f"expression_blendshapes_{len(face.mean)}.bin"
    make.write_blendshapes(beside, face)
    model = read_surrey(path, template=template)
    np.testing.assert_allclose(model.expression, face.expression, atol=0.01)
    np.testing.assert_array_equal(model.expression_samples[1], [0.5, 0, 0])
    beside.write_bytes(beside.read_bytes()[:-1])
    with pytest.raises(FaceModelError, match=r"expression_blendshapes.*truncated"):
        read_surrey(path, beside, template=template)


def test_landmarks_named_by_the_user_or_the_file_are_kept(
    written: Path, face: SmallFace, template: MorphableModel, tmp_path: Path
) -> None:
    moved = {30: int(face.landmarks[33])}
    model = read_flame(written / "flame2020.npz", template, known_landmarks=moved)
    assert model.landmarks[30] == face.landmarks[33]
    shape = face.mean - make.MEAN_EXPRESSION
    place = shape[face.landmarks[30]] + [0.0, 0.5, 0.5]
    text = json.dumps([{"id": "center.nose.tip", "coordinates": place.tolist()}])
    for number, value in enumerate((text, np.bytes_(text), [text])):  # stored in various ways
        path = tmp_path / f"{number}.h5"
        make.write_basel_2017(path, face, **{"metadata/landmarks/json": value})
        nearest = np.linalg.norm(shape - place, axis=1).argmin()
        assert read_basel_2017(path, template).landmarks[30] == nearest


def test_own_format_and_its_options(template: MorphableModel, tmp_path: Path) -> None:
    template.truncated(3, 3, 3).save(tmp_path / "own.npz")
    model = read_face_model(tmp_path / "own.npz")
    np.testing.assert_array_equal(model.landmarks, template.landmarks)
    with pytest.raises(TypeError, match="takes no options"):
        read_face_model(tmp_path / "own.npz", template=template)


# ---- Real files.


@pytest.fixture(scope="module")
def ict(template: MorphableModel) -> MorphableModel:
    return read_face_model(ICT, template=template)


@needs_ict
def test_the_ict_sample(ict: MorphableModel) -> None:
    model = ict
    assert model.vertex_count == 24591  # without the transparent shells
    assert model.identity.shape[-1] == 6
    assert model.expression.shape[-1] == 5
    assert model.licence == "MIT"
    place = model.mean[model.landmarks]
    assert 85 < place[45, 0] - place[36, 0] < 95  # outer eye corners: centimetres were scaled
    assert place[0, 0] < 0 < place[16, 0]  # the subject's right ear is on the picture's left
    assert place[30, 2] == place[:, 2].max()
    np.testing.assert_array_equal(outward(model.mean, model.triangles), model.triangles)
    assert model.uv.min() >= 0
    assert model.uv.max() <= 1
    assert (model.symmetry[model.symmetry] == np.arange(model.vertex_count)).mean() > 0.99
    opened = model.vertices(expression=np.array([0, 0, 1.0, 0, 0]))[model.landmarks]
    names = ["browInnerUp_L", "eyeBlink_L", "jawOpen", "mouthSmile_L", "mouthSmile_R"]
    assert names == sorted(names, key=str.lower)
    assert opened[62, 1] - opened[66, 1] > 15  # mm between the lips of jawOpen
    assert len(model.expression_samples) == 11


@needs_ict
def test_transferred_landmarks_against_those_of_ict(
    ict: MorphableModel, template: MorphableModel
) -> None:
    """The default model laid over ICT's mean, nothing known.

    Measured: 3.3 mm over the 51 inner points. The jaw points differ by 10 mm, mostly because the
    two models place them so: ICT's lie further forward.
    """
    moved = ict.mean + np.array([5.0, -8.0, 3.0])
    found = transfer_landmarks(template, moved, ict.triangles)
    error = np.linalg.norm(ict.mean[found] - ict.mean[ict.landmarks], axis=1)
    assert error[17:].mean() < 3.8
    assert error[27:48].mean() < 3.2  # nose and eyes, which have corners to find
    assert error[:17].mean() < 12
    assert register(template, moved, ict.triangles).distance < 0.5


@needs_ict
def test_landmarks_of_other_people_of_the_same_model(ict: MorphableModel) -> None:
    """ICT's mean laid over two others of its identities: there the truth is no convention."""
    for coefficients in ([1, -1, 1, 0, -1, 1], [-2, 1, 0, 2, 1, -1]):
        person = ict.vertices(identity=np.array(coefficients, float))
        source = ict.truncated(identity=0)
        found = transfer_landmarks(source, person, ict.triangles)
        error = np.linalg.norm(person[found] - person[ict.landmarks], axis=1)
        assert error.mean() < 2.0  # measured: 0.5 and 1.4 mm, of people 3.8 and 7.3 mm away
        assert error[17:].mean() < 1.5


@needs_surrey
def test_the_surrey_sample(template: MorphableModel) -> None:
    model = read_face_model(SURREY, template=template)
    assert model.vertex_count == 3448
    assert model.identity.shape[-1] == 63
    assert model.expression.shape[-1] == 6  # the blendshapes beside it
    assert model.landmarks[8] == 33  # ibug_to_sfm.txt: 9 = 33
    assert model.landmarks[30] == 114
    place = model.mean[model.landmarks]
    assert 85 < place[45, 0] - place[36, 0] < 95
    jaw = place[:17]
    assert (np.diff(jaw[:, 0]) > 0).all()  # found: from the subject's right ear to the left one
    assert (np.diff(jaw[:8, 1]) < 0).all()
    assert (np.diff(jaw[9:, 1]) > 0).all()
    assert np.corrcoef(model.uv[:, 1], model.mean[:, 1])[0, 1] > 0.9  # v points up
    # One standard deviation of the first mode, from the file's eigenvalue of 237.7**2.
    assert np.linalg.norm(model.identity[..., 0]) == pytest.approx(237.70, abs=0.01)


@needs_surrey
def test_transferred_landmarks_against_those_of_surrey(template: MorphableModel) -> None:
    surrey = read_surrey(SURREY, template=template)
    found = transfer_landmarks(template, surrey.mean, surrey.triangles)
    listed = [8, *range(17, 60), *range(61, 64), *range(65, 68)]
    error = np.linalg.norm(surrey.mean[found] - surrey.mean[surrey.landmarks], axis=1)[listed]
    assert error.mean() < 5.0  # measured: 4.1 mm; the mesh has a vertex every 5 mm
