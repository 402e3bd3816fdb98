"""YAML without its traps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml


class ContentError(ValueError):
    """A file that is not strict YAML; the message names line and column."""


# libyaml's parser, if PyYAML has it: five times faster, the same language.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """YAML without its traps: only true, false, plain decimal numbers and empty are special.

    `no` is a text (a language), `0401` is a text, a date is a text, a repeated key is an error.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}


_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), None)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), None
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"), None
)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), None)


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        mark = key_node.start_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}"
        if isinstance(key, list | dict):
            raise ContentError(f"{where}: a key is a text")
        if key in found:
            raise ContentError(f"{where}: {key} is here twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises ContentError with line and column."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ContentError(f"{where}{getattr(error, 'problem', error)}") from error
