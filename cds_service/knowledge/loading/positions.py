"""Where an entry stands: the file and the line of what a message is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds_service.knowledge.loading.strict_yaml import lines_of

Place = tuple[Path, int]


class Positions:
    """The lines of entries in YAML, read again only when there is something to tell of them."""

    def __init__(self) -> None:
        self._lines: dict[Path, Mapping[str, int]] = {}
        self._texts: dict[Path, dict[str, Place]] = {}

    def note_text(self, language: Path, id_: str, part: str, place: Place) -> None:
        """Note where a text of the words of a language stands, as it was read."""
        texts = self._texts.setdefault(language, {})
        texts.setdefault(f"{id_} {part}", place)
        texts.setdefault(id_, place)

    def place(self, path: Path, key: str) -> tuple[Path, int | None]:
        """The file and the line of a key; what is not found keeps its path, without a line.

        The path may be a folder: of words, or of a service whose entries have ids.
        """
        if path in self._texts:
            texts = self._texts[path]
            return texts.get(key) or texts.get(key.partition(" ")[0]) or (path, None)
        if path.suffix == ".yaml":
            line = self._line(path, key)
            return path, self._line_of_entry(path, key) if line is None else line
        folder = path if path.is_dir() else path.parent
        for file in sorted(folder.glob("**/*.yaml")) if not path.suffix else ():
            line = self._line_of_entry(file, key)
            if line is not None:
                return file, line
        return path, None

    def _line(self, path: Path, key: str) -> int | None:
        """The line of a key, or of what is nearest above it."""
        lines = self._of(path)
        while key:
            if key in lines:
                return lines[key]
            key = key.rpartition(".")[0]
        return None

    def _line_of_entry(self, path: Path, key: str) -> int | None:
        lines = self._of(path)
        id_ = key.partition(".")[0]
        for name in (key, id_, f"classes.{id_}", f"drugs.{id_}"):
            if name in lines:
                return lines[name]
        return None

    def _of(self, path: Path) -> Mapping[str, int]:
        if path not in self._lines:
            self._lines[path] = lines_of(path)
        return self._lines[path]
