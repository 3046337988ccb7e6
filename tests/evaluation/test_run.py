"""`python -m tfface.evaluate`: goes on where it stopped, and reports what it measured."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import yaml

from tfface import evaluate as command_line
from tfface.config import ConfigError, EvaluationConfig, load_evaluation_config
from tfface.data.photos import PhotoError
from tfface.evaluation import report, run
from tfface.evaluation.measures import FOUND
from tfface.evaluation.report import markdown, mean_errors
from tfface.evaluation.run import evaluate
from tfface.evaluation.samples import Sample
from tfface.evaluation.test_sets import OpenTestSet

IMAGE = np.zeros((40, 40, 3), np.uint8)


class Face:
    """What a system finds; its error is the brightness of the picture."""

    def __init__(self, image):
        self.landmarks_68 = np.zeros((68, 2))
        self.photometric_error = float(image.mean()) / 100 if image.mean() != 5 else np.nan
        self.detail = None


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The pictures that systems were shown; those of even number have no face, 6 is damaged."""
    pictures: list[str] = []

    class System:
        model, digest = None, "of a stub"

        def __call__(self, image, name):
            pictures.append(name)
            return [Face(image)] if int(name) % 2 else []

    def read(name):
        if name == "6":
            raise PhotoError("6: no picture")
        return Sample(name, IMAGE + int(name))

    for cached in (run._config, run._test_set, run._system):
        cached.cache_clear()
    names = [str(number) for number in range(7)]
    monkeypatch.setattr(run, "open_system", lambda name, settings: System())
    monkeypatch.setattr(run, "open_test_set", lambda settings, seed: OpenTestSet(names, read))
    return pictures


@pytest.fixture
def config(tmp_path) -> EvaluationConfig:
    return EvaluationConfig(
        output=str(tmp_path / "out"),
        systems={"one": {}, "two": {"model": "mofa"}},
        test_sets={"drawn": {"kind": "drawn", "limit": 7}},
        worst=0,
    )


def test_every_system_sees_every_picture_once(asked, config, capsys):
    found, failed = evaluate(config)
    assert failed == 2
    assert sorted(asked) == sorted(2 * [str(number) for number in range(6)])
    assert found["drawn"]["one"]["3"] == {"photometric": 0.03}
    assert found["drawn"]["two"]["4"] == {}
    assert "6" not in found["drawn"]["two"]
    told = capsys.readouterr().err
    for name in ("one", "two"):
        assert f"tfface.evaluate: drawn: 6: {name}: PhotoError: 6: no picture" in told
    asked.clear()
    np.testing.assert_equal(evaluate(config).found, found)
    assert not asked


def test_a_mistake_does_not_claim_the_folder(config, asked, monkeypatch, tmp_path):
    def missing(name, settings):
        raise ConfigError(f"systems.{name}: no such model")

    with monkeypatch.context() as patch:
        patch.setattr(run, "open_system", missing)
        with pytest.raises(ConfigError, match=r"systems\.one: no such model"):
            evaluate(config)
    assert not (tmp_path / "out/configuration.yaml").exists()
    evaluate(config)


def test_a_stopped_call_goes_on(asked, config, tmp_path):
    evaluate(config)
    file = tmp_path / "out/errors/drawn/one.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]) + lines[2][:9])
    asked.clear()
    found, _ = evaluate(config)
    assert set(asked) == {json.loads(line)[0] for line in lines[2:]}
    assert len(found["drawn"]["one"]) == len(file.read_text().splitlines()) == 6


def test_systems_can_be_added_but_not_changed(asked, config):
    evaluate(config)
    asked.clear()
    more = config.model_copy(update={"systems": {**config.systems, "three": config.systems["one"]}})
    assert set(evaluate(more).found["drawn"]) == {"one", "two", "three"}
    assert len(asked) == 6
    other = config.systems["one"].model_copy(update={"refine": "opt"})
    changed = config.model_copy(update={"systems": {"three": other}})
    with pytest.raises(ConfigError, match="holds an evaluation with another systems.three"):
        evaluate(changed)
    with pytest.raises(ConfigError, match="holds an evaluation with another seed"):
        evaluate(config.model_copy(update={"seed": 9}))


def test_another_model_of_the_same_name_is_another_evaluation(asked, config, monkeypatch):
    evaluate(config)
    trained = run.open_system("two", config.systems["two"])
    trained.digest = "of one that was trained longer"
    monkeypatch.setattr(run, "open_system", lambda name, settings: trained)
    with pytest.raises(ConfigError, match="holds an evaluation of another model one"):
        evaluate(config)


def test_what_is_reported(asked, config, monkeypatch, tmp_path):
    for name in ("open_system", "open_test_set"):
        monkeypatch.setattr(report, name, getattr(run, name))
    found, _ = evaluate(config)
    text = report.write_report(config, found)
    assert (tmp_path / "out/report.md").read_text() == text
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["photometric.drawn.one"] == pytest.approx((1 + 3) / 200)  # 5 is NaN
    assert results[f"{FOUND}.drawn.two"] == pytest.approx(3 / 6)
    lines = list(csv.DictReader((tmp_path / "out/results.csv").open()))
    assert {"picture": "3", "error": "0.03"}.items() <= lines[1].items()
    np.testing.assert_equal(evaluate(config).found, found)  # NaN as well, from the disk
    assert "no face found: 0, 2, 4" in (tmp_path / "out/worst.html").read_text()
    assert (tmp_path / "out/curves_drawn.png").stat().st_size > 1000


def test_means_leave_out_what_was_not_found_and_group_by_yaw():
    pictures = {
        "a": {"landmark_box_nme": 0.02, "yaw": 10.0, "photometric": np.nan},
        "b": {"landmark_box_nme": 0.04, "yaw": -50.0, "photometric": 0.1},
        "c": {},
    }
    row = mean_errors({"system": pictures})["system"]
    assert row[FOUND] == pytest.approx(2 / 3)
    assert row["landmark_box_nme"] == pytest.approx(0.03)
    assert row["photometric"] == pytest.approx(0.1)
    groups = [value for name, value in row.items() if "yaw" in name]
    np.testing.assert_allclose(groups, [0.02, 0.04, np.nan, 0.03])
    table = markdown("faces", {"one": {"b": 0.1}, "other": {"a": 2.0}}, {"b": "B"}, ("a", "b"))
    assert table.splitlines()[0] == "| faces | a | B |"
    assert table.splitlines()[2:] == ["| one |  | 0.1 |", "| other | 2 |  |"]


def written(tmp_path, **changes) -> str:
    tree = {
        "output": str(tmp_path / "out"),
        "systems": {"mofa": {}},
        "test_sets": {"drawn": {"kind": "drawn", "limit": 1}},
        **changes,
    }
    (tmp_path / "evaluation.yaml").write_text(yaml.safe_dump(tree))
    return str(tmp_path / "evaluation.yaml")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"systems": {"mofa": {"refine": "best"}}}, "systems.mofa.refine: expected 'opt'"),
        ({"systems": {"mofa": {"modle": "x"}}}, "systems.mofa.modle: unknown key, expected one"),
        ({"test_sets": {"x": {"kind": "now"}}}, "test_sets.x: expected path, the folder of now"),
        ({"test_sets": {"x": {"kind": "drawn"}}}, "test_sets.x: expected a set that is drawn with"),
        ({"systems": {"../mofa": {}}}, "expected letters, digits, - and _, got '../mofa'"),
        ({"test_sets": {"x": {"kind": "drawn", "limit": 1, "match": "("}}}, "a regular expression"),
        ({"workers": 0}, "workers: expected greater than or equal to 1, got 0"),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration(tmp_path, capsys, changes, reason):
    assert command_line.main(["--config", written(tmp_path, **changes)]) == 2
    assert reason in capsys.readouterr().err


def test_systems_that_are_not_there(tmp_path, capsys):
    for systems, reason in (
        ({"nobody": {}}, "systems.nobody: "),
        ({"coarse_fine": {"refine": "opt"}}, "systems.coarse_fine: coarse_fine: expected codes"),
        ({"mean_face": {"refine": "opt"}}, "systems.mean_face.refine: expected nothing"),
    ):
        assert command_line.main(["--config", written(tmp_path, systems=systems)]) == 2
        assert reason in capsys.readouterr().err


def test_the_configuration_that_ships_is_read(repository):
    config = load_evaluation_config(repository / "configs/evaluation.yaml", ["workers=2"])
    assert config.workers == 2
    assert "mean_face" in config.systems


@pytest.mark.slow
def test_processes_share_the_pictures(tmp_path):
    """With what ships: MoFA sees more than the mean face."""
    systems = {"mean_face": {}, "mofa": {}}
    sets = {"drawn": {"kind": "drawn", "limit": 1}}
    file = written(tmp_path, systems=systems, test_sets=sets, workers=2, worst=1)
    assert command_line.main(["--config", file]) == 0
    output = tmp_path / "out"
    numbers = json.loads((output / "results.json").read_text())
    assert numbers["scan_to_mesh_mm.drawn.mofa"] < numbers["scan_to_mesh_mm.drawn.mean_face"]
    assert (output / "worst/drawn/mofa_1.png").stat().st_size > 10_000
    assert "worst/drawn/mofa_1.png" in (output / "worst.html").read_text()
