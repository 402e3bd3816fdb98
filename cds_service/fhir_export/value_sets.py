"""ValueSets: the lists of codes, as the content has them."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.fhir_export.metadata import Publication, Resource, present
from cds_service.knowledge import Knowledge
from cds_service.knowledge.facts.library import ValueSet


def value_sets(knowledge: Knowledge, publication: Publication, date: str) -> Iterator[Resource]:
    """A ValueSet for each list of codes; one that only words mean has none to name."""
    for set_id in sorted(knowledge.value_sets):
        value_set = knowledge.value_sets[set_id]
        if value_set.concepts:
            yield _value_set(value_set, publication, date)


def _value_set(value_set: ValueSet, publication: Publication, date: str) -> Resource:
    head = publication.head(
        "ValueSet",
        value_set.id,
        value_set.title,
        status="draft",
        version=value_set.version,
        date=date,
    )
    include = [
        {
            "system": system,
            "concept": [present({"code": code, "display": display}) for code, display in concepts],
        }
        for system, concepts in value_set.concepts.items()
    ]
    return head | present(
        {
            "description": value_set.description or value_set.title,
            "copyright": value_set.copyright,
            "compose": {"include": include},
        }
    )
