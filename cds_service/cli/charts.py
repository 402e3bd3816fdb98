"""One patient from a file, as a call: a CDS Hooks request, a Bundle or NDJSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cds_service.fhir.prefetch import complete
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Resource
from cds_service.playground.records import as_retrieved, documents_in, patient_id, resources_in
from cds_service.wire.hooks import call_of, load_context
from cds_service.wire.requests import CDSRequest, load_request

PATIENT_VIEW = "patient-view"  # the hook of a file that is no request


@dataclass(frozen=True, slots=True)
class Chart:
    """What a file holds about one patient: a CDS Hooks request, or a record of whole lists."""

    name: str
    request: CDSRequest | None
    resources: tuple[Resource, ...]

    @property
    def hook(self) -> str:
        """The hook that it can be sent to."""
        return self.request.hook if self.request else PATIENT_VIEW

    def call(self, service: CDSService, now: datetime, language: str) -> Call:
        """The call of a service. Raises CDSError, for example if required data is missing."""
        if self.request is None:
            return Call(
                retrieved=as_retrieved(self.resources, service.prefetch),
                patient_id=patient_id(self.resources),
                user_id="Practitioner/command-line",
                hook_instance=self.name,
                now=now,
                language=language,
            )
        context = load_context(self.request.hook, self.request.context)
        retrieved = complete(service, self.request)
        return call_of(self.request, context, retrieved, now=now, language=language)


def read_chart(path: Path) -> Chart:
    """The patient of a file. Raises CDSError, for example if there is none."""
    documents = documents_in(path.read_bytes(), path.name)
    if len(documents) == 1 and isinstance(documents[0], dict) and "hook" in documents[0]:
        return Chart(path.stem, load_request(documents[0]), ())
    resources = tuple(resources_in(documents))
    patient_id(resources)
    return Chart(path.stem, None, resources)
