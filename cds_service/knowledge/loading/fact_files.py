"""Loads files of facts as definitions, with the schema of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cds_service.knowledge.expressions.spelling import meant
from cds_service.knowledge.facts.kind import Kind
from cds_service.knowledge.facts.kinds import KINDS, Definition, types_of
from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.facts.schema import Known
from cds_service.knowledge.loading.problems import Problems

_NAMED = re.compile(r"(?:%|\{\{ *)([a-z_0-9]+)")  # in a condition, or in words


class FactFiles:
    """The facts of one service as they are written, each with its file."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self._problems = problems
        self._paths: dict[str, Path] = {}
        self._entries: dict[str, tuple[Kind[Any, Any], Mapping[str, Any]]] = {}
        self._read_files((folder.parent / "facts").glob("*.yaml"))
        shared = set(self._entries)
        self._read_files(folder.glob("facts.yaml"))
        self._read_files((folder / "facts").glob("*.yaml"))
        for name in shared - self._used(folder):
            del self._entries[name]

    def define(
        self, prefetch: Mapping[str, str], library: Library
    ) -> tuple[dict[str, Definition], dict[str, str]]:
        """The definitions by name, and the type of every `fact.member`; mistakes are noted."""
        definitions: dict[str, Definition] = {}
        types: dict[str, str] = {}
        known = Known(library, prefetch, types)
        schemas = {kind.key: kind.schema(known) for kind in KINDS}
        for name in self._in_order():
            kind, entry = self._entries[name]
            path = self._paths[name]
            definition = self._problems.load(schemas[kind.key], path, entry, name)
            if definition is None:
                continue
            for key, value_set in kind.value_sets(definition):
                if value_set not in library.value_sets:
                    near = meant(value_set, library.value_sets)
                    self._problems.add(
                        path, f"{name}.{key}", f"there is no value set {value_set}{near}"
                    )
                    self._problems.broken.add(name)
            definitions[name] = definition
            types.update(types_of({name: definition}))
        return definitions, types

    def _read_files(self, paths: Iterable[Path]) -> None:
        for path in sorted(paths):
            data = self._problems.read(path)
            for name, entry in data.items() if isinstance(data, dict) else ():
                self._read(path, name, entry)

    def _used(self, folder: Path) -> set[str]:
        """The facts that a service names anywhere, and those from which they are computed.

        Other shared facts are left out: they may need data that the service does not fetch.
        """
        texts = [path for path in folder.glob("**/*") if path.suffix in (".yaml", ".md")]
        used = {
            name
            for path in texts
            for name in _NAMED.findall(path.read_text(encoding="utf-8", errors="replace"))
        }
        waiting = list(used)
        while waiting:
            kind, entry = self._entries.get(waiting.pop(), (None, {}))
            below = set(kind.schema.facts_named(entry)) - used if kind else set()
            used |= below
            waiting.extend(below)
        return used

    def _read(self, path: Path, name: str, entry: Any) -> None:
        if name in self._paths:
            self._problems.add(path, name, "is already defined in another file")
        self._paths[name] = path
        if not isinstance(entry, dict):
            self._lose(path, name, "must be a mapping of keys")
            return
        kinds = [kind for kind in KINDS if kind.key in entry]
        if len(kinds) != 1:
            message = f"must have exactly one of {', '.join(kind.key for kind in KINDS)}"
            self._lose(path, name, message)
            return
        kind = kinds[0]
        for key in entry:
            if key != kind.key and key not in kind.options():
                allowed = ", ".join(kind.options())
                message = f"{key} is not allowed with {kind.key}; allowed: {allowed}"
                self._problems.add(path, name, message)
        self._entries[name] = kind, entry

    def _lose(self, path: Path, name: str, message: str) -> None:
        self._problems.add(path, name, message)
        self._problems.broken.add(name)

    def _in_order(self) -> Iterable[str]:
        """The names in an order where each fact follows those from which it is computed."""
        named = {
            name: set(kind.schema.facts_named(entry))
            for name, (kind, entry) in self._entries.items()
        }
        waiting = dict.fromkeys(self._entries)
        while waiting:
            ready = [name for name in waiting if not named[name] & waiting.keys()]
            if not ready:
                first = next(iter(waiting))
                message = f"is made of itself, in a circle of {', '.join(waiting)}"
                self._problems.add(self._paths[first], first, message)
                self._problems.broken.update(waiting)
                return
            for name in ready:
                yield name
                del waiting[name]
