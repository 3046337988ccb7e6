"""The package: cheap to import, and complete in a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import tfface
from tfface.data.detection import FaceDetector
from tfface.data.photos import read_photo
from tfface.metrics import normalized_mean_error
from tfface.morphable.default import load_default_face_model


def _run(code: str, folder: Path, *paths: Path) -> str:
    path = ":".join(str(path) for path in paths)
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_loads_no_tensorflow(tmp_path: Path, repository: Path) -> None:
    code = "import sys, tfface, tfface.config; print('tensorflow' in sys.modules)"
    assert _run(code, tmp_path, repository) == "False"


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        tfface.nothing_of_this_name  # noqa: B018


def test_an_unknown_shipped_model_is_told_with_the_known_ones() -> None:
    with pytest.raises(FileNotFoundError, match="expected one of .* got 'nobody'"):
        tfface.shipped_model_path("nobody")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A wheel of the checkout, installed into an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source, wheels, site = folder / "source", folder / "wheels", folder / "site"
    listing = subprocess.run(
        ["tar", "cf", str(folder / "tree.tar"), "--exclude=.git", "--exclude=.venv*",
         "--exclude=runs", "--exclude=quickstart", "--exclude=build", "--exclude=*.egg-info", "."],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert listing.returncode == 0, listing.stderr
    source.mkdir()
    subprocess.run(["tar", "xf", str(folder / "tree.tar"), "-C", str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)],
        **quiet,
    )
    wheel = next(wheels.glob("tfface-*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], **quiet)
    return site


@pytest.mark.slow
def test_a_wheel_carries_every_module_and_data_file(installed: Path, repository: Path) -> None:
    kinds = ("*.py", "*.npz", "*.json", "*.txt", "*.csv", "*.yaml", "*.md")
    wanted = {
        p.relative_to(repository) for kind in kinds for p in (repository / "tfface").rglob(kind)
    }
    assert {path for path in wanted if not (installed / path).is_file()} == set()


@pytest.mark.slow
def test_a_wheel_finds_its_shipped_models(
    installed: Path, repository: Path, tmp_path: Path
) -> None:
    shipped = [path.parent.name for path in (repository / "savedmodels").glob("*/saved_model.pb")]
    assert "mofa" in shipped
    for name in shipped:
        code = f"import tfface; print(tfface.shipped_model_path({name!r}))"
        found = Path(_run(code, tmp_path, installed))
        assert found == installed / "tfface" / "savedmodels" / name
        files = {p.relative_to(repository / "savedmodels" / name) for p in
                 (repository / "savedmodels" / name).rglob("*") if p.is_file()}  # fmt: skip
        assert {path for path in files if not (found / path).is_file()} == set()


@pytest.mark.slow
def test_a_wheel_reconstructs_a_photo_with_its_own_model(installed: Path, tmp_path: Path) -> None:
    """The 68 landmarks of the face lie where the detector finds them, to 5 % of the eyes."""
    photo = Path(skimage.data_dir) / "astronaut.png"
    output = _run(
        "import sys; from tfface.reconstruct import main;"
        f"sys.exit(main([{str(photo)!r}, '--output', 'results']))",
        tmp_path, installed,
    )  # fmt: skip
    assert output.splitlines()[-1] == str(Path("results") / "astronaut")
    result = json.loads((tmp_path / "results/astronaut/reconstruction.json").read_text())
    found = FaceDetector().detect(read_photo(photo))[0].landmarks
    assert normalized_mean_error(np.array([result["landmarks_68"]]), found[None])[0] < 0.05
    assert (tmp_path / "results/astronaut/mesh.glb").stat().st_size > 100_000


# Bytes: the network that looks at people; the meshes that passes and details draw, with tables; the
# face model that was learned.
LARGER = {"identity_regression": 12e6, "coarse_fine": 14e6, "fml": 12e6}


def test_shipped_models_are_small_and_agree(repository: Path) -> None:
    for folder in (repository / "savedmodels").glob("*/"):
        files = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".tflite"]
        assert sum(path.stat().st_size for path in files) <= 25e6 + LARGER.get(folder.name, 0)
        size = json.loads((folder / "metadata.json").read_text())["image_size"]
        images = np.random.default_rng(0).random((1, size, size, 3), np.float32)
        model = tf.saved_model.load(str(folder))  # kept: it owns the variables
        expected = model.serve(images)
        if hasattr(model, "serve_trajectory"):  # TFLite has the first pass
            expected = {k: v[:, 1] for k, v in model.serve_trajectory(images).items()}
        runner = Interpreter(str(folder / "encoder.tflite")).get_signature_runner("serve")
        for name, value in runner(images=images).items():
            scale = 1 + np.abs(expected[name]).max()
            np.testing.assert_allclose(value, expected[name], atol=0.01 * scale)


def test_shipped_models_have_the_mesh_of_the_default_face_model(repository: Path) -> None:
    for folder in (repository / "savedmodels").glob("*/"):
        # FML learns the reflectance of each vertex of the mesh that it is trained with.
        face_model = load_default_face_model("coarse" if folder.name == "fml" else "fine")
        with np.load(folder / "topology.npz") as topology:
            for name in ("triangles", "landmarks", "contour"):
                np.testing.assert_array_equal(topology[name], getattr(face_model, name))
