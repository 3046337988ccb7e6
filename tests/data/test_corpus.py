"""Corpora on disk: true, the same bytes for the same seed, resumable, and honest about damage."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfface.train
from tfface.config import Config, Constant, Normal, load_config
from tfface.data.corpus import CorpusError, read_corpus, write_corpus
from tfface.data.face_records import MAPS
from tfface.data.records import read_records
from tfface.data.synthesize import main, rate
from tfface.data.training_data import training_batches
from tfface.layers.face_decoder import FaceDecoder
from tfface.morphable.default import load_default_face_model
from tfface.rendering.sampling import sample_bilinear

SMALL = ["model.image_size=64", "data.synthetic.supersampling=1", "data.augmentation.noise=0.02"]
FACES = 20


@pytest.fixture(scope="module")
def config(repository: Path) -> Config:
    return load_config(repository / "configs" / "inverse_facenet_quickstart.yaml", SMALL)


@pytest.fixture(scope="module")
def model():
    return load_default_face_model("coarse")


@pytest.fixture(scope="module")
def decoder(model) -> FaceDecoder:
    return FaceDecoder.of_model(model, 64)


@pytest.fixture(scope="module")
def folder(config, model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of three files with all maps."""
    path = tmp_path_factory.mktemp("corpora") / "whole"
    write_corpus(path, config, model, FACES, 3, MAPS, "png")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow  # draws the corpus
def test_a_corpus_reads_back(folder, model, decoder) -> None:
    faces, count = read_corpus([folder], model, decoder)
    examples = list(faces)
    assert len(examples) == count == FACES
    for image, targets in examples:
        assert image.shape == (64, 64, 3)
        assert image.dtype == tf.uint8
        assert targets["has_code"] == 1.0
        parts = {"code": targets["code"][None]}
        expected = decoder.landmarks(split(decoder, parts["code"]))[0]
        np.testing.assert_allclose(targets["landmarks"], expected, atol=1e-3)


def split(decoder: FaceDecoder, codes: tf.Tensor) -> dict[str, tf.Tensor]:
    from tfface.code import CodeLayout

    return CodeLayout(decoder.code_sizes).split(codes)


@pytest.mark.slow  # draws the corpus
def test_what_reads_photos_reads_a_corpus(folder, model, decoder) -> None:
    photos = sorted(read_records([folder], 64), key=lambda photo: photo["landmarks"][0, 0])
    faces = sorted(
        read_corpus([folder], model, decoder)[0], key=lambda face: face[1]["landmarks"][0, 0]
    )
    for photo, (image, targets) in zip(photos, faces, strict=True):
        np.testing.assert_allclose(255 * photo["image"], tf.cast(image, tf.float32), atol=0.5)
        np.testing.assert_allclose(photo["landmarks"], targets["landmarks"], atol=1e-3)


@pytest.mark.slow  # draws the corpus
def test_the_maps_show_the_face_of_the_code(folder, decoder) -> None:
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in MAPS}
    features["code"] = tf.io.FixedLenFeature([257], tf.float32)
    serialized = next(iter(tf.data.TFRecordDataset(str(folder / "part-00000-of-00003.tfrecord"))))
    record = tf.io.parse_single_example(serialized, features)
    depth = np.frombuffer(record["depth"].numpy(), "<f4").reshape(64, 64)
    normals = tf.io.decode_png(record["normals"]).numpy() / 255 * 2 - 1
    mask = tf.io.decode_png(record["mask"]).numpy()[..., 0] == 255
    face = decoder(split(decoder, record["code"][None]))
    towards = face["normals"][0, :, 2] > 0.8
    pixels = face["pixels"][:1]
    for seen, expected, tolerance in (
        (depth[..., None], -face["points"][0, :, 2:], 8.0),
        (normals.astype(np.float32), face["normals"][0], 0.25),
    ):
        sampled = sample_bilinear(tf.constant(seen[None]), pixels)[0]
        apart = np.abs(sampled - expected).max(axis=-1)[towards]
        assert np.median(apart) < tolerance
    assert (depth[mask] > 0).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(folder, config, model, tmp_path: Path) -> None:
    write_corpus(tmp_path / "again", config, model, FACES, 3, MAPS, "png")
    assert contents(tmp_path / "again") == contents(folder)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(folder, config, model, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(number: int) -> None:
        if number == 10:
            raise Killed

    output = tmp_path / "killed"
    with pytest.raises(Killed):
        write_corpus(output, config, model, FACES, 3, MAPS, "png", on_face=kill)
    assert sorted(contents(output)) == ["manifest.json", "part-00000-of-00003.tfrecord"]
    drawn: list[int] = []
    write_corpus(output, config, model, FACES, 3, MAPS, "png", on_face=drawn.append)
    assert drawn == [7, *range(8, FACES + 1)]
    assert contents(output) == contents(folder)


@pytest.mark.slow  # draws the corpus
def test_a_half_written_corpus_is_not_trained_on(folder, model, decoder, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    for name in ("manifest.json", "part-00001-of-00003.tfrecord"):
        (half / name).write_bytes((folder / name).read_bytes())
    (half / "part-00000-of-00003.tfrecord").touch()  # as a power cut leaves it
    with pytest.raises(CorpusError, match="half: expected 3 files, got 1: half-written"):
        read_corpus([half], model, decoder)


@pytest.mark.slow  # draws the corpus, builds the system
def test_the_command_line_does_not_train_on_half_a_corpus(
    folder, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())
    file = str(repository / "configs" / "inverse_facenet_quickstart.yaml")
    changes = [*SMALL, f"data.synthetic.records=[{half}]", f"output={tmp_path / 'run'}"]
    assert tfface.train.main(["--config", file, *changes]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{half}: expected 3 files, got 0: half-written" in last


@pytest.mark.slow  # draws the corpora
def test_several_corpora_are_mixed(folder, config, model, decoder, tmp_path: Path) -> None:
    other = config.model_copy(update={"seed": config.seed + 1})
    write_corpus(tmp_path / "other", other, model, FACES, 1, (), "png")
    codes = {}
    for name, folders in {
        "one": [folder], "other": [tmp_path / "other"], "both": [folder, tmp_path / "other"]
    }.items():  # fmt: skip
        faces, count = read_corpus(folders, model, decoder)
        codes[name] = np.array([targets["code"] for _, targets in faces])
        assert len(codes[name]) == count
    own = [(codes["one"] == code).all(axis=1).any() for code in codes["both"]]
    assert sum(own) == FACES
    assert 0 < sum(own[:FACES]) < FACES
    again, _ = read_corpus([folder, tmp_path / "other"], model, decoder)
    np.testing.assert_array_equal([t["code"] for _, t in again], codes["both"])


@pytest.mark.slow
def test_faces_of_no_finite_number_are_not_written(config, model, tmp_path: Path) -> None:
    infinite = config.data.synthetic.model_copy(update={"ambient": Constant(value=1e38)})
    huge = infinite.model_copy(update={"light_tint": Constant(value=1e3)})
    data = config.data.model_copy(update={"synthetic": huge})
    with pytest.raises(CorpusError, match="face 0 has numbers that are not finite"):
        write_corpus(tmp_path / "x", config.model_copy(update={"data": data}), model, 2)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": "other"}'])
def test_a_folder_that_is_no_corpus(model, decoder, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CorpusError, match=r"manifest\.json: expected the manifest of a corpus"):
        read_corpus([tmp_path], model, decoder)


@pytest.mark.slow  # draws the corpus
def test_a_corpus_for_another_size(folder, model) -> None:
    with pytest.raises(CorpusError, match="expected faces with image_size 96, got 64"):
        read_corpus([folder], model, FaceDecoder.of_model(model, 96))


@pytest.mark.slow  # draws the corpus
def test_another_corpus_is_not_overwritten(folder, config, model, tmp_path: Path) -> None:
    before = contents(folder)
    with pytest.raises(CorpusError, match="another faces: expected 21, got 20; choose another"):
        write_corpus(folder, config, model, 21, 3, MAPS, "png")
    assert contents(folder) == before
    fine = load_default_face_model("fine").truncated(80, 64, 80)
    with pytest.raises(CorpusError, match="another face_model_sha256"):
        write_corpus(folder, config, fine, FACES, 3, MAPS, "png")
    turned = config.data.synthetic.model_copy(update={"yaw": Normal(deviation=3.0)})
    data = config.data.model_copy(update={"synthetic": turned})
    changed = config.model_copy(update={"data": data})
    with pytest.raises(CorpusError, match=r"synthetic\.yaw\.deviation: expected 3.0, got 28.0"):
        write_corpus(folder, changed, model, FACES, 3, MAPS, "png")
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(CorpusError, match="expected a new folder or a corpus"):
        write_corpus(tmp_path, config, model, 1)


@pytest.mark.slow
def test_training_reads_a_corpus_for_ever(folder, config, model, decoder) -> None:
    synthetic = config.data.synthetic.model_copy(update={"records": [str(folder)]})
    data = config.data.model_copy(update={"synthetic": synthetic})
    batches = list(training_batches(data, model, decoder, 8, seed=1).take(5))
    resumed = next(iter(training_batches(data, model, decoder, 8, seed=1, first_step=4)))
    np.testing.assert_array_equal(batches[4][1]["code"], resumed[1]["code"])
    codes = np.concatenate([targets["code"] for _, targets in batches])
    assert len(np.unique(codes, axis=0)) == FACES  # each once in 20, then again
    assert batches[0][0].dtype == tf.float32
    assert np.max(batches[0][0]) <= 1.0


def test_the_speed_is_that_of_a_full_pipeline() -> None:
    assert rate([0.0] * 511) == ""
    assert rate([0.0] * 256 + [10.0 + 0.02 * i for i in range(300)]) == ", 50 a second"


def run(repository: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess:
    config = str(repository / "configs" / "inverse_facenet_quickstart.yaml")
    return subprocess.run(
        [sys.executable, "-m", "tfface.data.synthesize", "--config", config, *SMALL, *arguments],
        cwd=repository, capture_output=True, text=True, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_line_tells_its_speed(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "corpus"
    done = run(repository, "--output", str(output), "--faces", "520", "--map", "mask")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"520 faces in {output}, \d+ a second\n", done.stdout)
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["maps"] == ["mask"]


@pytest.mark.slow
def test_a_full_disk(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "corpus"
    limit = 30_000
    done = run(
        repository, "--output", str(output), "--faces", "40", "--encoding", "png",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "tfface.data.synthesize: " in done.stderr.splitlines()[-1]
    assert "part-00000" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert [path.name for path in output.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["data.synthetic.yaw={distribution: odd}"], "constant or uniform or normal"),
        (["data.synthetic.yaw={distribution: uniform, low: 20, high: 10}"], "low, 20"),
        (["data.synthetic.crop_scale={distribution: normal, deviation: 50}"], "from -1 to 1"),
        (["--faces", "0"], "--faces: expected a whole number from 1 up, got '0'"),
        (["--map", "colour"], "invalid choice: 'colour'"),
        (["face_model.path=/nowhere.h5"], "/nowhere.h5"),
        (["data.synthetic.backgrounds=/nowhere"], "/nowhere"),
        (
            ["data.synthetic.expression={distribution: samples, bias: [" + "1," * 70 + "1]}"],
            "data.synthetic.expression.bias: expected at most 64 numbers, got 71",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    expected: str,
) -> None:
    config = str(repository / "configs" / "inverse_facenet_quickstart.yaml")
    try:
        status = main(["--config", config, "--output", str(tmp_path / "x"), *SMALL, *arguments])
    except SystemExit as stopped:
        status = stopped.code
    errors = capsys.readouterr().err.strip().splitlines()
    assert status == 2
    assert expected in errors[-1]
