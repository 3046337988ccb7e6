"""Reading configurations, and telling a person what is wrong with one."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic
import yaml

from tfface.config.evaluation import EvaluationConfig
from tfface.config.schema import CONFIGS, Config
from tfface.config.sections import ConfigError, Section

Keys = tuple[str, ...]
_Kind = typing.TypeVar("_Kind", bound=Section)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads the YAML file of a training, applies `a.b=value` overrides, and checks the result.

    Raises:
        ConfigError: one line: place, dotted key, what was expected, what was found.
    """
    tree, given = _read(path, overrides)
    name = tree.get("system")
    if not isinstance(name, str) or name not in CONFIGS:
        place = _place(["system"], given, path)
        names = " or ".join(CONFIGS)
        raise ConfigError(f"{place}: system: expected {names}, got {_describe(name)}")
    return _validated(tree, CONFIGS[name], given, path)


def load_evaluation_config(path: str | Path, overrides: Sequence[str] = ()) -> EvaluationConfig:
    """As `load_config`, of an evaluation.

    Raises:
        ConfigError: as `load_config`.
    """
    tree, given = _read(path, overrides)
    return _validated(tree, EvaluationConfig, given, path)


def _read(path: str | Path, overrides: Sequence[str]) -> tuple[dict[str, Any], set[Keys]]:
    """The tree of a file with its overrides, and the keys of these."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, got: {error}") from None
    tree = _parse_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {_describe(tree)}")
    given = set()
    for override in overrides:
        key, value = _parse_override(override)
        _insert(tree, key, value)
        given.add(tuple(key))
    return tree, given


def _validated(
    tree: dict[str, Any], kind: type[_Kind], given: set[Keys], path: str | Path
) -> _Kind:
    try:
        return kind.model_validate(tree)
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False)
        # A misspelt key is also a missing one.
        misspelt = [found for found in errors if found["type"] == "extra_forbidden"]
        keys, mistake = _explain((misspelt or errors)[0], kind)
    raise ConfigError(f"{_place(keys, given, path)}: {'.'.join(keys)}: {mistake}")


def _place(keys: Sequence[str], given: set[Keys], path: str | Path) -> str:
    return "command line" if any(_overlap(keys, own) for own in given) else str(path)


class _Loader(yaml.SafeLoader):
    """YAML whose `1e-3` is a number, as in YAML 1.2 and as everyone expects."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping; YAML forbids a key that is there twice, PyYAML takes the last.

    But keys may be there again that `<<` brings.
    """
    keys = [loader.construct_object(key) for key, _ in node.value if key.value != "<<"]
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
        below = tree.get(part)
        below = {} if below is None else below  # `null` is how a run's own file writes none
        if not isinstance(below, dict):
            parent = ".".join(key[: depth + 1])
            raise ConfigError(f"command line: {parent}: expected a section, got {_describe(below)}")
        tree[part] = dict(below)  # its own, where `<<` made it another's too
        tree = tree[part]
    tree[key[-1]] = value


def _overlap(keys: Sequence[str], others: Sequence[str]) -> bool:
    return all(a == b for a, b in zip(keys, others, strict=False))


# The wordings of pydantic that a person who edits YAML would not use.
_WORDINGS = (
    (r"^input should be (a valid )?", ""),
    (r"^string should match pattern '\^\[\\w-\]\+\$'$", "letters, digits, - and _"),
    (r"^string should match pattern .*$", "names such as CPU:0 or GPU:1"),
    (r"^value error, ", ""),
    (r"^(a valid )?dictionary or (instance of \w+|object to extract fields from)$", "a section"),
)


def _explain(error: Any, kind: type[Section]) -> tuple[list[str], str]:
    """Where a mistake is, as keys, and what is wrong there."""
    keys, known = _walk(error["loc"], kind)
    found = error["input"]
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(keys[-1], known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return keys, f"unknown key, expected one of {', '.join(known)}{hint}"
    if error["type"] == "missing":
        return keys, "expected a value, got nothing"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        tag = found.get("distribution") if isinstance(found, dict) else None
        return keys, f"expected distribution: {' or '.join(known)}, got {_describe(tag)}"
    expected = error["msg"][0].lower() + error["msg"][1:]
    for pattern, wording in _WORDINGS:
        expected = re.sub(pattern, wording, expected)
    return keys, f"expected {expected}, got {_describe(found)}"


def _walk(location: Sequence[str | int], kind: type[Section]) -> tuple[list[str], list[str]]:
    """The keys of a place, without the distribution that pydantic names beside them.

    Returns:
        The keys, and what is known there: the distributions, or the keys of its section.
    """
    keys: list[str] = []
    annotation: Any = kind
    known: list[str] = []
    for part in location:
        if part in _distributions(annotation):
            annotation = _distributions(annotation)[str(part)]
            continue
        keys.append(str(part))
        fields = _fields(annotation)
        known = list(fields)
        if typing.get_origin(annotation) is dict:  # of sections by name
            annotation = typing.get_args(annotation)[1]
        else:
            annotation = _given(fields[part].annotation) if part in fields else None
    return keys, list(_distributions(annotation)) or known


def _given(annotation: Any) -> Any:
    """The section of an annotation such as `Section | None`; sections by name stay so."""
    if typing.get_origin(annotation) is dict:
        return annotation
    sections = [kind for kind in typing.get_args(annotation) if _fields(kind)]
    return sections[0] if len(sections) == 1 else annotation


def _distributions(annotation: Any) -> dict[str, type[Section]]:
    """name -> class of a union of distributions; empty for anything else."""
    kinds = [k for k in typing.get_args(annotation) if "distribution" in _fields(k)]
    return {_fields(kind)["distribution"].default: kind for kind in kinds}


def _fields(kind: Any) -> dict[str, Any]:
    return getattr(kind, "model_fields", {})


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "a section" if value else "an empty section"
    return f"{value!r} ({type(value).__name__})" if value is not None else "nothing"
