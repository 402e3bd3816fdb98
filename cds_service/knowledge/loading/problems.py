"""Every mistake in cards/, collected while its files are read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError

from cds_service.knowledge.loading.strict_yaml import ContentError, read_yaml


@dataclass
class Problems:
    """Every mistake found in cards/, each with its file and key.

    `broken` are the ids of entries that could not be built; names that refer to them are not
    reported again.
    """

    folder: Path
    found: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def add(self, path: Path, key: str, message: str) -> None:
        """Note one mistake."""
        where = path.relative_to(self.folder.parent) if path.is_absolute() else path
        self.found.append(f"{where}: {key}: {message}" if key else f"{where}: {message}")

    def add_all(self, path: Path, prefix: str, error: ValidationError) -> None:
        """Note every mistake that a schema found."""
        for key, message in _flatten(error.messages):
            self.add(path, ".".join(part for part in (prefix, key) if part), message)

    def read(self, path: Path) -> Any:
        """The content of a YAML file, or None with the mistake noted."""
        if not path.is_file():
            self.add(path, "", "the file is missing")
            return None
        try:
            content = read_yaml(path)
            if content is None:
                self.add(path, "", "is empty")
            return content
        except ContentError as error:
            self.add(path, "", str(error))
        except UnicodeDecodeError:
            self.add(path, "", "is not UTF-8")
        return None

    def load(self, schema: Schema, path: Path, data: Any, prefix: str = "") -> Any:
        """The data as the schema builds it, or None with every mistake noted."""
        if data is None:
            return None  # what could not be read is noted already
        try:
            return schema.load(data)
        except ValidationError as error:
            self.add_all(path, prefix, error)
            return None


# Marshmallow's names for a whole entry and for the two sides of a mapping; not keys in YAML.
_OF_SCHEMAS = ("_schema", "key", "value")


def _flatten(messages: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(messages, dict):
        for key, below in messages.items():
            name = "" if key in _OF_SCHEMAS else str(key)
            yield from _flatten(below, ".".join(part for part in (prefix, name) if part))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield prefix, str(message)
