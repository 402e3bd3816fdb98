"""The folder words/ to Words: one per language, each text parsed once."""

from __future__ import annotations

from pathlib import Path

from cds_service.knowledge.content.words import Text, Words, parse_text, parse_words
from cds_service.knowledge.loading.library import Problems


def load_words(folder: Path, problems: Problems) -> dict[str, Words]:
    """The words of a service by language; a text that stands twice is a problem."""
    languages = sorted(path for path in folder.glob("*") if path.is_dir())
    if not languages:
        problems.add(folder, "", "holds no language")
    return {path.name: _load_language(path, problems) for path in languages}


def _load_language(folder: Path, problems: Problems) -> Words:
    texts: dict[tuple[str, str], Text] = {}
    for path in sorted(folder.glob("**/*.md")):
        for id_, part, source, line in parse_words(path.read_text(encoding="utf-8")):
            key = f"line {line}, {id_} {part}".rstrip()
            if not part:
                problems.add(path, key, "text wants a heading of its own: ## part")
            elif not source:
                problems.add(path, key, "is empty")
            elif (id_, part) in texts:
                problems.add(path, key, "stands here or in another file already")
            texts[id_, part] = parse_text(source)
    return Words(folder.name, texts)
