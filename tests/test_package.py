"""The package: cheap to import, and complete in a wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tfface


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
    if not shipped:
        pytest.skip("no model ships yet")
    for name in shipped:
        code = f"import tfface; print(tfface.shipped_model_path({name!r}))"
        found = Path(_run(code, tmp_path, installed))
        assert found == installed / "tfface" / "savedmodels" / name
        files = {p.relative_to(repository / "savedmodels" / name) for p in
                 (repository / "savedmodels" / name).rglob("*") if p.is_file()}  # fmt: skip
        assert {path for path in files if not (found / path).is_file()} == set()
