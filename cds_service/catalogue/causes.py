"""A cause as a document: what earns it points, what excludes it, what is offered for it."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.catalogue.conditions import Saying
from cds_service.catalogue.document import (
    Document,
    Formula,
    Item,
    Items,
    Line,
    Paragraph,
    Section,
    Terms,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.sections import (
    acting_section,
    example_section,
    ground_sections,
    lead_of,
    said_sections,
)
from cds_service.knowledge.content.artifacts import Cause, Reason


def cause_document(edition: Edition, id_: str) -> Document:
    """The document of a cause. Raises KeyError for an unknown one."""
    cause = cause_of(edition, id_)
    labels = edition.labels
    sections = [
        *said_sections(edition, id_, ("summary", "mechanism", "pattern")),
        Section(labels.say("when it is listed"), (Paragraph((_rule_of_listing(edition),)),)),
        *_reasons(edition, cause),
        Section(labels.say("offers"), (Terms(tuple(offers(edition, cause))),)),
        acting_section(edition, id_),
        *ground_sections(edition, cause.governance),
        example_section(edition, cause.examples),
    ]
    lead = lead_of(edition, cause.governance)
    return Document(edition.name(id_), lead, sections, labels.language)


def cause_of(edition: Edition, id_: str) -> Cause:
    """The cause with an id. Raises KeyError."""
    for cause in edition.service.causes:
        if cause.id == id_:
            return cause
    raise KeyError(id_)


def offers(edition: Edition, cause: Cause) -> Iterable[tuple[str, Line]]:
    """The measures and drug classes of a cause."""
    labels = edition.labels
    against = [id_ for id_ in cause.measures if edition.service.measures[id_].advised_against]
    offered = [id_ for id_ in cause.measures if id_ not in against]
    yield labels.say("measures"), edition.listed(map(edition.item, offered))
    if against:
        yield labels.say("advised against"), edition.listed(map(edition.item, against))
    yield labels.say("classes"), edition.listed(map(edition.item, cause.classes))


def _rule_of_listing(edition: Edition) -> str:
    service = edition.service
    return edition.labels.say("listing", points=service.least_points, most=service.most_causes)


def _reasons(edition: Edition, cause: Cause) -> Iterable[Section]:
    labels = edition.labels
    for group in cause.points:
        heading = labels.say("points", each=group.each, most=group.at_most)
        yield from _section(edition, cause, heading, group.reasons, "because")
    yield from _section(edition, cause, labels.say("requires"), cause.requires, "not")
    yield from _section(edition, cause, labels.say("excludes"), cause.excludes, "not")
    yield from _section(edition, cause, labels.say("notes"), cause.notes, "note")


def _section(
    edition: Edition, cause: Cause, heading: str, reasons: Iterable[Reason], part: str
) -> Iterable[Section]:
    """The reasons, each as a card says it, with its condition."""
    saying = Saying(edition)
    items: list[Item] = []
    formulas: list[Formula] = []
    for reason in reasons:
        text = edition.words.texts[cause.id, f"{part} {reason.because}"]
        items.append(Item(saying.text(text), (saying.condition(reason.when),)))
        if reason.when.facts:
            formulas.append(Formula(reason.when.text))
    if items:
        yield Section(heading, (Items(items), *formulas), level=3)
