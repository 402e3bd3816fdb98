"""A fact as a document: what it reads or is computed from, and what uses it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from cds_service.catalogue.attributes import attributes_of_fact
from cds_service.catalogue.conditions import condition_blocks
from cds_service.catalogue.document import (
    Block,
    Document,
    Item,
    Items,
    Line,
    Paragraph,
    Section,
    Terms,
    joined,
)
from cds_service.catalogue.edition import Edition
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.facts.kinds import Definition, kind_of
from cds_service.knowledge.facts.schema import ValueSet, ValueSets
from cds_service.knowledge.record.answers import Answers
from cds_service.knowledge.record.quantities import Quantity, number_text


def fact_document(edition: Edition, name: str) -> Document:
    """The document of a fact. Raises KeyError for an unknown one."""
    definition = edition.service.facts[name]
    labels = edition.labels
    users = edition.readers_of.get(name, [])
    attributes = attributes_of_fact(edition, name)
    sections = [
        Section(labels.say("definition"), tuple(_definition(edition, definition))),
        Section(
            labels.say("read by"),
            (Paragraph(edition.listed(edition.item(id_) for id_ in users)),),
        ),
    ]
    if attributes:
        said = edition.listed(labels.say(f"attribute {attribute}") for attribute in attributes)
        sections.append(Section(labels.say("source attributes"), (Paragraph(said),)))
    lead = labels.say(f"fact {kind_of(definition).key}")
    return Document(edition.fact_name(name), lead, sections, labels.language)


def fact_items(edition: Edition, names: Iterable[str]) -> Items:
    """One line for each fact: its name, and what it reads or is computed from."""
    return Items(
        tuple(
            Item(
                edition.labels.line(
                    "fact line", fact=edition.fact(name), reads=_in_a_line(edition, name)
                )
            )
            for name in names
        )
    )


def _in_a_line(edition: Edition, name: str) -> Line:
    definition = edition.service.facts[name]
    labels, kind = edition.labels, kind_of(definition)
    said: list[Line] = [(labels.say(f"fact {kind.key}"),)]
    for key, member, field in kind.schema.named_fields():
        value = getattr(definition, member, None)
        if isinstance(value, Expression):
            continue  # it stands in its own document
        if _says_something(value):
            line = _value(edition, field, value)
            is_first = key == kind.key
            label = labels.say(f"option {key}")
            said.append(line if is_first else (f"{label} ", *line))
    return joined(said, labels.say("part separator"))


def _definition(edition: Edition, definition: Definition) -> Iterable[Block]:
    labels, kind = edition.labels, kind_of(definition)
    rows: list[tuple[str, Line]] = []
    for key, member, field in kind.schema.named_fields():
        value = getattr(definition, member, None)
        if isinstance(value, Expression):
            yield from condition_blocks(edition, value)
        elif _says_something(value):
            label = labels.say("option reads" if key == kind.key else f"option {key}")
            rows.append((label, _value(edition, field, value)))
    if rows:
        yield Terms(rows)


def _says_something(value: Any) -> bool:
    return value not in (None, False, "", (), (None, None))


def _value(edition: Edition, field: Any, value: Any) -> Line:
    labels = edition.labels
    match value:
        case True:
            return (labels.say("yes"),)
        case timedelta():
            return (duration(edition, value),)
        case Quantity():
            low, high = map(number_text, value.plausible)
            return (labels.say("quantity", unit=value.unit, low=low, high=high),)
        case Answers():
            texts = [f"{word}: {number:g}" for word, number in value.words.items()]
            codes = [f"{code}: {number:g}" for (_, code), number in value.codes.items()]
            return (labels.say("list separator").join([*texts, *codes]),)
        case float() | int():
            return (number_text(value),)
        case str():
            return (edition.value_set(value),) if isinstance(field, ValueSet) else (value,)
    if isinstance(field, ValueSets):
        return edition.listed(edition.value_set(each) for each in value)
    return edition.listed(_part(edition, each) for each in value)


def _part(edition: Edition, part: Any) -> Line:
    """A bound of a range, a fact of a group with its alternatives, or a code that is left out."""
    if isinstance(part, tuple) and part and part[0] in edition.service.facts:
        alternatives = [(edition.fact(name),) for name in part]
        return joined(alternatives, edition.labels.say("or separator"))
    if isinstance(part, tuple):
        return ("|".join(map(str, part)),)
    if isinstance(part, float | int):
        return (number_text(part),)
    return ("–" if part is None else str(part),)


def duration(edition: Edition, span: timedelta) -> str:
    """A span of time as it is written: 24 hours, 30 days."""
    hours = span.total_seconds() / 3600
    if hours % 24 or hours <= 48:
        return edition.labels.say("hours", number=f"{hours:g}")
    return edition.labels.say("number of days", number=f"{hours / 24:g}")
