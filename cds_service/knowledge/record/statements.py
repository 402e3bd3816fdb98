"""What a record states: its coded parts, each with the resource that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record import dates
from cds_service.knowledge.record.fhir_json import id_of
from cds_service.knowledge.record.validation import is_faulty


class Judgement:
    """What is found out of a resource once, however many statements it makes."""

    def __init__(self, resource: Resource, patient_id: str) -> None:
        self.resource = resource
        self._patient_id = patient_id

    @cached_property
    def is_faulty(self) -> bool:
        """Whether what decides what the resource says is no FHIR."""
        return is_faulty(self.resource)

    @cached_property
    def effective(self) -> dates.Span | None:
        """When an Observation was made or a form was filled in."""
        return dates.effective(self.resource)

    @cached_property
    def is_about_patient(self) -> bool:
        """Whether it is about the patient of the call; without a subject, validation decides."""
        subject = self.resource.get("subject", self.resource.get("patient"))
        reference = subject.get("reference") if isinstance(subject, dict) else None
        return not isinstance(reference, str) or id_of(reference) == self._patient_id


@dataclass(frozen=True, slots=True)
class Statement:
    """One coded statement of the record.

    `element` is the resource, or the component of an Observation that was coded; `is_weak` is
    whether only its words placed it in the value set, or a code that has other meanings too;
    `is_past` whether they call it history, `is_denied` whether they deny what its code says.
    """

    judgement: Judgement
    element: Resource
    concept: Resource
    is_weak: bool = False
    is_past: bool = False
    is_denied: bool = False

    @property
    def resource(self) -> Resource:
        """The resource that makes the statement."""
        return self.judgement.resource

    @property
    def is_faulty(self) -> bool:
        """Whether what decides what the resource says is no FHIR: it counts as uncertain only."""
        return self.judgement.is_faulty


class Unsure(str):
    """A name from the record of which it cannot be told whether it still holds."""

    __slots__ = ()
