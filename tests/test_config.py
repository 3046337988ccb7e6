"""Configurations: what loads, and what a person is told about a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfface.config import (
    CoarseFineConfig,
    Config,
    ConfigError,
    InverseFaceNetConfig,
    load_config,
)

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "evaluation")
MINIMAL = "system: mofa\noutput: runs/test\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(MINIMAL)
    return path


def test_the_defaults_are_the_paper_s_weights(file: Path) -> None:
    losses = load_config(file).losses
    assert losses.photometric == 1.92
    assert losses.regularizer == 2.9e-5
    assert (losses.albedo, losses.expression) == (1.7e-3, 0.8)


def test_overrides_are_yaml_values(file: Path) -> None:
    config = load_config(
        file,
        [
            "optimizer.learning_rate=1e-3",
            "training.devices=[CPU:0, CPU:1]",
            "face_model.identity=null",
            "training.mixed_precision=true",
        ],
    )
    assert config.optimizer.learning_rate == 1e-3
    assert config.training.devices == ["CPU:0", "CPU:1"]
    assert config.face_model.identity is None
    assert config.training.mixed_precision is True


def test_every_system_has_its_own_sections(file: Path) -> None:
    with pytest.raises(ConfigError, match="losses.identity: unknown key"):
        load_config(file, ["losses.identity=2"])
    config = load_config(file, ["system=inverse_facenet", "losses.identity=2"])
    assert isinstance(config, InverseFaceNetConfig)
    assert config.losses.identity == 2


@pytest.mark.parametrize(
    ("system", "instead"),
    [("inverse_facenet", "bootstrapping"), ("identity_regression", "unsupervised")],
)
@pytest.mark.parametrize("key", ["records", "validation_records"])
def test_photos_cannot_teach_codes(file: Path, key: str, system: str, instead: str) -> None:
    with pytest.raises(ConfigError, match=rf"data: expected no {key}.*{instead}\.records"):
        load_config(file, [f"system={system}", f"data.{key}=[photos]"])


def test_identity_regression_draws_its_faces_and_wants_a_network_that_has_learned(
    file: Path,
) -> None:
    system = "system=identity_regression"
    with pytest.raises(ConfigError, match=r"data: expected no synthetic\.records"):
        load_config(file, [system, "data.synthetic.records=[corpus]"])
    with pytest.raises(ConfigError, match=r"model\.weights: expected a file"):
        load_config(file, [system, "model.encoder=facenet"])
    assert load_config(file, [system, "model.encoder=facenet", "model.weights=mine.h5"])


def test_rounds_of_bootstrapping_want_photos(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"rounds: expected 0 without bootstrapping\.records"):
        load_config(file, ["system=inverse_facenet", "bootstrapping.rounds=3"])


def test_a_later_override_wins(file: Path) -> None:
    assert load_config(file, ["seed=3", "seed=4"]).seed == 4


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("glases=0.1", "glases: unknown key, expected one of identity.*did you mean 'glasses'"),
        ("yaw={distribution: normal, deviaton: 3}", "yaw.deviaton: .*did you mean 'deviation'"),
        ("yaw={distribution: gauss}", "yaw: expected distribution: constant or uniform"),
    ],
)
def test_a_mistake_in_a_section_that_may_be_none_is_found(
    repository: Path, override: str, expected: str
) -> None:
    for file in ("coarse_fine", "coarse_fine_quickstart"):
        place = "command line: end_to_end.synthetic."
        with pytest.raises(ConfigError, match=place + expected):
            load_config(repository / f"configs/{file}.yaml", [f"end_to_end.synthetic.{override}"])


def test_none_can_become_a_section(repository: Path, tmp_path: Path) -> None:
    """As a run writes it into its own file."""
    written = tmp_path / "config.yaml"
    written.write_text(load_config(repository / "configs/coarse_fine_quickstart.yaml").to_yaml())
    config = load_config(written, ["end_to_end.synthetic.glasses=0.5"])
    assert isinstance(config, CoarseFineConfig)
    assert config.end_to_end.synthetic is not None
    assert config.end_to_end.synthetic.glasses == 0.5


def test_a_section_merged_into_another_is_changed_alone(repository: Path) -> None:
    """`<<` shares what it brings, also further down."""
    config = load_config(repository / "configs/coarse_fine.yaml", ["data.synthetic.yaw.low=-1.0"])
    assert isinstance(config, CoarseFineConfig)
    first, second = config.data, config.drawn_for_fine_net
    assert (first.synthetic.yaw.low, second.synthetic.yaw.low) == (-1.0, -65.0)
    assert first.synthetic.expression == second.synthetic.expression
    assert (first.augmentation.blur, second.augmentation.blur) == (1.5, 0.8)
    assert first.augmentation.colour == second.augmentation.colour


def test_written_yaml_loads_again(file: Path, tmp_path: Path) -> None:
    config = load_config(
        file,
        [
            "optimizer.multipliers.translation=0.005",
            "seed=7",
            "data.synthetic.yaw={distribution: uniform, low: -3, high: 3}",
            "data.synthetic.albedo={distribution: samples, bias: [1, 2]}",
        ],
    )
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert load_config(again) == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configs_load(path: Path) -> None:
    assert isinstance(load_config(path), Config)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.batchsize=3", ["training.batchsize", "unknown", "did you mean 'batch_size'"]),
        ("trainig.epochs=3", ["trainig", "did you mean 'training'"]),
        ("training.batch_size=abc", ["training.batch_size", "expected integer", "'abc' (str)"]),
        ("training.batch_size=0", ["training.batch_size", "greater than or equal to 1", "0 (int)"]),
        ("optimizer.learning_rate=true", ["optimizer.learning_rate", "number", "True (bool)"]),
        ("system=nonsense", ["system", "mofa or inverse_facenet", "'nonsense'"]),
        ("training=3", ["training: expected a section", "3 (int)"]),
        ("training.devices=[gpu]", ["training.devices.0", "CPU:0", "'gpu'"]),
        ("optimizer.multipliers.albedo=x", ["optimizer.multipliers.albedo", "number", "'x'"]),
        ("seed.x=3", ["seed", "expected integer", "a section"]),
        ("seed", ["key=value", "'seed'"]),
        ("seed=4294967296", ["seed: expected", "4294967296"]),
        ("output=''", ["output: expected", "''"]),
        ("optimizer.learning_rate=.inf", ["optimizer.learning_rate: expected", "inf"]),
        (
            "data.synthetic.yaw={distribution: constant, value: 270}",
            ["data.synthetic.yaw: expected numbers from -180 to 180"],
        ),
        (
            "data.synthetic.crop_scale={distribution: uniform, low: -0.1, high: 50}",
            ["data.synthetic.crop_scale: expected numbers from -1 to 1"],
        ),
        (
            "data.synthetic.ambient={distribution: uniform, low: 0.9, high: 0.1}",
            ["data.synthetic.ambient.high: expected a number of at least low, 0.9", "0.1 (float)"],
        ),
        (
            "data.synthetic.directional={distribution: uniform, low: -5, high: -4}",
            ["data.synthetic.directional: expected a distribution that gives no negative number"],
        ),
        (
            "data.synthetic.ambient={distribution: normal, deviation: 0.1}",
            ["data.synthetic.ambient: expected a distribution that gives no negative number"],
        ),
        (
            "data.synthetic.yaw={distribution: gaussian, deviation: 3}",
            ["data.synthetic.yaw", "constant or uniform or normal", "'gaussian'"],
        ),
        ("data.synthetic.yaw.deviation=3", ["data.synthetic.yaw", "distribution", "got nothing"]),
        (
            "data.synthetic.yaw={distribution: normal, deviaton: 3}",
            ["data.synthetic.yaw.deviaton: unknown key", "did you mean 'deviation'"],
        ),
        (
            "data.synthetic.expression={distribution: samples, scale: {distribution: normal}}",
            ["data.synthetic.expression.scale.deviation: expected a value"],
        ),
        (
            "data.synthetic.yaw={distribution: normal, mean: 90, deviation: 1, low: -5, high: 5}",
            ["data.synthetic.yaw.high: expected bounds on both sides of the mean, 90", "5 (int)"],
        ),
        (
            "data.synthetic.yaw={distribution: normal, deviation: 1, low: 5}",
            ["data.synthetic.yaw.high: expected bounds on both sides of the mean, 0"],
        ),
        ("data.synthetic.identity=2", ["data.synthetic.identity: expected a section", "2 (int)"]),
        ("model={encoder: [}", ["model", "YAML"]),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    file: Path, override: str, expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(file, [override])
    message = str(caught.value)
    assert message.startswith("command line: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("system: mofa\n", ["output", "got nothing"]),
        (MINIMAL + "losses: null\n", ["losses", "a section"]),
        (MINIMAL + "losses: {photometrik: 1}\n", ["losses.photometrik", "'photometric'"]),
        ("- 1\n", ["mapping of sections"]),
        ("a: [", ["expected YAML"]),
        (MINIMAL + "seed: 1\nseed: 2\n", ["the key 'seed' twice"]),
    ],
)
def test_a_mistake_in_a_file_names_the_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_a_missing_or_binary_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml"):
        load_config(binary)
