"""What all services share in cards/: value sets, quantities, references, the words of records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cds_service.knowledge.call import Source
from cds_service.knowledge.record.phrases import Phrases
from cds_service.knowledge.record.quantities import Quantity
from cds_service.knowledge.record.record import Key
from cds_service.knowledge.record.statuses import Statuses
from cds_service.knowledge.record.terminology import Terminology


@dataclass(frozen=True, slots=True)
class Reference:
    """A guideline, label or paper; `opened` is how far it was read: C1, C2 or G."""

    title: str
    kind: str
    opened: str
    organisation: str | None = None
    year: int | None = None
    url: str | None = None

    @property
    def label(self) -> str:
        """The title with the year."""
        is_dated = self.year is None or str(self.year) in self.title
        return self.title if is_dated else f"{self.title} ({self.year})"

    @property
    def source(self) -> Source:
        """The reference as a card names it."""
        return Source(self.label, self.url)


@dataclass(frozen=True, slots=True)
class Concepts:
    """Pairs of code and display, in order.

    The displays are one text, a line each: there are many, only pages read them, and as objects of
    their own they would take more memory than everything else about them.
    """

    codes: tuple[str, ...]
    displays: str = field(repr=False)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.codes, self.displays.split("\n"), strict=False)

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A FHIR ValueSet as people read it: `concepts` by code system.

    `phrases` are the words of records that mean it. One that only words mean has no codes and no
    version.
    """

    id: str
    title: str
    version: str = ""
    description: str = ""
    copyright: str = ""
    concepts: Mapping[str, Concepts] = field(default_factory=dict, repr=False)
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """What every service may refer to.

    `attributes` are the value sets that hold what a source attribute of decision support asks for,
    by attribute.
    """

    value_sets: Mapping[str, ValueSet]
    terminology: Terminology
    statuses: Statuses
    quantities: Mapping[str, Quantity]
    references: Mapping[str, Reference]
    codes: Mapping[str, Mapping[str, tuple[str, ...]]]  # value set, system: codes as written
    understood: Mapping[str, frozenset[str]] = field(default_factory=dict)  # record-text.yaml
    phrases: Mapping[str, Phrases] = field(default_factory=dict, repr=False)  # record-text.yaml
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def terminology_for(self, keys: Iterable[Key]) -> Terminology:
        """The terminology of facts that look at these keys: every kind sees its own value sets.

        An allergy may name a medicine, so allergies see both.
        """
        sets_of: dict[str, set[str]] = defaultdict(set)
        for kind, set_id in keys:
            sets_of[kind].add(set_id.removeprefix("past:"))
        for kind, set_ids in self.understood.items():
            sets_of[kind] |= set_ids
        for kind in ("MedicationRequest", "MedicationStatement"):
            sets_of["AllergyIntolerance"] |= sets_of[kind]
        return self.terminology.for_kinds(
            {kind: frozenset(set_ids) for kind, set_ids in sets_of.items()}
        )
