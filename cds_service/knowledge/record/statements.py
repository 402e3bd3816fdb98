"""What a record states: its coded parts, each with its resource."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import gathers_others, id_of, is_heading, text_of
from cds_service.knowledge.record.repairs import repaired
from cds_service.knowledge.record.validation import is_faulty

C = TypeVar("C")
T = TypeVar("T")


class Judgement:
    """What is found out about a resource once, however many statements it makes.

    `written` is the resource as it came. Nothing is repaired or validated before a fact asks for
    it, because most of a long history is never used.
    """

    def __init__(self, written: Resource) -> None:
        self.written = written
        self._found: dict[object, Any] = {}

    def once(self, find: Callable[[Resource, C], T], context: C) -> T:
        """What `find` gives for the repaired resource; several facts may ask, it looks once."""
        if find not in self._found:
            self._found[find] = find(self.resource, context)
        found: T = self._found[find]
        return found

    @cached_property
    def resource(self) -> Resource:
        """What is read of the resource, repaired."""
        return repaired(self.written)

    @cached_property
    def is_faulty(self) -> bool:
        """Whether the decisive parts of the resource are not valid FHIR."""
        return is_faulty(self.resource)

    @property
    def status(self) -> str:
        """Its status in lower case; "" if it has none."""
        return (text_of(self.written.get("status")) or "").strip().lower()

    @property
    def effective(self) -> dates.Span | None:
        """When an Observation was made or a form was filled in."""
        # Nearly always a plain date, which needs no repair.
        return dates.read(self.written.get("effectiveDateTime")) or self._effective

    @cached_property
    def _effective(self) -> dates.Span | None:
        return dates.effective(self.resource)

    def is_about(self, patient_ids: Container[str]) -> bool:
        """Whether it is about the patient with these ids; without a subject, validation decides."""
        return self._subject is None or self._subject in patient_ids

    @cached_property
    def _subject(self) -> str | None:
        # Once, not for each component: a reference may be long.
        reference = _reference_of_subject(self.written) or _reference_of_subject(self.resource)
        return None if reference is None else id_of(reference.strip())


def _reference_of_subject(resource: Resource) -> str | None:
    subject = resource.get("subject", resource.get("patient"))
    return text_of(subject.get("reference")) if isinstance(subject, dict) else None


@dataclass(frozen=True, slots=True)
class Statement:
    """One coded statement of the record.

    `part` is the component of an Observation or the answer of a form that was coded, or None for
    the whole resource. `is_weak` means that only its words, or a code with other meanings too,
    placed it in the value set; `is_past` that its words call it history; `is_denied` that they deny
    what its code says.
    """

    judgement: Judgement
    part: Resource | None
    concept: Resource
    is_weak: bool = False
    is_past: bool = False
    is_denied: bool = False

    @property
    def resource(self) -> Resource:
        """The resource that makes the statement."""
        return self.judgement.resource

    @property
    def element(self) -> Resource:
        """The resource, or the part of it that was coded."""
        return self.judgement.resource if self.part is None else self.part

    @property
    def place(self) -> int:
        """The same for all statements of one element."""
        return id(self.judgement if self.part is None else self.part)

    @property
    def is_heading(self) -> bool:
        """Whether it only groups other Observations, as a panel does."""
        if self.part is None and not gathers_others(self.judgement.written):
            return False
        return is_heading(self.element)

    @property
    def is_faulty(self) -> bool:
        """Whether its decisive parts are not valid FHIR: then it is only uncertain."""
        return self.judgement.is_faulty


class Unsure(str):
    """A name from the record that may no longer be true."""

    __slots__ = ()
