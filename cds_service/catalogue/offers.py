"""What cards may offer, as documents: measures, drug classes, named drugs, suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.catalogue.conditions import Saying, condition_blocks
from cds_service.catalogue.document import (
    Document,
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
    ground_sections,
    lead_of,
    review_section,
    said_sections,
    source_section,
)
from cds_service.knowledge.content.artifacts import Governance, SuggestionRule
from cds_service.knowledge.content.words import SHORT


def measure_document(edition: Edition, id_: str) -> Document:
    """The document of a measure. Raises KeyError for an unknown one."""
    measure = edition.service.measures[id_]
    labels = edition.labels
    causes = [cause.id for cause in edition.service.causes if id_ in cause.measures]
    place = "advised against" if measure.advised_against else "offered for"
    rows = [(labels.say(place), edition.listed(map(edition.item, causes)))]
    return _document(edition, measure.governance, ("text", SHORT), rows)


def class_document(edition: Edition, id_: str) -> Document:
    """The document of a drug class. Raises KeyError for an unknown one."""
    drug_class = edition.service.classes[id_]
    labels, service = edition.labels, edition.service
    causes = [cause.id for cause in service.causes if id_ in cause.classes]
    rows = [
        (labels.say("offered for"), edition.listed(map(edition.item, causes))),
        (labels.say("drugs in order"), edition.listed(map(edition.item, drug_class.drugs))),
    ]
    if drug_class.only_first_cause:
        rows.append((labels.say("only first"), edition.item(drug_class.only_first_cause)))
    if drug_class.never_alone:
        rows.append((labels.say("never alone"), (labels.say("yes"),)))
    parts = [f"for {cause.id}" for cause in service.causes]
    return _document(
        edition, drug_class.governance, (*parts, "not-first", "not-alone", SHORT), rows
    )


def drug_document(edition: Edition, id_: str) -> Document:
    """The document of a named drug. Raises KeyError for an unknown one."""
    classes = [key for key, each in edition.service.classes.items() if id_ in each.drugs]
    rows = [(edition.labels.say("in class"), edition.listed(map(edition.item, classes)))]
    return _document(edition, edition.service.drugs[id_], (SHORT,), rows)


def suggestion_document(edition: Edition, id_: str) -> Document:
    """The document of a suggestion. Raises KeyError for an unknown one."""
    found = {each.governance.id: each for each in edition.service.suggestions}
    suggestion = found[id_]
    labels = edition.labels
    sections = [
        *said_sections(edition, id_, ("label",)),
        Section(labels.say("when it holds"), condition_blocks(edition, suggestion.when)),
        Section(labels.say("proposes"), (Items(tuple(_requests(edition, suggestion))),)),
        *ground_sections(edition, suggestion.governance),
    ]
    lead = lead_of(edition, suggestion.governance)
    return Document(edition.name(id_), lead, sections, labels.language)


def _requests(edition: Edition, suggestion: SuggestionRule) -> Iterable[Item]:
    saying = Saying(edition)
    for request in suggestion.requests:
        text = edition.words.texts[suggestion.governance.id, f"request {request.id}"]
        code = f" ({request.coding.display}, {request.coding.code})" if request.coding else ""
        yield Item((*saying.text(text), code), (saying.condition(request.when),))


def _document(
    edition: Edition,
    governance: Governance,
    parts: Iterable[str],
    rows: Iterable[tuple[str, Line]],
) -> Document:
    labels, id_ = edition.labels, governance.id
    sections = [
        *said_sections(edition, id_, parts),
        Section(labels.say("place"), (Terms(tuple(rows)),)),
        Section(labels.say("never prescribed"), (Paragraph((labels.say("for review"),)),)),
        acting_section(edition, id_),
        source_section(edition, governance),
        review_section(edition, governance),
    ]
    return Document(edition.title(id_), lead_of(edition, governance), sections, labels.language)
