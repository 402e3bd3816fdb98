"""ActivityDefinitions: what a card may propose; never a medicine."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.fhir_export.conditions import USAGE, text_of
from cds_service.fhir_export.metadata import Publication, Resource, artifact_id, present
from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import ProposedRequest, SuggestionRule


def activities(service: CDSService, publication: Publication) -> Iterator[Resource]:
    """One for each measure without drugs, and one for each request of a suggestion."""
    for id_, measure in service.measures.items():
        head = publication.governed(
            "ActivityDefinition", artifact_id(service.id, id_), measure.governance, service
        )
        advice = "Advised against; no card offers it. " if measure.advised_against else ""
        text = text_of(service, id_, "text") or measure.governance.title
        yield head | {
            "description": f"{advice}{text}",
            "usage": USAGE,
            "kind": "CommunicationRequest",
            "intent": "proposal",
            "doNotPerform": measure.advised_against,
            "code": {"text": text_of(service, id_, "title") or measure.governance.title},
        }
    for suggestion in service.suggestions:
        for request in suggestion.requests:
            yield _request(service, publication, suggestion, request)


def request_id(service: CDSService, suggestion: SuggestionRule, request: ProposedRequest) -> str:
    """The id of the ActivityDefinition of a request."""
    return artifact_id(service.id, suggestion.governance.id, request.id)


def _request(
    service: CDSService,
    publication: Publication,
    suggestion: SuggestionRule,
    request: ProposedRequest,
) -> Resource:
    item = suggestion.governance
    text = text_of(service, item.id, f"request {request.id}") or item.title
    id_ = request_id(service, suggestion, request)
    head = publication.governed("ActivityDefinition", id_, item, service)
    coding = request.coding
    code = (
        {"system": coding.system, "code": coding.code, "display": coding.display} if coding else {}
    )
    return head | {
        "title": f"{item.title}: {text}",
        "description": text,
        "usage": USAGE,
        "kind": "ServiceRequest",
        "intent": "proposal",
        "code": present({"coding": [code] if code else [], "text": text}),
    }
