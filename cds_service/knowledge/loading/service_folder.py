"""The folder of one service in cards/: its files as artifacts, every mistake noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from marshmallow import Schema

from cds_service.knowledge.answering import CDSService
from cds_service.knowledge.content.artifacts import Gate, Rule
from cds_service.knowledge.content.words import (
    LONGEST_SUMMARY,
    Text,
    Words,
    parse_text,
    parse_titles,
    parse_words,
)
from cds_service.knowledge.facts.kinds import keys_of, types_of
from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.loading.fact_files import FactFiles
from cds_service.knowledge.loading.prefetch_templates import fill_templates
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.loading.service_files import (
    CauseSchema,
    DrugsSchema,
    MeasureSchema,
    RuleSchema,
    SuggestionSchema,
)
from cds_service.knowledge.loading.service_outline import (
    GateSchema,
    ServiceSchema,
    SuppressionSchema,
)
from cds_service.knowledge.loading.strict_schema import Types, constant
from cds_service.knowledge.loading.word_checks import longest_summary


class ServiceFolder:
    """The files of one service; each method turns one of them into artifacts."""

    def __init__(self, folder: Path, library: Library, problems: Problems) -> None:
        self._folder = folder
        self._outline = folder / "service.yaml"
        self._library = library
        self._problems = problems

    def load(self) -> CDSService | None:
        """The service, or None when its outline cannot be read."""
        path = self._outline
        outline = self._problems.load(ServiceSchema(), path, self._problems.read(path))
        facts = FactFiles(self._folder, self._problems)
        if outline is None:
            return None
        templates = outline.pop("prefetch")
        definitions, types = facts.define(templates, self._library)
        if not self._problems.is_readable(self._folder):
            return None  # without a file of facts, every condition would be wrong
        note = partial(self._problems.add, path)
        with Types(types):
            service = CDSService(
                id=self._folder.name,
                prefetch=fill_templates(templates, definitions, self._library, note),
                facts=definitions,
                **outline | self._conditional(outline) | self._artifacts(),
                words=_load_words(self._folder / "words", self._problems),
                sources=self._library.references,
                terminology=self._library.terminology_for(keys_of(definitions.values())),
                statuses=self._library.statuses,
            )
        if not self._problems.is_readable(self._folder):
            return None
        return replace(service, words=_borrowed(service))

    def _conditional(self, outline: Mapping[str, Any]) -> Mapping[str, Any]:
        """The conditions of service.yaml; a wrong gate is left unknown for the other checks."""
        gate = self._problems.load(GateSchema(), self._outline, outline["gate"], "gate")
        rows = self._entries(
            SuppressionSchema(), self._outline, outline["suppression"], "suppression."
        )
        return {"gate": gate or _NOT_KNOWN, "suppression": rows}

    def _artifacts(self) -> Mapping[str, Any]:
        """The content of the other files, which are optional."""
        folder = self._folder
        drugs_file = folder / "drugs.yaml"
        drugs = self._problems.load(DrugsSchema(), drugs_file, self._content(drugs_file)) or {}
        return {
            "rules": tuple(self._rules()),
            "causes": self._listed(CauseSchema(), folder / "causes.yaml"),
            "measures": _by_id(self._listed(MeasureSchema(), folder / "measures.yaml")),
            "classes": _by_id(drugs.get("classes", ())),
            "drugs": {drug.id: drug for drug in drugs.get("drugs", ())},
            "suggestions": self._listed(SuggestionSchema(), folder / "suggestions.yaml"),
        }

    def _rules(self) -> Iterable[Rule]:
        for path in sorted((self._folder / "rules").glob("*.yaml")):
            yield from self._listed(RuleSchema(path.stem), path)

    def _content(self, path: Path) -> Any:
        return self._problems.read(path) if path.exists() else None

    def _listed(self, schema: Schema, path: Path) -> tuple[Any, ...]:
        """The entries of a file that holds a list."""
        content = self._content(path)
        if content is None:
            return ()
        return self._entries(schema, path, content if isinstance(content, list) else [content])

    def _entries(
        self, schema: Schema, path: Path, entries: Iterable[Any], prefix: str = ""
    ) -> tuple[Any, ...]:
        """The entries that their schema can build; the others are noted by their id."""
        built = []
        for entry in entries:
            id_ = str(entry.get("id", "?") if isinstance(entry, dict) else "?")
            artifact = self._problems.load(schema, path, entry, prefix + id_)
            if artifact is not None:
                built.append(artifact)
        return tuple(built)


_NOT_KNOWN = Gate((), constant(None), constant(None), constant(None))


def _by_id(artifacts: Iterable[Any]) -> dict[str, Any]:
    return {artifact.governance.id: artifact for artifact in artifacts}


def _load_words(folder: Path, problems: Problems) -> dict[str, Words]:
    """The words of a service by language; a text that is here twice is a problem."""
    languages = sorted(path for path in folder.glob("*") if path.is_dir())
    if not languages:
        problems.add(folder, "", "has no language")
    return {path.name: _load_language(path, problems) for path in languages}


def _borrowed(service: CDSService) -> dict[str, Words]:
    """The words, where texts that are not translated yet come from the default language.

    Only texts about the content: a language has its own layout and its own service texts.
    """
    default = service.words.get(service.default_language)
    if default is None:
        return dict(service.words)
    ids, types = {*service.governed, *service.facts}, types_of(service.facts)
    return {
        language: _marked_in_the_detail(words.borrowing(default, ids), default, types)
        for language, words in service.words.items()
    }


def _marked_in_the_detail(words: Words, default: Words, types: Mapping[str, str]) -> Words:
    """The words, where a borrowed summary that the mark makes too long has it in its detail."""
    texts = dict(words.texts)
    for id_, part in words.borrowed:
        is_summary = part in ("critical", "warning", "summary")
        if is_summary and longest_summary(types, texts[id_, part]) > LONGEST_SUMMARY:
            own = default.texts[id_, part]
            detail = own.detail.marked(default.language)
            texts[id_, part] = Text((*own.summary.lines, (), *detail.lines))
    return replace(words, texts=texts)


def _load_language(folder: Path, problems: Problems) -> Words:
    texts: dict[tuple[str, str], Text] = {}
    titles: dict[str, str] = {}
    for path in sorted(folder.glob("**/*.md")):
        try:
            content = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            problems.lose(path, "is not UTF-8")
            continue
        titles |= parse_titles(content)
        for id_, part, source, line in parse_words(content):
            key = f"{id_} {part}".rstrip()
            wrong = ""
            if not part:
                wrong = "this text needs its own heading: ## part"
            elif not source:
                wrong = "is empty"
            elif (id_, part) in texts:
                wrong = "is already here or in another file"
            if wrong:
                problems.note(path, line, key, wrong)
            problems.positions.note_text(folder, id_, part, (path, line))
            if not part:
                continue
            texts[id_, part] = parse_text(source)
    return Words(folder.name, texts, titles=titles)
