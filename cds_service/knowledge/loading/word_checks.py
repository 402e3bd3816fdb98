"""Checks the words: no needed text is missing, placeholders are known, summaries are short."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from cds_service.knowledge.cards.voice import ANSWERED, LONGEST_TEXT
from cds_service.knowledge.content.artifacts import DIFFERENTIAL, LEVELS
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.words import (
    IN,
    LONGEST_SUMMARY,
    OPTION,
    SHORT,
    Text,
    Words,
    utf16_length,
)
from cds_service.knowledge.expressions.expressions import BOOLEAN, FACT_NAMES, NUMBER, TEXT, TEXTS
from cds_service.knowledge.facts.kinds import kind_of, made_of, types_of
from cds_service.knowledge.facts.list import LIST, LIST_WORDS
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.outcomes.judging import UNREAD, WARNED

# The greatest length of a placeholder in a summary, by type.
_LONGEST = {NUMBER: 12, TEXT: LONGEST_TEXT, TEXTS: LONGEST_TEXT + 3}
_OF_AN_ANSWER = {f"{ANSWERED}.at": TEXT}
_LAYOUT = ("footer", "link", "list-separator", "separator", "unknown", "unsure")
_LAYOUT_OF_DIFFERENTIAL = ("colon", "full-stop", "not-listed", "opening")
_LAYOUT_OF_CAUSES = ("causes", "less-support")
Key = tuple[str, str]


def check_words(service: Service, folder: Path, problems: Problems) -> None:
    """Note every text that is missing, unused or too long, or that names an unknown fact."""
    needed = dict(_needed(service))
    parts = _by_id(needed)
    types = types_of(service.facts)
    optional = {*_optional(service), *_of_regions(service, needed)}
    lines = {row.leaves for row in service.suppression}
    default = service.words.get(service.default_language)
    known = types | _OF_AN_ANSWER
    absent = {key for key in needed if default is not None and not default.has(*key)}
    first = folder / service.default_language
    lost: dict[str, None] = {}
    for language, words in sorted(
        service.words.items(), key=lambda each: each[0] != service.default_language
    ):
        path = folder / language
        lost |= (found := _without_any(words, service, needed))
        for id_ in found:
            problems.add(path, id_, f"has no texts: {', '.join(parts[id_])}")
        for (id_, part), is_summary in needed.items():
            if id_ in lost or (language != service.default_language and (id_, part) in absent):
                continue  # without the default text there is nothing to translate
            if not words.has(id_, part):
                unused = [
                    each
                    for name, each in words.own
                    if name == id_ and (id_, each) not in needed and (id_, each) not in optional
                ]
                hint = f"; `{unused[0]}` is never shown" if unused else ""
                problems.add(path, f"{id_} {part}", f"the text is missing{hint}")
            elif is_summary and not any(_unknown_placeholders(known, words.texts[id_, part])):
                _check_summary(types, words, id_, part, path, problems)
        for id_, part in sorted(words.borrowed):
            item = service.governed.get(id_)
            if item is not None and item.status == "active":
                problems.add(path, f"{id_} {part}", "is signed, so the text needs a translation")
        for (id_, part), text in words.own.items():
            is_shown = (id_, part) in needed or (id_, part) in optional
            # What could not be built may show it, and so may what lacks a text of the same id.
            may_be_shown = is_shown or problems.broken or lost
            if not may_be_shown and not any(
                problems.has(where, f"{id_} {lacking}")
                for where in (path, first)
                for lacking in parts.get(id_, ())
            ):
                problems.add(path, f"{id_} {part}", "this text is never shown")
            for wrong in _unknown_placeholders(known if id_ in lines else types, text):
                problems.add(path, f"{id_} {part}", wrong)
    _compare_languages(service, folder, problems, needed, optional)


def _without_any(words: Words, service: Service, needed: Iterable[Key]) -> dict[str, None]:
    """The ids of content that need texts and have none at all in the default language."""
    if words.language != service.default_language:
        return {}
    having = {id_ for id_, _ in words.texts}
    return {id_: None for id_, _ in needed if id_ in service.governed and id_ not in having}


def _by_id(keys: Iterable[Key]) -> Mapping[str, list[str]]:
    """The parts of each id."""
    parts: dict[str, list[str]] = {}
    for id_, part in keys:
        parts.setdefault(id_, []).append(part)
    return parts


def _needed(service: Service) -> Iterable[tuple[Key, bool]]:
    """Every (id, part) that a card may show, and whether it begins with a summary."""
    for part in ("title", "description", "usageRequirements"):
        yield ("service", part), False
    for part in _layout(service):
        yield ("layout", part), False
    yield ("unchecked", "info"), True
    yield ("unavailable", "warning"), True
    if _has_differential(service):
        yield ("no-cause", "summary"), True
    if any(kind_of(definition) is LIST for definition in service.facts.values()):
        for part in LIST_WORDS:
            yield ("layout", part), False
    if any(withhold.when for rule in service.rules for withhold in rule.withhold):
        yield ("layout", UNREAD), False
    if any(slot.withholds for slot in service.slots):
        yield ("layout", WARNED), False
    for row in service.suppression:
        if row.leaves:
            yield (row.leaves, "info"), True
    for slot in service.slots:
        for reasons in slot.override_reasons.values():
            for reason in reasons:
                yield ("override-reasons", reason.code), False
    for definition in service.facts.values():
        if FACT_NAMES in kind_of(definition).members(definition).values():
            for name in made_of(definition):
                yield (name, "label"), False
    yield from _needed_by_rules(service)
    yield from _needed_by_causes(service)
    for id_, measure in service.measures.items():
        yield (id_, "title"), False
        if not measure.advised_against:
            yield (id_, "text"), False
    for id_, drug_class in service.classes.items():
        yield (id_, "title"), False
        if drug_class.only_first_cause:
            yield (id_, "not-first"), False
        if drug_class.never_alone:
            yield (id_, "not-alone"), False
    for drug in service.drugs:
        yield (drug, "title"), False
    for suggestion in service.suggestions:
        yield (suggestion.governance.id, "label"), False
        for request in suggestion.requests:
            yield (suggestion.governance.id, f"request {request.id}"), False


def _layout(service: Service) -> Iterable[str]:
    """The parts of `layout`, such as headings, that the service needs for its content."""
    yield from _LAYOUT
    yield from service.sections
    if sum(rule.slot is not None for rule in service.rules) > 1:
        yield from (f"more {level}" for level in ("critical", "warning"))
    if _has_differential(service):
        yield from _LAYOUT_OF_DIFFERENTIAL
    if service.causes and any(slot.told_in for slot in service.slots):
        yield "then"
    if service.causes:
        yield from _LAYOUT_OF_CAUSES
    if service.measures:
        yield "measures"
    if service.classes:
        yield from ("brackets", "classes")


def _has_differential(service: Service) -> bool:
    return any(slot.kind == DIFFERENTIAL for slot in service.slots)


def _needed_by_rules(service: Service) -> Iterable[tuple[Key, bool]]:
    unsaid = {None, *(slot.id for slot in service.slots if slot.kind == DIFFERENTIAL)}
    texts = _by_id(key for words in service.words.values() for key in words.texts)
    for rule in service.rules:
        for level in LEVELS:
            if level not in rule.levels:
                continue
            if level != "info" and rule.slot not in unsaid:
                yield (rule.id, level), True
        said = set(texts.get(rule.id, ()))
        beside = rule.beside if said.intersection(rule.beside) else (OPTION,) * (OPTION in said)
        if rule.section or (rule.beside and not beside):
            yield (rule.id, "info"), False
        for part in beside:
            yield (rule.id, part), False
        for withhold in rule.withhold:
            yield (rule.id, withhold.because), False


def _needed_by_causes(service: Service) -> Iterable[tuple[Key, bool]]:
    for cause in service.causes:
        yield (cause.id, "title"), False
        yield (cause.id, "mechanism"), False
        yield (cause.id, "summary"), True
        if cause.pattern_of:
            yield (cause.id, "pattern"), False
        for group in cause.points:
            for reason in group.reasons:
                yield (cause.id, f"because {reason.because}"), False
        for reason in (*cause.requires, *cause.excludes):
            yield (cause.id, f"not {reason.because}"), False
        for note in cause.notes:
            yield (cause.id, f"note {note.because}"), False


def _optional(service: Service) -> Iterable[Key]:
    for cause in service.causes:
        for class_id in service.classes:
            yield class_id, f"for {cause.id}"
    for part in ("footer short", "more critical", "more warning"):
        yield "layout", part
    yield from (("service", part) for part in ("developer", "funding"))
    rules = (rule.id for rule in service.rules)
    for id_ in (*rules, *service.measures, *service.classes, *service.drugs):
        yield id_, SHORT
    for name in service.facts:
        yield name, "label"
        yield name, "reading"
        yield name, "unreadable"


def _of_regions(service: Service, needed: Mapping[Key, bool]) -> Iterable[Key]:
    """What a rule may say in another way in a region, in place of a line that it needs."""
    rules = {rule.id for rule in service.rules}
    for (id_, part), is_summary in needed.items():
        if id_ in rules and not is_summary:
            for region in service.regions:
                yield id_, f"{part}{IN}{region}"


def longest_summary(types: Mapping[str, str], text: Text) -> int:
    """The length of the summary of a text with the longest values put in, in UTF-16 units."""
    return sum(
        utf16_length(piece)
        if isinstance(piece, str)
        else _LONGEST.get(types.get(f"{piece.fact}.{piece.member}", TEXT), LONGEST_TEXT)
        for piece in text.summary.pieces
    )


def _check_summary(
    types: Mapping[str, str], words: Words, id_: str, part: str, path: Path, problems: Problems
) -> None:
    summary = words.texts[id_, part].summary
    longest = longest_summary(types, words.texts[id_, part])
    if longest > LONGEST_SUMMARY:
        message = f"the summary may grow to {longest} characters; {LONGEST_SUMMARY} are allowed"
        problems.add(path, f"{id_} {part}", message)
    if any(isinstance(piece, str) and "\n" in piece for piece in summary.pieces):
        problems.add(path, f"{id_} {part}", "the summary is more than one line")


def _unknown_placeholders(types: Mapping[str, str], text: Text) -> Iterable[str]:
    for placeholder in text.placeholders:
        name = f"{placeholder.fact}.{placeholder.member}"
        if name not in types:
            yield f"{{{{ {name} }}}} is not a member of a fact"
        elif types[name] == BOOLEAN:
            yield f"{{{{ {name} }}}} is true or false and has no words"
    for piece in text.pieces:
        if isinstance(piece, str) and ("{{" in piece or "}}" in piece):
            yield "has braces that are not {{ fact.member }}"


def _compare_languages(
    service: Service,
    folder: Path,
    problems: Problems,
    needed: Container[Key],
    optional: Container[Key],
) -> None:
    """Every language has the same texts with the same placeholders as the default one."""
    default = service.words.get(service.default_language)
    if default is None:
        problems.add(folder, "", f"the default language {service.default_language} is missing")
        return
    for language, words in service.words.items():
        for key, text in default.texts.items():
            if key not in words.texts:
                # What is needed, or shown nowhere, was noted already.
                if key not in needed and key in optional:
                    problems.add(folder / language, " ".join(key), "the text is missing")
            elif _members(words.texts[key]) != _members(text) and not problems.has(
                folder / service.default_language, " ".join(key)
            ):
                problems.add(folder / language, " ".join(key), "has other placeholders")


def _members(text: Text) -> Mapping[str, None]:
    return dict.fromkeys(
        sorted({f"{placeholder.fact}.{placeholder.member}" for placeholder in text.placeholders})
    )
