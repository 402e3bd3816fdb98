"""YAML without its traps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class ContentError(ValueError):
    """A file that is not strict YAML; `line` and `column` are where, `message` is what is wrong."""

    def __init__(self, message: str, mark: Any = None) -> None:
        self.line: int | None = mark.line + 1 if mark else None
        self.column: int | None = mark.column + 1 if mark else None
        self.message = message
        super().__init__(f"line {self.line}, column {self.column}: {message}" if mark else message)


# libyaml's parser, if PyYAML has it: five times faster, the same language.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """YAML without its traps: only true, false, plain decimal numbers and empty are special.

    `no` is a text (a language), `0401` is a text, a date is a text, a repeated key is an error.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}


# Each with the characters that it can begin with: no other text is held against it.
for _kind, _pattern, _beginnings in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
    ("null", r"^(?:null|~|)$", ("n", "~", "")),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), list(_beginnings)
    )


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        mark = key_node.start_mark
        if isinstance(key, list | dict):
            raise ContentError("a key is a text", mark)
        if key in found:
            raise ContentError(f"{key} is here twice", mark)
        found[key] = _value(loader, value_node)
    return found


def _list(loader: _StrictLoader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise ContentError("is no list", node.start_mark)
    return [_value(loader, value_node) for value_node in node.value]


def _value(loader: _StrictLoader, node: yaml.Node) -> Any:
    if node.tag == _TEXT and isinstance(node, yaml.ScalarNode):
        return node.value  # most of them: without the detour over a constructor
    return loader.construct_object(node, deep=True)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_StrictLoader.add_constructor("tag:yaml.org,2002:seq", _list)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises ContentError with line and column."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ContentError(str(getattr(error, "problem", error)), mark) from error


def lines_of(path: Path) -> Mapping[str, int]:
    """The line of each key of a YAML file, by its path with dots; none if it cannot be read.

    An entry of a list is known by its id, if it has one, and by its number.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), _StrictLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return {}
    return dict(_lines(node))


def _lines(node: yaml.Node | None, above: str = "") -> Iterator[tuple[str, int]]:
    """Each key, with the keys above it, and its line; entries by their id and by their number."""
    start = f"{above}." if above else ""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield f"{start}{key.value}", key.start_mark.line + 1
            yield from _lines(value, f"{start}{key.value}")
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            names = [str(number)]
            if isinstance(value, yaml.MappingNode):
                names += [each.value for key, each in value.value if key.value == "id"]
            for name in names:
                yield f"{start}{name}", value.start_mark.line + 1
                yield from _lines(value, f"{start}{name}")
