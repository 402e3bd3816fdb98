"""Suggestions: proposals of tests and referrals that a clinician may accept; never a medicine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cds_service.knowledge.call import Action, Call, Card, Resource, Suggestion
from cds_service.knowledge.cards.voice import Voice
from cds_service.knowledge.content.artifacts import ProposedRequest, SuggestionRule
from cds_service.knowledge.content.service import Service

# The uuids of cards and suggestions are made in this name space.
NAMESPACE = uuid5(NAMESPACE_URL, "urn:cds-service:cards")


def offered_suggestions(
    service: Service, slot_id: str, facts: Mapping[str, Any], voice: Voice, call: Call
) -> Iterable[Suggestion]:
    """The suggestions for the card of a slot, each with at least one request to propose."""
    for rule in service.suggestions:
        if rule.slot != slot_id or rule.when.evaluate(facts) is not True:
            continue
        requests = [request for request in rule.requests if request.when.evaluate(facts) is True]
        if requests:
            yield _suggestion(rule, requests, voice, call)


def _suggestion(
    rule: SuggestionRule, requests: list[ProposedRequest], voice: Voice, call: Call
) -> Suggestion:
    id_ = rule.governance.id
    actions = []
    for request in requests:
        said = voice.say(id_, f"request {request.id}")
        resource = service_request(request, said, call)
        actions.append(Action("create", said, resource, f"{id_} {request.id}"))
    identity = f"{call.hook_instance} {call.patient_id} {id_}"
    return Suggestion(str(uuid5(NAMESPACE, identity)), voice.say(id_, "label"), tuple(actions))


def without(card: Card, requests: Set[str]) -> Card:
    """The card without what these requests propose; a suggestion that proposes nothing is gone."""
    if not card.suggestions or not requests:
        return card
    left = (
        replace(
            suggestion,
            actions=tuple(
                action for action in suggestion.actions if action.request not in requests
            ),
        )
        for suggestion in card.suggestions
    )
    return replace(card, suggestions=tuple(each for each in left if each.actions))


def service_request(request: ProposedRequest, said: str, call: Call) -> Resource:
    """A FHIR R4 ServiceRequest that only proposes: draft, for this patient, in this encounter."""
    code: Resource = {"text": said}
    if request.coding is not None:
        coding = request.coding
        code = {
            "coding": [{"system": coding.system, "code": coding.code, "display": coding.display}],
            **code,
        }
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": code,
        "subject": {"reference": f"Patient/{call.patient_id}"},
    }
    if call.encounter_id:
        resource["encounter"] = {"reference": f"Encounter/{call.encounter_id}"}
    return resource
