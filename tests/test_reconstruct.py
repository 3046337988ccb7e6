"""The contract of `python -m tfface.reconstruct`, on an exported model of the mean face."""

import errno
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import skimage.data
import trimesh

import tfface
import tfface.reconstruct as command_line
from tests.fake_export import write_fake_export
from tfface import reconstruction
from tfface.data.detection import FaceDetector
from tfface.data.framing import centring_translation
from tfface.data.video import frame_rate, video_frames
from tfface.morphable.default import load_default_face_model
from tfface.rendering.render import render
from tfface.visualization.overlay import write_png

FILES = {
    "reconstruction.json", "mesh.obj", "mesh.glb", "overlay.png", "views.png", "depth.npy",
    "normals.png",
}  # fmt: skip


@pytest.fixture(scope="module")
def face_model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, face_model):
    return write_fake_export(tmp_path_factory.mktemp("model") / "mean_face", face_model)


@pytest.fixture(scope="module")
def photo():
    """A public-domain photo with one face, 260 by 300 pixels."""
    return np.ascontiguousarray(skimage.data.astronaut()[:300, 90:350])


@pytest.fixture
def run(tmp_path, exported):
    """Runs the command line on inputs; returns its exit status."""

    def call(*inputs, output=None, model=exported):
        output = tmp_path / "out" if output is None else output
        arguments = [*map(str, inputs), "--output", str(output), "--model", str(model)]
        return command_line.main(arguments)

    return call


def folders(path):
    """Every entry below a folder that is itself a folder, hidden ones too, as text."""
    return {str(p.relative_to(path)) for p in path.rglob("*") if p.is_dir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory, exported, photo):
    """A folder of results of one photo, and its reconstruction.json."""
    place = tmp_path_factory.mktemp("written")
    write_png(place / "portrait.png", photo)
    arguments = [str(place / "portrait.png"), "--output", str(place / "out")]
    assert command_line.main([*arguments, "--model", str(exported)]) == 0
    folder = place / "out" / "portrait"
    return folder, json.loads((folder / "reconstruction.json").read_text())


def test_folder_holds_exactly_the_files_of_the_contract(written):
    folder, _ = written
    assert {path.name for path in folder.iterdir()} == FILES
    assert folders(folder.parent) == {"portrait"}  # nothing temporary is left


def test_json_of_the_contract(written, photo, face_model):
    _, record = written
    assert record["system"] == "mofa"
    assert record["face_model"] == face_model.name
    assert record["image"]["path"].endswith("portrait.png")
    assert (record["image"]["height"], record["image"]["width"]) == photo.shape[:2]
    shapes = {name: np.shape(values) for name, values in record["code"].items()}
    assert shapes == {
        "identity": (face_model.identity.shape[-1],),
        "expression": (face_model.expression.shape[-1],),
        "albedo": (face_model.albedo.shape[-1],),
        "illumination": (9, 3),
    }
    for name, shape in (("rotation", (3, 3)), ("translation", (3,)), ("box", (4,))):
        assert np.shape(record[name]) == shape
    assert record["camera"]["model"] == "perspective"
    assert 0 < record["photometric_error"] < np.sqrt(3)
    steps = {"detection", "regression", "decoding", "rendering", "writing"}
    assert set(record["seconds"]) == steps


def test_camera_pose_and_landmarks_agree_in_pixels_of_the_input(written, photo):
    _, record = written
    points = np.array(record["landmarks_68_3d"]) @ np.transpose(record["rotation"])
    points = points + record["translation"]
    camera = record["camera"]
    x = camera["principal_point"][0] + camera["focal_length"] * points[:, 0] / -points[:, 2]
    y = camera["principal_point"][1] - camera["focal_length"] * points[:, 1] / -points[:, 2]
    np.testing.assert_allclose(np.stack([x, y], 1), record["landmarks_68"], atol=1e-2)
    x0, y0, x1, y1 = record["box"]
    assert camera["focal_length"] == pytest.approx(4.5 * (x1 - x0), rel=1e-5)
    np.testing.assert_allclose(camera["principal_point"], [(x0 + x1) / 2, (y0 + y1) / 2], atol=1e-3)
    # The mean face, put where the detector saw a face, is on it.
    detected = FaceDetector().detect(photo)[0]
    inner = np.array(record["landmarks_68"])[17:] - detected.landmarks[17:]
    assert np.linalg.norm(inner, axis=1).mean() < 0.07 * (x1 - x0)


def test_landmarks_are_vertices_of_the_mesh(written, face_model):
    folder, record = written
    lines = (folder / "mesh.obj").read_text().splitlines()
    rows = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(rows[:, :3], face_model.mean, atol=1e-3)  # no pose, millimetres
    np.testing.assert_allclose(rows[:, 3:], face_model.albedo_mean, atol=1e-3)
    landmarks = np.array(record["landmarks_68_3d"])
    nearest = np.linalg.norm(rows[None, :, :3] - landmarks[:, None], axis=-1).min(1)
    assert nearest.max() < 1e-3
    assert len(trimesh.load(folder / "mesh.glb", force="mesh", process=False).vertices) == len(rows)


def test_depth_and_normals_lie_where_the_camera_sees_the_head(written, photo):
    folder, record = written
    depth, normals = (
        np.load(folder / "depth.npy"),
        cv2.imread(str(folder / "normals.png"))[..., ::-1],
    )
    assert depth.dtype == np.float32
    assert depth.shape == photo.shape[:2]
    assert normals.shape == photo.shape
    seen = depth > 0
    np.testing.assert_array_equal(seen, normals.any(-1))
    x, y = np.array(record["landmarks_68"])[30].astype(int)  # the tip of the nose
    expected = np.array(record["landmarks_68_3d"]) @ np.transpose(record["rotation"])
    expected = -(expected + record["translation"])[30, 2]
    assert depth[y, x] == pytest.approx(expected, abs=3)
    lengths = np.linalg.norm(normals[seen] / 127.5 - 1, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.02)
    assert (normals[seen][:, 2] > 120).mean() > 0.99  # towards the camera


def test_overlay_and_views(written, photo):
    folder, _ = written
    overlay = cv2.imread(str(folder / "overlay.png"))[..., ::-1]
    depth = np.load(folder / "depth.npy")
    assert overlay.shape == photo.shape
    changed = (overlay != photo).any(-1)
    assert changed.sum() > 0.2 * (depth > 0).sum()
    beside = cv2.dilate((depth > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    assert not changed[beside].any()
    views = cv2.imread(str(folder / "views.png"))
    assert views.shape[1] == 7 * 320


@pytest.mark.slow
def test_two_faces_largest_first(tmp_path, run, photo):
    small = cv2.resize(photo, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    canvas = np.full((300, 260 + small.shape[1], 3), 90, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    canvas[:, small.shape[1] :] = photo
    write_png(tmp_path / "pair.png", canvas)
    assert run(tmp_path / "pair.png") == 0
    assert folders(tmp_path / "out") == {"pair", "pair-2"}
    boxes = [
        json.loads((tmp_path / "out" / name / "reconstruction.json").read_text())["box"]
        for name in ("pair", "pair-2")
    ]
    assert boxes[0][2] - boxes[0][0] > 1.2 * (boxes[1][2] - boxes[1][0])
    assert boxes[0][0] > boxes[1][2] - 60  # the large one stands at the right


@pytest.mark.slow
def test_inputs_of_one_stem_do_not_overwrite_each_other(tmp_path, run, photo):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "face.png", photo)
    write_png(tmp_path / "face-2.png", photo)
    assert run(tmp_path / "a", tmp_path / "b", tmp_path / "face-2.png") == 0
    results = tmp_path / "out"
    assert folders(results) == {"face", "face-2", "face-3"}
    paths = {
        folder: json.loads((results / folder / "reconstruction.json").read_text())["image"]["path"]
        for folder in folders(results)
    }
    assert paths["face"].endswith("a/face.png")
    assert paths["face-2"].endswith("/face-2.png")  # a photo's own stem goes first
    assert paths["face-3"].endswith("b/face.png")


def test_bad_inputs_are_named_and_the_others_done(tmp_path, run, photo, capsys):
    write_png(tmp_path / "good.png", photo)
    (tmp_path / "text.jpg").write_text("not an image")
    _, jpeg = cv2.imencode(".jpg", photo)
    (tmp_path / "cut.jpg").write_bytes(jpeg.tobytes()[: len(jpeg) // 2])
    (tmp_path / "empty").mkdir()
    write_png(tmp_path / "wall.png", np.full((200, 200, 3), 130, np.uint8))
    names = ["text.jpg", "cut.jpg", "empty", "wall.png", "missing.jpg"]
    status = run(*(tmp_path / name for name in names), tmp_path / "good.png")
    assert status == 3
    assert folders(tmp_path / "out") == {"good"}
    errors = capsys.readouterr().err.splitlines()
    for name in names:
        mentions = [line for line in errors if str(tmp_path / name) in line]
        assert len(mentions) == 1, (name, errors)
        assert "tfface.reconstruct: " in mentions[0]


@pytest.mark.parametrize("broken", ["model", "no_metadata", "output_file", "read_only", "system"])
def test_bad_arguments(tmp_path, run, photo, exported, capsys, broken):
    write_png(tmp_path / "good.png", photo)
    (tmp_path / "file").write_text("in the way")
    if broken == "system":
        with pytest.raises(SystemExit) as stopped:
            command_line.main([str(tmp_path / "good.png"), "--output", "x", "--system", "magic"])
        assert stopped.value.code == 2
        return
    options = {
        "model": {"model": tmp_path / "nowhere"},
        "no_metadata": {"model": tmp_path / "half"},
        "output_file": {"output": tmp_path / "file"},
        "read_only": {"output": "/proc/tfface"},
    }[broken]
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "saved_model.pb").write_bytes(b"")
    assert run(tmp_path / "good.png", **options) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(next(iter(options.values()))) in lines[0]


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "topology.npz"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_model_is_one_line(tmp_path, run, photo, exported, capsys, name, damage):
    write_png(tmp_path / "good.png", photo)
    broken = shutil.copytree(exported, tmp_path / "broken")
    content = bytearray((broken / name).read_bytes())
    if damage == "cut":
        content = content[: len(content) // 3]
    else:
        for place in range(len(content) // 4, len(content), 97):
            content[place] ^= 255
    (broken / name).write_bytes(content)
    assert run(tmp_path / "good.png", model=broken) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"{broken}: damaged exported model" in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_full_disk_leaves_nothing_half_written(tmp_path, run, photo, monkeypatch, capsys):
    write_png(tmp_path / "portrait.png", photo)
    assert run(tmp_path / "portrait.png") == 0
    before = (tmp_path / "out/portrait/reconstruction.json").read_bytes()
    write_png(tmp_path / "other.png", photo)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reconstruction, "write_glb", full)
    assert run(tmp_path / "portrait.png", tmp_path / "other.png") == 3
    assert folders(tmp_path / "out") == {"portrait"}
    assert (tmp_path / "out/portrait/reconstruction.json").read_bytes() == before
    errors = [line for line in capsys.readouterr().err.splitlines() if "No space left" in line]
    assert len(errors) == 2


@pytest.mark.slow
def test_results_replace_results_whole_and_nothing_else(tmp_path, run, photo, capsys):
    write_png(tmp_path / "portrait.png", photo)
    assert run(tmp_path / "portrait.png") == 0
    stale = tmp_path / "out/portrait/of_an_older_version.txt"
    stale.write_text("stale")
    assert run(tmp_path / "portrait.png") == 0
    assert {path.name for path in stale.parent.iterdir()} == FILES

    (tmp_path / "mine/portrait").mkdir(parents=True)
    (tmp_path / "mine/portrait/holiday.txt").write_text("precious")
    assert run(tmp_path / "portrait.png", output=tmp_path / "mine") == 3
    assert (tmp_path / "mine/portrait/holiday.txt").read_text() == "precious"
    assert "other data" in capsys.readouterr().err


def write_clip(path, frames):
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


@pytest.mark.slow
def test_video(tmp_path, run, photo):
    frames = [photo, np.full_like(photo, 60), photo]
    clip = write_clip(tmp_path / "clip.avi", frames)
    stale = tmp_path / "out/clip/frame000009"
    stale.mkdir(parents=True)
    (stale / "reconstruction.json").write_text("{}")
    assert run(clip) == 0
    assert folders(tmp_path / "out/clip") == {"frame000000", "frame000002"}
    shown = [frame.astype(float) for _, frame in video_frames(tmp_path / "out/clip/overlay.mp4")]
    assert frame_rate(tmp_path / "out/clip/overlay.mp4") == 10
    assert [frame.shape for frame in shown] == [photo.shape] * 3
    overlay = cv2.imread(str(tmp_path / "out/clip/frame000000/overlay.png"))[..., ::-1]
    for frame, expected in zip(shown, [overlay, frames[1], overlay], strict=True):
        assert np.abs(frame - expected).mean() < 6  # what compression leaves
    assert np.abs(shown[0] - photo).mean() > np.abs(shown[0] - overlay).mean() + 1


@pytest.mark.slow
def test_a_video_of_one_person_has_one_shape(tmp_path, run, face_model, photo, monkeypatch):
    """Of FML unasked, each frame with its own pose; however many pieces the video comes in."""
    person = write_fake_export(tmp_path / "person", face_model, "fml")
    clip = write_clip(tmp_path / "clip.avi", [photo, np.full_like(photo, 60), photo // 2])
    for name, pictures in (("whole", 256), ("pieces", 1)):
        monkeypatch.setattr("tfface.reconstructor._PERSON", pictures)
        assert run(clip, model=person, output=tmp_path / name) == 0
        first, second = (
            json.loads((tmp_path / name / f"clip/frame00000{n}/reconstruction.json").read_text())
            for n in (0, 2)
        )
        assert first["code"]["identity"] == second["code"]["identity"]
        assert first["code"]["identity"][0] > 0.1
        assert first["rotation"][0][2] > 1.5 * second["rotation"][0][2] > 0.1
    frames = [frame for _, frame in video_frames(tmp_path / "whole/clip/overlay.mp4")]
    assert len(frames) == 3


@pytest.mark.slow
def test_a_video_without_a_face_changes_nothing(tmp_path, run, face_model, photo, capsys):
    clip = write_clip(tmp_path / "clip.avi", [np.full_like(photo, 60)] * 2)
    person = write_fake_export(tmp_path / "person", face_model, "fml")
    for output, model in ((tmp_path / "out", {}), (tmp_path / "person_out", {"model": person})):
        assert run(clip, output=output, **model) == 3
        assert "no face found in any frame" in capsys.readouterr().err
        assert not list(output.iterdir())
    earlier = tmp_path / "out/clip/frame000009"
    earlier.mkdir(parents=True)
    (earlier / "reconstruction.json").write_text("{}")
    assert run(clip) == 3
    assert folders(tmp_path / "out") == {"clip", "clip/frame000009"}


def test_python_call_takes_paths_and_arrays(tmp_path, exported, photo):
    write_png(tmp_path / "portrait.png", photo)
    (from_file,) = tfface.reconstruct(tmp_path / "portrait.png", model=exported)
    (from_bytes,) = tfface.reconstruct(photo, exported)
    (from_floats,) = tfface.reconstruct(photo.astype(np.float32) / 255, exported)
    assert isinstance(from_file, tfface.FaceReconstruction)
    for face in (from_bytes, from_floats):
        np.testing.assert_allclose(face.landmarks_68, from_file.landmarks_68)
        assert face.photometric_error == pytest.approx(from_file.photometric_error)
    assert from_file.image_path.endswith("portrait.png")
    assert from_file.vertices.shape == from_file.albedo.shape == from_file.normals.shape
    saved = from_file.save(tmp_path / "saved")
    assert {path.name for path in saved.iterdir()} == FILES


def test_python_call_without_a_face_gives_an_empty_list(exported):
    assert tfface.reconstruct(np.zeros((80, 90, 3), np.uint8), exported) == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20), np.uint8), r"expected shape \(H, W, 3\), got \(20, 20\)"),
        (np.zeros((20, 20, 3), np.int32), "expected uint8 or floating values, got int32"),
        (np.full((20, 20, 3), 200.0), r"expected floating values in \[0, 1\], got 0 to 200"),
    ],
)
def test_python_call_refuses_other_arrays(exported, image, message):
    with pytest.raises(ValueError, match=message):
        tfface.reconstruct(image, exported)


@pytest.mark.slow
def test_a_picture_of_the_mean_face_is_its_own_reconstruction(exported, face_model):
    """The only picture on which the mean face is right; the error and the landmarks say so."""
    size = 400
    points = (face_model.mean + centring_translation(face_model, 4.5))[None].astype(np.float32)
    colours = 0.9 * face_model.albedo_mean[None].astype(np.float32)
    centre = (size / 2, size / 2)
    drawn = render(points, colours, face_model.triangles, 4.5 * size, centre, size, size, 0.6)
    image = np.round(255 * np.clip(drawn[0, ..., :3], 0, 1)).astype(np.uint8)
    (face,) = tfface.reconstruct(image, exported)
    np.testing.assert_allclose(face.box, [0, 0, size, size], atol=0.05 * size)
    assert face.photometric_error < 0.06  # eyes are small in a crop of 128 pixels
    detected = FaceDetector().detect(image)[0].landmarks
    distance = np.linalg.norm(face.landmarks_68 - detected, axis=1)
    assert distance.mean() < 0.025 * size


@pytest.fixture(scope="module")
def neutral(tmp_path_factory, face_model):
    """A model of a system that sees neutral faces and no pose."""
    folder = tmp_path_factory.mktemp("model") / "neutral"
    return write_fake_export(folder, face_model, "identity_regression")


@pytest.fixture
def two_photos(tmp_path, photo):
    """Photos of one person, and the files they are in."""
    photos = {"bright": photo, "dark": (0.5 * photo[:, ::-1]).astype(np.uint8)}
    for name, image in photos.items():
        write_png(tmp_path / f"{name}.png", image)
    return [tmp_path / f"{name}.png" for name in photos]


@pytest.mark.slow
def test_neutral_faces_are_put_into_the_photo(tmp_path, run, neutral, two_photos, face_model):
    assert run(*two_photos, model=neutral) == 0
    for path in two_photos:
        folder = tmp_path / "out" / path.stem
        result = json.loads((folder / "reconstruction.json").read_text())
        assert set(result["code"]) == {"identity", "albedo"}
        assert set(result["fitted_code"]) == {"expression", "illumination"}
        detected = FaceDetector().detect(cv2.imread(str(path))[..., ::-1])[0].landmarks
        eyes = np.linalg.norm(detected[45] - detected[36])
        distance = np.linalg.norm(result["landmarks_68"] - detected, axis=1)
        assert distance.mean() < 0.05 * eyes
        mesh = trimesh.load(folder / "mesh.obj", process=False)
        shape = face_model.mean + face_model.identity @ result["code"]["identity"]
        np.testing.assert_allclose(mesh.vertices, shape, atol=0.01)
        assert np.abs(result["fitted_code"]["expression"]).max() > 0.1


@pytest.mark.slow
def test_photos_of_one_person_have_one_shape(tmp_path, run, neutral, two_photos, capsys):
    write_png(tmp_path / "empty.png", np.zeros((80, 90, 3), np.uint8))
    assert run(*two_photos, model=neutral, output=tmp_path / "alone") == 0
    photos = [*two_photos, tmp_path / "empty.png"]
    assert run(*photos, "--together", model=neutral) == 3
    assert "empty.png: no face found" in capsys.readouterr().err
    assert folders(tmp_path / "out") == {"bright", "dark"}
    first = {}
    for place in ("alone", "out"):
        for path in two_photos:
            file = tmp_path / place / path.stem / "reconstruction.json"
            first[place, path.stem] = json.loads(file.read_text())["code"]["identity"][0]
    assert first["out", "bright"] == first["out", "dark"]
    mean = (first["alone", "bright"] + first["alone", "dark"]) / 2
    assert first["out", "bright"] == pytest.approx(mean, rel=1e-4)


@pytest.mark.slow
def test_python_takes_photos_of_one_person(neutral, photo):
    nobody = np.zeros((80, 90, 3), np.uint8)
    first, none, second = tfface.reconstruct_together([photo, nobody, photo[:, ::-1]], neutral)
    assert none is None
    np.testing.assert_array_equal(first.code["identity"], second.code["identity"])
    np.testing.assert_array_equal(first.mesh, second.mesh)
    assert np.abs(first.vertices - second.vertices).max() > 0.1  # their expressions
    assert tfface.reconstruct_together([nobody], neutral) == [None]


@pytest.mark.slow
def test_photos_of_one_person_keep_their_poses(tmp_path, face_model, photo):
    """Of a system that sees pose: each photo, also after one without a face, has its own."""
    person = write_fake_export(tmp_path / "person", face_model, "fml")
    nobody, dark = np.zeros((80, 90, 3), np.uint8), photo // 2
    first, none, second = tfface.reconstruct_together([photo, nobody, dark], person)
    assert none is None
    np.testing.assert_array_equal(first.code["identity"], second.code["identity"])
    np.testing.assert_array_equal(first.mesh, second.mesh)
    assert first.rotation[0, 2] > 1.5 * second.rotation[0, 2] > 0.1


def test_not_every_system_takes_several_photos_for_one(run, two_photos, capsys):
    assert run(*two_photos, "--together") == 2
    assert "mofa: sees one photo at a time" in capsys.readouterr().err


@pytest.mark.slow
def test_forty_megapixels_stay_within_bounds(tmp_path, exported, photo, repository):
    """A face that fills a 40-megapixel photo needs under 3 GB."""
    large = cv2.resize(photo[20:230, 40:230], (6000, 6632), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "large.jpg"), large[..., ::-1])
    # Not ru_maxrss, which a new process inherits from the one that starts it.
    code = (
        "import re, sys; from tfface.reconstruct import main; status = main(sys.argv[1:]);"
        "print('PEAK', re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]);"
        "sys.exit(status)"
    )
    inputs = [str(tmp_path / "large.jpg"), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *inputs, "--model", str(exported)],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split("PEAK")[1]) < 3_000_000  # kB
    assert np.load(tmp_path / "out/large/depth.npy", mmap_mode="r").shape == (6632, 6000)
