"""The source attributes of evidence-based decision support, as the content shows them.

45 CFR 170.315(b)(11)(iv)(A), HTI-1 final rule: who made an intervention, what it rests on, and
whether it uses race, ethnicity, language, sexual orientation, gender identity, sex, date of birth,
social determinants of health and health status assessments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.catalogue.document import (
    Document,
    Item,
    Items,
    Line,
    Run,
    Section,
    Table,
    joined,
)
from cds_service.catalogue.edition import Edition
from cds_service.knowledge.facts.kinds import kind_of

# Data about the patient, in the order of the regulation: its paragraphs (5) to (13).
DATA = (
    "race",
    "ethnicity",
    "language",
    "sexual_orientation",
    "gender_identity",
    "sex",
    "date_of_birth",
    "social_determinants",
    "health_status",
)
# What a fact of the kind `patient` reads (FHIR Patient), by attribute.
_OF_THE_PATIENT: Mapping[str, str] = {"age": "date_of_birth", "sex": "sex"}


def attributes_of_fact(edition: Edition, name: str) -> list[str]:
    """The attributes that a fact reads itself, without the facts below it."""
    definition: Any = edition.service.facts[name]
    read = {_OF_THE_PATIENT.get(getattr(definition, "member", ""))}
    if getattr(definition, "doubtful_in", None):
        read.add("sex")
    sets = {set_id for _, set_id in kind_of(definition).value_sets(definition)}
    for attribute, listed in edition.knowledge.attributes.items():
        if sets.intersection(listed):
            read.add(attribute)
    return [attribute for attribute in DATA if attribute in read]


def attributes_of_item(edition: Edition, id_: str) -> dict[str, list[str]]:
    """The facts by attribute on which a rule, cause or suggestion rests."""
    found: dict[str, list[str]] = {}
    for name in edition.facts_of.get(id_, ()):
        for attribute in attributes_of_fact(edition, name):
            found.setdefault(attribute, []).append(name)
    return {attribute: found[attribute] for attribute in DATA if attribute in found}


def attributes_document(edition: Edition) -> Document:
    """All thirteen attributes, each with what is stated or with the items that use it."""
    labels, service = edition.labels, edition.service
    users: dict[str, list[tuple[str, list[str]]]] = {}
    for id_ in edition.facts_of:
        for attribute, facts in attributes_of_item(edition, id_).items():
            users.setdefault(attribute, []).append((id_, facts))
    stated = [
        ("citation", (labels.say("cited below", number=len(_cited(edition))),)),
        ("developer", _stated(edition, "developer")),
        ("funding", _stated(edition, "funding")),
        ("dates", (labels.say("released", version=service.version, dates=_dates(edition)),)),
    ]
    rows: list[tuple[Line, ...]] = []
    for name, line in [*stated, *((name, _use(edition, users.get(name, []))) for name in DATA)]:
        rows.append(((f"{len(rows) + 1}. {labels.say(f'attribute {name}')}",), line))
    columns = (labels.say("attribute"), labels.say("content says"))
    table = Table(labels.say("source attributes of", service=service.title), columns, rows)
    title = labels.say("source attributes")
    lead = labels.say("source attributes lead")
    citations = Items(tuple(Item((edition.source(key),)) for key in _cited(edition)))
    sections = (Section("", (table,)), Section(labels.say("attribute citation"), (citations,)))
    return Document(title, lead, sections, labels.language)


def _use(edition: Edition, users: list[tuple[str, list[str]]]) -> Line:
    """The items that use an attribute, each with the facts that read it."""
    labels = edition.labels
    if not users:
        return (labels.say("not used"),)
    lines = [
        labels.line(
            "user",
            item=edition.item(id_),
            facts=edition.listed(edition.fact(name) for name in facts),
        )
        for id_, facts in users
    ]
    return (labels.say("used by"), *joined(lines, labels.say("part separator")))


def _cited(edition: Edition) -> list[str]:
    sources = edition.service.sources
    return sorted(edition.cited_by, key=lambda key: sources[key].label.lower())


def _stated(edition: Edition, part: str) -> Line:
    words = edition.words
    if words.has("service", part):
        return (words.plain("service", part),)
    return (edition.labels.say("not stated"),)


def _dates(edition: Edition) -> str:
    dates = sorted({each.last_review_date for each in edition.service.governed.values()})
    return f"{dates[0]} – {dates[-1]}" if dates else "–"


def attribute_lines(edition: Edition, id_: str) -> Line:
    """The attributes that an item uses, each with its facts; or that it uses none."""
    labels = edition.labels
    used = attributes_of_item(edition, id_)
    if not used:
        return (labels.say("no attribute used"),)
    lines: list[tuple[str | Run, ...]] = [
        labels.line(
            "attribute use",
            attribute=labels.say(f"attribute {attribute}"),
            facts=edition.listed(edition.fact(name) for name in facts),
        )
        for attribute, facts in used.items()
    ]
    return joined(lines, labels.say("part separator"))
