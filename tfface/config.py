"""The schema of `configs/*.yaml`: what a training run is told, checked before it starts.

`load_config("configs/mofa.yaml", ["training.batch_size=8"])` reads a file, applies overrides in
the dotted form of the command line, and returns a frozen `Config`. Every mistake is a
`ConfigError` of one line that names the place, the key, what was expected and what was found.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("be two numbers, not negative, the smaller one first")
    return ends


# YAML has lists, not tuples.
Range = Annotated[tuple[float, float], Field(strict=False), pydantic.AfterValidator(_ordered)]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line."""


class Section(pydantic.BaseModel):
    """A part of the configuration: no unknown keys, no silent conversions, no changes."""

    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )


class FaceModelConfig(Section):
    """Which face: `path` is `default` or a file; modes null = all that the model has.

    The default model has two meshes for the same codes: `detail` is trained on, `exported` is
    what `decode` of the exported model draws.
    """

    path: str = "default"
    detail: Literal["coarse", "fine"] = "coarse"
    exported: Literal["coarse", "fine"] = "fine"
    identity: Count | None = 80
    expression: Count | None = 64
    albedo: Count | None = 80


class ModelConfig(Section):
    """The network, its input, and the camera of a crop.

    `encoder` is the paper's AlexNet or VGG-Face, or a small one for CPUs; `image_size` the side of
    its input in pixels; `weights` is the user's file of published encoder weights,
    `sampled_vertices` the stochastic sample of the photometric loss (null = all), `focal_length`
    counts sides of the crop.
    """

    encoder: Literal["compact", "alexnet", "vgg_face"] = "compact"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 96
    weights: str | None = None
    sampled_vertices: Count | None = None
    focal_length: Positive = 4.5


class LossesConfig(Section):
    """Weights of the terms, equations (7) to (10) of the MoFA paper; 0 switches a term off.

    `landmark` is the optional surrogate, `regularizer`, `albedo` and `expression` are w_reg,
    w_beta and w_delta, and `supervision` compares with the truth of synthetic faces (not in the
    paper).
    """

    photometric: NotNegative = 1.92
    landmark: NotNegative = 0.0
    regularizer: NotNegative = 2.9e-5
    albedo: NotNegative = 1.7e-3
    expression: NotNegative = 0.8
    supervision: NotNegative = 0.0


class SyntheticConfig(Section):
    """How the faces that are drawn from the face model vary.

    `identity_sigma` scales normal identities, `expression_scale` is the range that natural
    expressions are scaled by, `albedo_noise` what is added to natural reflectances, in sigmas.
    `yaw`, `pitch` and `roll` are standard deviations in degrees; `crop_scale` and `crop_shift`
    those of the crop, relative to its side; `ambient` and `directional` ranges of the light's
    strength, `light_tint` the standard deviation of its colour; `hair` the probability of a mop
    of hair. Pictures are drawn `supersampling` times larger than needed and averaged. With a
    `corpus` size, so many faces are drawn once and repeated; null draws new ones for ever.
    """

    identity_sigma: NotNegative = 1.0
    expression_scale: Range = (0.2, 1.1)
    albedo_noise: NotNegative = 0.25
    yaw: NotNegative = 28.0
    pitch: NotNegative = 10.0
    roll: NotNegative = 8.0
    crop_scale: NotNegative = 0.06
    crop_shift: NotNegative = 0.03
    ambient: Range = (0.4, 0.85)
    directional: Range = (0.0, 0.7)
    light_tint: NotNegative = 0.06
    hair: Fraction = 0.8
    supersampling: Count = 2
    corpus: Count | None = None


class AugmentationConfig(Section):
    """Largest changes to a training crop; all 0 leaves it as it is.

    `shift` and `scale` are fractions of the crop's side, `rotation` is in degrees, `colour`,
    `noise` in [0, 1] of the colour range, `blur` a sigma in pixels, `jpeg`, `occlusion` and
    `mirror` are probabilities.
    """

    shift: Fraction = 0.0
    scale: Fraction = 0.0
    rotation: NotNegative = 0.0
    colour: Fraction = 0.0
    noise: Fraction = 0.0
    blur: NotNegative = 0.0
    jpeg: Fraction = 0.0
    occlusion: Fraction = 0.0
    mirror: Fraction = 0.0


class DataConfig(Section):
    """Where training faces come from: TFRecord globs, drawn faces, or a mixture.

    `records_fraction` is the part of a batch that comes from `records`; without records all faces
    are drawn from the face model. `validation_records` are faces to watch, not to train on (empty =
    other drawn faces).
    """

    records: list[str] = []
    records_fraction: Fraction = 0.5
    validation_records: list[str] = []
    synthetic: SyntheticConfig = SyntheticConfig()
    augmentation: AugmentationConfig = AugmentationConfig()


class OptimizerConfig(Section):
    """The optimiser.

    `learning_rate` is reached after `warmup_steps` and then stays, or falls to zero as a cosine at
    the end of the last epoch (`schedule`). `clip_norm` bounds the norm of all gradients together.
    `multipliers` multiply the learning rate of single code parts.
    """

    name: Literal["adam", "adamw", "adadelta", "sgd"] = "adam"
    learning_rate: Positive = 3e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    multipliers: dict[str, NotNegative] = {}
    clip_norm: Positive | None = None


class TrainingConfig(Section):
    """Length, batches and devices of a run.

    An epoch is `steps_per_epoch` batches, then `validation_steps` batches to watch. Checkpoints are
    written every `checkpoint_every_epochs`, pictures every `image_every_epochs`. `mixed_precision`
    computes the encoder in float16. `batch_size` is global: devices share it. `devices` names those
    of `mirrored` (`CPU:1` makes logical CPUs; null = every GPU) or the one of `one_device`;
    `multi_worker` reads TF_CONFIG.
    """

    batch_size: Count = 16
    epochs: Count = 10
    steps_per_epoch: Count = 100
    validation_steps: Count = 4
    strategy: Literal["one_device", "mirrored", "multi_worker"] = "one_device"
    devices: list[Annotated[str, Field(pattern=r"^(CPU|GPU):\d+$")]] | None = None
    mixed_precision: bool = False
    checkpoint_every_epochs: Count = 1
    image_every_epochs: Count = 1


class Config(Section):
    """A whole training run. `output` is the folder it writes, `seed` fixes every draw."""

    system: Literal["mofa"]
    output: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    face_model: FaceModelConfig = FaceModelConfig()
    model: ModelConfig = ModelConfig()
    losses: LossesConfig = LossesConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()

    def to_yaml(self) -> str:
        """Returns the whole configuration, defaults included, as YAML that loads again."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file, applies `a.b=value` overrides, and checks the result.

    Raises:
        ConfigError: one line: place, dotted key, what was expected, what was found.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, got: {error}") from None
    tree = _parse_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {_describe(tree)}")
    from_command_line = set()
    for override in overrides:
        key, value = _parse_override(override)
        _insert(tree, key, value)
        from_command_line.add(tuple(key))
    try:
        return Config.model_validate(tree)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        overridden = any(_overlap(first["loc"], key) for key in from_command_line)
        place = "command line" if overridden else str(path)
        raise ConfigError(f"{place}: {_explain(first)}") from None


class _Loader(yaml.SafeLoader):
    """YAML whose `1e-3` is a number, as in YAML 1.2 and as everyone expects."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping; YAML forbids a key that is there twice, PyYAML takes the last."""
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = [key for number, key in enumerate(keys) if key in keys[:number]]
    if twice:
        raise yaml.MarkedYAMLError(
            problem=f"the key {twice[0]!r} twice", problem_mark=node.start_mark
        )
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def _parse_yaml(text: str, place: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{place}: expected YAML, got: {' '.join(str(error).split())}") from None


def _parse_override(override: str) -> tuple[list[str], Any]:
    key, equals, value = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"command line: expected key=value such as seed=3, got {override!r}")
    return parts, _parse_yaml(value, f"command line: {key}")


def _insert(tree: dict[str, Any], key: Sequence[str], value: Any) -> None:
    for depth, part in enumerate(key[:-1]):
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            parent = ".".join(key[: depth + 1])
            raise ConfigError(f"command line: {parent}: expected a section, got {_describe(tree)}")
    tree[key[-1]] = value


def _overlap(location: tuple[str | int, ...], key: tuple[str, ...]) -> bool:
    return all(a == b for a, b in zip(location, key, strict=False))


# The wordings of pydantic that a person who edits YAML would not use.
_WORDINGS = (
    (r"^input should be (a valid )?", ""),
    (r"^string should match pattern .*$", "names such as CPU:0 or GPU:1"),
    (r"^value error, ", ""),
    (r"^(a valid )?dictionary or instance of \w+$", "a section"),
)


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key}: {_unknown_key(error['loc'])}"
    if error["type"] == "missing":
        return f"{key}: expected a value, got nothing"
    expected = error["msg"][0].lower() + error["msg"][1:]
    for pattern, wording in _WORDINGS:
        expected = re.sub(pattern, wording, expected)
    return f"{key}: expected {expected}, got {_describe(error['input'])}"


def _unknown_key(location: Sequence[str | int]) -> str:
    section: type[pydantic.BaseModel] = Config
    for part in location[:-1]:
        section = section.model_fields[str(part)].annotation  # type: ignore[assignment]
    known = list(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown key, expected one of {', '.join(known)}{hint}"


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "a section" if value else "an empty section"
    return f"{value!r} ({type(value).__name__})" if value is not None else "nothing"
