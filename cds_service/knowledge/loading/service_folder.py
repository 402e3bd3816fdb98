"""The folder of one service in cards/: its files as artifacts, every mistake noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cds_service.knowledge.answering import CDSService
from cds_service.knowledge.call import Coding
from cds_service.knowledge.content.artifacts import (
    LEVELS,
    Cause,
    DrugClass,
    Example,
    Gate,
    Governance,
    Measure,
    Points,
    ProposedRequest,
    Reason,
    Rule,
    SuggestionRule,
    Withhold,
)
from cds_service.knowledge.content.words import Text, Words, parse_text, parse_words
from cds_service.knowledge.expressions.expressions import (
    BOOLEAN,
    Expression,
    ExpressionError,
    compile_expression,
)
from cds_service.knowledge.facts.kinds import keys_of
from cds_service.knowledge.facts.library import Library
from cds_service.knowledge.loading.fact_files import FactFiles
from cds_service.knowledge.loading.prefetch_templates import fill_templates
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.loading.service_files import (
    CauseSchema,
    DrugsSchema,
    MeasureSchema,
    RuleSchema,
    ServiceSchema,
    SuggestionSchema,
)
from cds_service.knowledge.loading.suppression_rows import suppression_rows


class ServiceFolder:
    """The files of one service; each method turns one of them into artifacts."""

    def __init__(self, folder: Path, library: Library, problems: Problems) -> None:
        self._folder = folder
        self._library = library
        self._problems = problems
        self._types: dict[str, str] = {}

    def load(self) -> CDSService | None:
        """The service, or None when its outline cannot be made out."""
        path = self._folder / "service.yaml"
        data = self._problems.load(ServiceSchema(), path, self._problems.read(path))
        facts = FactFiles(self._folder, self._problems)
        if data is None:
            return None
        definitions, self._types = facts.define(data["prefetch"], self._library)
        prefetch = fill_templates(data["prefetch"], definitions, self._library, self._note(path))
        drugs_data = self._read(DrugsSchema(), "drugs.yaml", {"classes": [], "drugs": []})
        return CDSService(
            id=self._folder.name,
            hook=data["hook"],
            version=data["version"],
            required_keys=frozenset(data["required"]),
            prefetch=prefetch,
            gate=self._gate(data["gate"]),
            slots=data["slots"],
            notices=data["notices"],
            most_cards=data["most_cards"],
            most_causes=data["most_causes"],
            least_points=data["least_points"],
            ties=tuple(data["ties"]),
            sections=tuple(data["sections"]),
            never_muted=tuple(data["never_muted"]),
            review_after=timedelta(days=data["review_after_days"]),
            facts=definitions,
            rules=tuple(self._rules()),
            causes=tuple(self._causes()),
            measures={each.governance.id: each for each in self._measures()},
            classes={
                entry["id"]: DrugClass(
                    _governance(entry), tuple(entry["drugs"]), entry["only_first_cause"]
                )
                for entry in drugs_data["classes"]
            },
            drugs={entry["id"]: _governance(entry) for entry in drugs_data["drugs"]},
            suggestions=tuple(self._suggestions()),
            suppression=suppression_rows(data["suppression"], partial(self._condition, path)),
            words=_load_words(self._folder / "words", self._problems),
            sources=self._library.references,
            terminology=self._library.terminology_for(keys_of(definitions.values())),
            statuses=self._library.statuses,
        )

    # -- files -----------------------------------------------------------------------------------

    def _read(self, schema: Any, name: str, otherwise: Any, *, many: bool = False) -> Any:
        """A file as its schema has it; a service may do without it."""
        path = self._folder / name
        data = self._problems.read(path) if path.exists() else None
        if data is None:
            return otherwise
        if not many:
            return self._problems.load(schema, path, data) or otherwise
        loaded = []
        for entry in data if isinstance(data, list) else [data]:
            key = entry.get("id", "?") if isinstance(entry, dict) else "?"
            item = self._problems.load(schema, path, entry, str(key))
            if item is not None:
                loaded.append(item)
        return loaded

    def _note(self, path: Path) -> Any:
        return lambda key, message: self._problems.add(path, key, message)

    def _gate(self, data: Mapping[str, Any]) -> Gate:
        """The gate; a wrong condition is noted and stands open for the other checks."""
        path = self._folder / "service.yaml"
        when, opened_by_rules, unchecked = (
            self._condition(path, f"gate.{key}", data[key]) or _NOT_KNOWN
            for key in ("when", "opened_by_rules", "unchecked")
        )
        return Gate(tuple(data["silence"]), when, opened_by_rules, unchecked)

    def _rules(self) -> Iterable[Rule]:
        for path in sorted((self._folder / "rules").glob("*.yaml")):
            for entry in self._read(RuleSchema(), f"rules/{path.name}", [], many=True):
                levels = {
                    level: condition
                    for level in LEVELS
                    if (text := entry["levels"].get(level))
                    if (condition := self._condition(path, f"{entry['id']}.levels.{level}", text))
                }
                yield Rule(
                    governance=_governance(entry),
                    topic=path.stem,
                    levels=levels,
                    slot=entry["slot"],
                    section=entry["section"],
                    section_when=self._optional(path, entry, "section_when"),
                    beside=tuple(entry["beside"]),
                    opens=entry["opens"],
                    only_slots=_optional_tuple(entry["only_slots"]),
                    withhold=tuple(self._withhold(path, entry)),
                    demote=tuple(entry["demote"]),
                    examples=tuple(map(_example, entry["examples"])),
                )

    def _withhold(self, path: Path, entry: Mapping[str, Any]) -> Iterable[Withhold]:
        for each in entry["withhold"]:
            condition = self._optional(path, each, "when", f"{entry['id']}.withhold")
            yield Withhold(tuple(each["items"]), condition, each["because"])

    def _causes(self) -> Iterable[Cause]:
        path = self._folder / "causes.yaml"
        for entry in self._read(CauseSchema(), "causes.yaml", [], many=True):
            id_ = entry["id"]
            yield Cause(
                governance=_governance(entry),
                requires=tuple(self._reasons(path, f"{id_}.requires", entry["requires"])),
                excludes=tuple(self._reasons(path, f"{id_}.excludes", entry["excludes"])),
                points=tuple(
                    Points(
                        group["each"],
                        group["at_most"] or group["each"] * len(group["reasons"]),
                        tuple(self._reasons(path, f"{id_}.points", group["reasons"])),
                    )
                    for group in entry["points"]
                ),
                notes=tuple(self._reasons(path, f"{id_}.notes", entry["notes"])),
                measures=tuple(entry["measures"]),
                classes=tuple(entry["classes"]),
                pattern_of=entry["pattern_of"],
                examples=tuple(map(_example, entry["examples"])),
            )

    def _suggestions(self) -> Iterable[SuggestionRule]:
        path = self._folder / "suggestions.yaml"
        for entry in self._read(SuggestionSchema(), path.name, [], many=True):
            when = self._condition(path, f"{entry['id']}.when", entry["when"])
            requests = []
            for each in entry["requests"]:
                condition = self._condition(path, f"{entry['id']}.{each['id']}", each["when"])
                if condition is not None:
                    requests.append(ProposedRequest(each["id"], condition, _coding(each)))
            if when is not None:
                yield SuggestionRule(_governance(entry), entry["slot"], when, tuple(requests))

    def _measures(self) -> Iterable[Measure]:
        for entry in self._read(MeasureSchema(), "measures.yaml", [], many=True):
            yield Measure(_governance(entry), entry["advised_against"])

    def _reasons(self, path: Path, key: str, entries: Any) -> Iterable[Reason]:
        for entry in entries:
            condition = self._condition(path, f"{key}.{entry['because']}", entry["when"])
            if condition is not None:
                yield Reason(condition, entry["because"])

    def _optional(
        self, path: Path, entry: Mapping[str, Any], key: str, where: str | None = None
    ) -> Expression | None:
        text = entry[key]
        return self._condition(path, f"{where or entry['id']}.{key}", text) if text else None

    def _condition(self, path: Path, key: str, text: str) -> Expression | None:
        try:
            expression = compile_expression(text, self._types)
        except ExpressionError as error:
            self._problems.add(path, key, str(error))
            return None
        if expression.type != BOOLEAN:
            self._problems.add(path, key, f"is a {expression.type}, not a condition")
            return None
        return expression


_NOT_KNOWN = Expression("", (), (), lambda facts: None, BOOLEAN)


def _governance(entry: Mapping[str, Any]) -> Governance:
    return Governance(
        id=entry["id"],
        title=entry["title"],
        status=entry["status"],
        version=entry["version"],
        sources=tuple(entry["sources"]),
        grade=entry["grade"],
        confirmed=entry["confirmed"],
        last_review_date=entry["lastReviewDate"].isoformat(),
        reviewer=entry["reviewer"],
    )


def _coding(entry: Mapping[str, Any]) -> Coding | None:
    if entry["code"] is None:
        return None
    return Coding(entry["system"], entry["code"], entry["display"])


def _example(entry: Mapping[str, Any]) -> Example:
    return Example(
        name=entry["name"],
        facts=entry["facts"],
        expect=entry["expect"],
        withholds=_optional_tuple(entry["withholds"]),
        points=entry["points"],
    )


def _optional_tuple(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _load_words(folder: Path, problems: Problems) -> dict[str, Words]:
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
