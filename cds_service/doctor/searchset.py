"""All pages of one search, and what is odd about the resources in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cds_service.conformance.caller import Reply
from cds_service.fhir.received import entries_of, next_page
from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.fhir_json import listed
from cds_service.knowledge.record.terminology import Terminology

_REMARKS = ("informational", "processing", "not-supported", "success")
_CONCEPTS = ("code", "medicationCodeableConcept")
_SUBJECTS = ("subject", "patient")
_DATES = ("effectiveDateTime", "effectiveInstant", "issued", "authored", "authoredOn")


@dataclass
class Searchset:
    """The pages of a search that came so far; `replies` has the answer of each."""

    replies: list[Reply] = field(default_factory=list)
    led_to: str = ""  # the host of a next link that led away
    is_circle: bool = False
    is_cut: bool = False  # there are more pages than the settings allow

    @property
    def last(self) -> Reply:
        """The answer of the last page that was asked for."""
        return self.replies[-1]

    @property
    def seconds(self) -> float:
        return sum(reply.seconds for reply in self.replies)

    @property
    def resources(self) -> list[Resource]:
        """What was found, without remarks about the search."""
        return [each for each in self._all if each.get("resourceType") != "OperationOutcome"]

    @property
    def kept_back(self) -> list[str]:
        """The codes with which the server says that results are missing."""
        issues = (
            issue
            for outcome in self._all
            if outcome.get("resourceType") == "OperationOutcome"
            for issue in listed(outcome.get("issue"))
        )
        return [str(each.get("code")) for each in issues if each.get("code") not in _REMARKS]

    @property
    def promised(self) -> int:
        """How many matches the server says there are."""
        total = self.replies[0].body.get("total") if self.replies[0].body else None
        return total if isinstance(total, int) else 0

    @property
    def matches(self) -> int:
        """How many came; some servers count their remarks, so these are counted too."""
        searches = [entry.get("search") for entry in self._entries]
        return sum(not isinstance(each, dict) or each.get("mode") != "include" for each in searches)

    @property
    def _all(self) -> Iterator[Resource]:
        yield from listed([entry.get("resource") for entry in self._entries])

    @property
    def _entries(self) -> Iterator[Resource]:
        for reply in self.replies:
            if reply.resource_type == "Bundle":
                yield from listed(entries_of(reply.body))

    def add(self, reply: Reply) -> str | None:
        """Add a page; gives its next link."""
        self.replies.append(reply)
        return next_page(reply.body) if reply.status == 200 else None


def of_others(resources: Iterable[Resource], patient_id: str) -> int:
    """How many resources are about somebody else."""
    references = (
        reference.get("reference")
        for each in resources
        for reference in listed([each.get(name) for name in _SUBJECTS])
    )
    return sum(
        isinstance(text, str) and urlsplit(text).path.rpartition("/")[2] != patient_id
        for text in references
    )


def with_codes(resources: Iterable[Resource], codes: frozenset[str]) -> list[Resource]:
    """The resources that have one of these codes, whatever its system."""
    return [each for each in resources if codes & {code for code, _ in _codings(each)}]


def is_newest_first(resources: Iterable[Resource]) -> bool:
    """Whether they come in the order that `_sort=-date` asks for; those without a day are passed
    over."""
    days = [
        text[:10]
        for each in resources
        for text in [next((each[name] for name in _DATES if name in each), None)]
        if isinstance(text, str)
    ]
    return days == sorted(days, reverse=True)


def without_unit(resources: Iterable[Resource]) -> tuple[int, int]:
    """How many numbers have no unit, and how many numbers there are."""
    quantities = [
        quantity for each in resources for quantity in listed([each.get("valueQuantity")])
    ]
    lacking = sum(not (each.get("unit") or each.get("code")) for each in quantities)
    return lacking, len(quantities)


def known(resources: Iterable[Resource], terminology: Terminology) -> tuple[int, int, int]:
    """How many concepts our value sets know, how many have a code, and how many there are."""
    concepts = [
        (concept, each)
        for each in resources
        for concept in listed([each.get(name) for name in _CONCEPTS])
    ]
    hits = 0
    for concept, _ in concepts:
        match = terminology.match(concept)
        hits += bool(match.codes or match.words or match.recognised)
    coded = sum(any(_codings(each)) for _, each in concepts)
    return hits, coded, len(concepts)


def medication_references(resources: Iterable[Resource]) -> list[str]:
    """The ids of the Medications that orders and statements refer to, in order."""
    references = listed([each.get("medicationReference") for each in resources])
    texts = (each.get("reference") for each in references)
    return sorted(
        {t.rpartition("/")[2] for t in texts if isinstance(t, str) and "Medication/" in t}
    )


def _codings(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for concept in listed([resource.get(name) for name in _CONCEPTS]):
        for coding in listed(concept.get("coding")):
            if isinstance(coding.get("code"), str):
                yield coding["code"], str(coding.get("system"))
