"""Finds the document at an address, in the version that is in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cds_service.catalogue.causes import cause_document
from cds_service.catalogue.document import (
    CAUSES,
    CLASSES,
    DRUGS,
    FACTS,
    MEASURES,
    RULES,
    SOURCES,
    SUGGESTIONS,
    VALUE_SETS,
    Address,
    Document,
)
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.facts import fact_document
from cds_service.catalogue.labels import Labels
from cds_service.catalogue.offers import (
    class_document,
    drug_document,
    measure_document,
    suggestion_document,
)
from cds_service.catalogue.rules import rule_document
from cds_service.catalogue.shared import source_document, value_set_document
from cds_service.knowledge import Knowledge

_OF_A_SERVICE: Mapping[str, Callable[[Edition, str], Document]] = {
    RULES: rule_document,
    CAUSES: cause_document,
    MEASURES: measure_document,
    CLASSES: class_document,
    DRUGS: drug_document,
    SUGGESTIONS: suggestion_document,
    FACTS: fact_document,
}
_SHARED: Mapping[str, Callable[[list[Edition], str], Document]] = {
    VALUE_SETS: value_set_document,
    SOURCES: source_document,
}


def editions_of(knowledge: Knowledge, language: str) -> list[Edition]:
    """Every service in a language."""
    labels = Labels(language)
    return [Edition(knowledge, service, labels) for service in knowledge.services.values()]


def in_force(editions: list[Edition], address: Address) -> Address:
    """The address with the version that is loaded. Raises KeyError if there is nothing there."""
    if address.kind == VALUE_SETS:
        return replace(address, version=editions[0].knowledge.value_sets[address.id].version)
    if address.kind == SOURCES:
        _ = editions[0].service.sources[address.id]
        return replace(address, version="")
    edition = edition_of(editions, address.service)
    if address.kind == FACTS:
        _ = edition.service.facts[address.id]
        return replace(address, version=edition.service.version)
    loaded = edition.address(address.id)
    if loaded.kind != address.kind:
        raise KeyError(address.id)
    return loaded


def document_at(editions: list[Edition], address: Address) -> Document:
    """The document of an address that is in force. Raises KeyError."""
    if address.kind in _SHARED:
        return _SHARED[address.kind](editions, address.id)
    return _OF_A_SERVICE[address.kind](edition_of(editions, address.service), address.id)


def edition_of(editions: list[Edition], service: str) -> Edition:
    """The edition of a service. Raises KeyError."""
    for edition in editions:
        if edition.service.id == service:
            return edition
    raise KeyError(service)
