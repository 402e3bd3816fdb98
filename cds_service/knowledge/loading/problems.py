"""Every mistake in cards/, collected while its files are read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError

from cds_service.knowledge.loading.positions import Positions
from cds_service.knowledge.loading.strict_yaml import ContentError, read_yaml

_MOST_ALIKE = 3  # mistakes with the same message; the rest are counted
_MISSING = "Missing data for required field."  # in the words of marshmallow
_MEANT = re.compile(r"^unknown key; did you mean ([\w-]+)")
_KEY = re.compile(r"[ .,]")
# How a message names a fact, a value set or another entry.
_NAMED = re.compile(
    r"(?:%|\{\{ |named |there is no (?:value set )?)([\w-]+)|^([\w-]+) is not (?:a|an) "
)


@dataclass
class Problems:
    """Every mistake found in cards/, each with its file, line and key.

    `broken` are the ids and names of what could not be built, `unreadable` the files that could
    not be read. What only follows from them is not told: one mistake, one message.
    """

    folder: Path
    found: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unreadable: set[Path] = field(default_factory=set)
    positions: Positions = field(default_factory=Positions)
    _alike: dict[str, list[int]] = field(default_factory=dict)
    _more: dict[str, int] = field(default_factory=dict)
    _told: set[tuple[Path, str]] = field(default_factory=set)

    def add(self, path: Path, key: str, message: str, *, at: str = "") -> None:
        """Note one mistake; `at` is where it stands, if that is not its key."""
        named = (name for groups in _NAMED.findall(message) for name in groups)
        if self.broken.intersection((*_KEY.split(key), *named)):
            return
        self._told.add((path, key))
        self.note(*self.positions.place(path, at or key), key, message)

    def has(self, path: Path, key: str) -> bool:
        """Whether a mistake of this key is noted."""
        return (path, key) in self._told

    def is_readable(self, folder: Path) -> bool:
        """Whether all files below a folder could be read."""
        return not any(path.is_relative_to(folder) for path in self.unreadable)

    def add_all(self, path: Path, prefix: str, error: ValidationError) -> None:
        """Note every mistake that a schema found."""
        found = list(_flatten(error.messages))
        misspelt = {name for _, message in found for name in _MEANT.findall(message)}
        for key, message in found:
            if message == _MISSING and key.rpartition(".")[2] in misspelt:
                continue  # it is there, under another name
            self.add(path, ".".join(part for part in (prefix, key) if part), message)

    def read(self, path: Path) -> Any:
        """The content of a YAML file, or None with the mistake noted."""
        message, line = "", None
        if not path.is_file():
            message = "the file is missing"
        else:
            try:
                content = read_yaml(path)
                if content is not None:
                    return content
                message = "is empty"
            except ContentError as error:
                column = f"column {error.column}: " if error.column else ""
                message, line = f"{column}{error.message}", error.line
            except UnicodeDecodeError:
                message = "is not UTF-8"
        self.lose(path, message, line)
        return None

    def lose(self, path: Path, message: str, line: int | None = None) -> None:
        """Note a file that cannot be read as a whole."""
        self.unreadable.add(path)
        self.note(path, line, "", message)

    def load(self, schema: Schema, path: Path, data: Any, prefix: str = "") -> Any:
        """The data as the schema builds it, or None with every mistake noted."""
        if data is None:
            return None  # what could not be read is noted already
        try:
            return schema.load(data)
        except ValidationError as error:
            self.add_all(path, prefix, error)
            if not prefix:
                self.unreadable.add(path)
            self.broken.add(prefix.rpartition(".")[2] or path.stem)
            return None

    def note(self, path: Path, line: int | None, key: str, message: str) -> None:
        """Note a mistake at a line, whatever else is broken."""
        file = path.relative_to(self.folder.parent) if path.is_absolute() else path
        parts = (f"{file}:{line}" if line else str(file), key, message)
        text = ": ".join(part for part in parts if part)
        alike = self._alike.setdefault(message, [])
        if len(alike) < _MOST_ALIKE or not key:
            alike.append(len(self.found))
            self.found.append(text)
            self._more[message] = 0
        else:
            self._more[message] += 1
            last = self.found[alike[-1]].partition(" (and ")[0]
            self.found[alike[-1]] = f"{last} (and {self._more[message]} more like it)"


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
