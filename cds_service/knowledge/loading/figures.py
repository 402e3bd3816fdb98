"""Finds numbers in words that no condition, fact, example or source of their rule holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta
from math import isclose
from typing import Any

from cds_service.knowledge.content.artifacts import Governance
from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.words import Text
from cds_service.knowledge.expressions.expressions import Expression
from cds_service.knowledge.loading.boundaries import facts_under, rules_and_causes
from cds_service.knowledge.record.quantities import Quantity

# A number, but not one in a name: GAD-7, B12, CYP2D6, 2C19.
_NUMBER = re.compile(
    r"(?<![A-Za-z\d.,])(?<![A-Za-z][-\u2013])\d+(?:(?:,\d{3})+|[.,]\d+)?(?![\dA-Za-z])"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_OF_A_MONTH = 0.02  # months have 30 days here, and 30.4 in time_units
_BEHIND = re.compile(r"[\s-]*([^\W\d_]+)")  # the word behind a number


def groundless(service: Service, names: Iterable[str]) -> Iterable[tuple[str, str, str, str]]:
    """The (language, id, part, number) of each number that nothing behind its text holds.

    Only texts of what has sources are read: rules, causes, measures, classes and drugs. A span of
    time may be written in days or in another unit of `time_units`. `names` hold numbers of their
    own, such as 5-HT.
    """
    held = {id_: set(_held(service, item)) for id_, item in service.governed.items()}
    named = re.compile("|".join(map(re.escape, names)) or "(?!)")
    for language, words in service.words.items():
        for (id_, part), text in words.own.items():
            if id_ not in held:
                continue
            facts = [service.facts.get(placeholder.fact) for placeholder in text.placeholders]
            known = held[id_].union(_in([getattr(fact, "quantity", None) for fact in facts]))
            for number, spans in _numbers(named.sub("", _literal(text)), service):
                if _value(number) not in known and not _is_near(spans, known):
                    yield language, id_, part, number


def _literal(text: Text) -> str:
    return "".join(piece if isinstance(piece, str) else "\0" for piece in text.pieces)


def _numbers(said: str, service: Service) -> Iterable[tuple[str, Iterable[float]]]:
    """Each number of a text, and the days that it means if a unit of time stands behind it."""
    for found in _NUMBER.finditer(said):
        behind = _BEHIND.match(said, found.end())
        unit = behind[1].lower() if behind else ""
        yield (
            found[0],
            [
                _value(found[0]) * length
                for name, length in service.statuses.time_units.items()
                if length != 1 and (unit == name or (not name.isascii() and unit.startswith(name)))
            ],
        )


def _is_near(spans: Iterable[float], known: Iterable[float]) -> bool:
    """Whether a span is one of the numbers of days; three months are 90 days."""
    return any(isclose(days, value, rel_tol=_OF_A_MONTH) for days in spans for value in known)


def _value(number: str) -> float:
    whole = re.sub("[.,]", "", number) if _THOUSANDS.fullmatch(number) else number.replace(",", ".")
    return float(whole)


def _held(service: Service, item: Governance) -> Iterable[float]:
    """The numbers behind one item."""
    for source in item.sources:
        if source in service.sources:
            yield from _in(service.sources[source].label)
    yield from _in(item.figures)
    owner = next((each for each in rules_and_causes(service) if each.id == item.id), None)
    if owner is not None:
        yield from _in(owner.conditions)
        yield from _in([example.facts for example in owner.examples])
        yield from _in([service.facts[name] for name in facts_under(service, owner)])


def _in(value: Any) -> Iterable[float]:
    """The numbers in a part of the content, however deep."""
    match value:
        case bool() | None:
            return
        case int() | float():
            yield float(value)
        case timedelta():
            yield from (value / timedelta(days=1), value / timedelta(hours=1))
        case str():
            yield from map(_value, _NUMBER.findall(value))
        case Expression():
            yield from _in(value.text)
        case Quantity():
            yield from _in(value.unit)
        case dict():
            yield from _in([*value.values()])
        case list() | tuple():
            for part in value:
                yield from _in(part)
        case _ if hasattr(value, "__dataclass_fields__"):
            yield from _in([getattr(value, field.name) for field in fields(value)])
