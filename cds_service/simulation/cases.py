"""One opening as a case for reviewers: what the record said, and the cards; no name and no id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Resource
from cds_service.knowledge.facts.kind import ABSENT, PRESENT, FactName
from cds_service.knowledge.facts.kinds import made_of
from cds_service.knowledge.outcomes.evaluation import Evaluation
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import as_written, name_of
from cds_service.knowledge.record.quantities import Interval, number_text
from cds_service.simulation.evaluating import Content, as_known, evaluated, left_open, person_of
from cds_service.simulation.openings import Opening, came, sex
from cds_service.simulation.patients import Record

_VERY_OLD = 90  # as HIPAA, 45 CFR 164.514(b)(2)(i)(C), has it
MOST_LINES = 40  # of one type of resource
# The types that a reviewer reads, in this order; the record may have more.
_TYPES = {
    "Condition": "Problems",
    "MedicationRequest": "Medicines ordered",
    "MedicationStatement": "Medicines taken",
    "AllergyIntolerance": "Allergies",
    "Observation": "Results",
    "Procedure": "Procedures",
    "ServiceRequest": "Orders",
    "Encounter": "Encounters",
}


@dataclass(frozen=True, slots=True)
class CaseRule:
    """A rule behind a card: `service/rule`, its title, version and level."""

    id: str
    title: str
    version: str
    level: str


@dataclass(frozen=True, slots=True)
class CaseCard:
    """A card; `summary` is "" and `detail` None if its text is not stored."""

    slot: str
    indicator: str
    rules: Sequence[CaseRule]
    summary: str = ""
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class CaseFact:
    """A fact by its name, what it says, and the dates of what it was read from."""

    name: str
    says: str
    dates: str


@dataclass(frozen=True, slots=True)
class Line:
    """One resource of the record: its date, its name, its value, its status."""

    date: str
    name: str
    value: str
    status: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `about` says who and when; `left_open` has names of facts by state.

    `record` has the lines of the record by heading, `left_out` how many lines are not shown.
    """

    number: int
    about: str
    cards: Sequence[CaseCard]
    facts: Sequence[CaseFact]
    left_open: Mapping[str, Sequence[str]]
    record: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def case_of(number: int, record: Record, opening: Opening, content: Content) -> Case:
    """The case of an opening, from the record as it was known then. Raises PatientUnreadable."""
    person, known = person_of(record, content), as_known(record, opening)
    cards: list[CaseCard] = []
    facts: list[CaseFact] = []
    gaps: dict[str, list[str]] = {}
    for service in content.services:
        evaluation, answer = evaluated(service, known, opening, content)
        cards += [case_card(service, card) for card in answer.cards]
        facts += facts_of(service, evaluation)
        for state, names in left_open(service, evaluation).items():
            gaps.setdefault(state, []).extend(names)
    lines, left_out = lines_of(known.resources)
    about = f"{_age(person, opening)}, {sex(person)}, chart opened {opening.day}"
    return Case(number, about, cards, facts, gaps, lines, left_out)


def _age(person: Resource, opening: Opening) -> str:
    """The age in years. The very old are few, and so are not told apart."""
    birth = dates.read(person.get("birthDate"))
    if birth is None:
        return "age unknown"
    years = dates.years_between(birth, opening.now)
    oldest = years.high if isinstance(years, Interval) else years
    if oldest >= _VERY_OLD:
        return f"{_VERY_OLD} years or more"
    return f"{number_text(years)} years"


def case_card(service: CDSService, card: Card) -> CaseCard:
    """A card with its rules."""
    rules = [
        CaseRule(f"{service.id}/{rule.id}", title_of(service, rule.id), rule.version, rule.level)
        for rule in card.traced
    ]
    return CaseCard(card.slot, card.indicator, rules, card.summary, card.detail)


def title_of(service: CDSService, rule: str) -> str:
    """The title of a rule or cause, or nothing for one that is no longer there."""
    return service.governed[rule].title if rule in service.governed else ""


def facts_of(service: CDSService, evaluation: Evaluation) -> list[CaseFact]:
    """The facts that the record supports, without those that are computed from others."""
    return [
        CaseFact(name, _says(fact), ", ".join(_dates(fact.resources)))
        for name, fact in sorted(evaluation.facts.items())
        if fact.standing() != ABSENT
        and not made_of(service.facts[name])
        and any(resource.get("resourceType") != "Patient" for resource in fact.resources)
    ]


def lines_of(
    resources: Iterable[Resource],
) -> tuple[dict[str, list[Line]], dict[str, int]]:
    """The lines of a record by heading, newest first, and how many are left out of each."""
    found: dict[str, list[Line]] = {heading: [] for heading in _TYPES.values()}
    for resource in resources:
        heading = _TYPES.get(str(resource.get("resourceType")))
        if heading is not None:
            found[heading].append(_line(resource))
    left_out = {}
    for heading, lines in found.items():
        lines.sort(key=lambda line: (line.date, line.name), reverse=True)
        if len(lines) > MOST_LINES:
            left_out[heading] = len(lines) - MOST_LINES
            del lines[MOST_LINES:]
    return {heading: lines for heading, lines in found.items() if lines}, left_out


def _line(resource: Resource) -> Line:
    concept = resource.get("code") or resource.get("medicationCodeableConcept")
    if not concept:
        types = resource.get("reasonCode") or resource.get("type")
        concept = types[0] if isinstance(types, list) and types else None
    status = resource.get("clinicalStatus") or resource.get("status")
    value = as_written(resource) if resource.get("resourceType") == "Observation" else None
    return Line(
        date=dates.written(came(resource)) or "no date",
        name=name_of(concept) or "without a name",
        value=value or "",
        status=status if isinstance(status, str) else name_of(status),
    )


def _says(fact: Any) -> str:
    """What a fact says: its state if it is not simply present, its names, its value."""
    standing = fact.standing()
    names = getattr(fact, "names", ())
    said = [] if standing == PRESENT else [standing]
    said += [", ".join(str(getattr(name, "name", name)) for name in names)] if names else []
    said += _value(fact)
    return "; ".join(said) or "yes"


def _value(fact: Any) -> list[str]:
    value = fact.value if fact.value is not None else getattr(fact, "written", None)
    if value is False:
        return ["on record, not in force"]
    if value is None or value is True or isinstance(value, tuple | FactName):
        return []
    if isinstance(value, Interval | float | int):
        value = number_text(value)
    unit = getattr(fact, "unit", None)
    return [f"{value} {unit}" if unit else str(value)]


def _dates(resources: Iterable[Resource]) -> list[str]:
    written = {dates.written(came(resource)) or "no date" for resource in resources}
    return sorted(written, reverse=True)[:6]
