"""A CDS Hooks request played through: its cards, and why they come, or why none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cds_service.errors import InvalidRequest, PreconditionFailed
from cds_service.fhir.prefetch import complete
from cds_service.fhir.profiles import Profile
from cds_service.knowledge import CDSService
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Answer, Call, Resource, Retrieved
from cds_service.knowledge.explanation import Explanation, explain, explained
from cds_service.playground.prefetched import as_prefetch
from cds_service.playground.records import (
    documents_in,
    patient_id,
    resources_in,
    without_credentials,
)
from cds_service.settings import Settings
from cds_service.wire.hooks import call_of, load_context
from cds_service.wire.requests import CDSRequest, load_request
from cds_service.wire.responses import dump_response

_OF_A_REQUEST = ("hook", "hookInstance", "prefetch", "context")
MOST_RESOURCES = 2000  # of a record; its page is made in about a second


@dataclass(frozen=True, slots=True)
class Played:
    """A request with its answer, as values and as JSON, and why it is this answer."""

    request: Resource = field(repr=False)
    answer: Answer = field(repr=False)
    response: Mapping[str, Any] = field(repr=False)
    explanation: Explanation = field(repr=False)


def request_of(
    resources: list[Resource], service: CDSService, *, user_id: str, name: str
) -> Resource:
    """What a CDS Client would send for a record, by the service's templates.

    The same user and name give the same `hookInstance`. Raises InvalidRequest without a Patient.
    """
    return {
        "hookInstance": str(uuid5(NAMESPACE_URL, f"{user_id} {name}")),
        "hook": service.hook,
        "context": {"userId": user_id, "patientId": patient_id(resources)},
        "prefetch": as_prefetch(resources, service.prefetch),
    }


def request_in(content: bytes, service: CDSService, *, user_id: str) -> Resource:
    """The request in a text from outside: as it is, or made from a Bundle or NDJSON.

    Raises InvalidRequest, which says in what way it is none of them.
    """
    # Nothing is fetched, so a credential is of no use.
    documents = without_credentials(documents_in(content, "The text"))
    [first, *others] = documents
    if not others and isinstance(first, dict) and any(name in first for name in _OF_A_REQUEST):
        return first
    if not others and isinstance(first, dict) and "cards" in first:
        raise InvalidRequest("This is the answer of a service. Send the request, or a record.")
    if not all(isinstance(document, dict) for document in documents):
        raise InvalidRequest("This is JSON, but no Bundle, no FHIR resource and no request.")
    return request_of(resources_in(documents), service, user_id=user_id, name="record")


@dataclass(frozen=True, slots=True)
class Player:
    """Answers requests as the service would at this time and in this language, and says why.

    `finish` gives the cards their uuids and links; with `is_short` the information card has its
    short text. Nothing is fetched and nothing is stored.
    """

    service: CDSService
    settings: Settings
    profile: Profile
    finish: Callable[[Call, Answer], Answer]
    now: datetime
    language: str
    is_short: bool

    def call(self, request: Resource) -> Call:
        """The call that a request is, as the service reads it.

        Raises InvalidRequest for a request that is none, and PreconditionFailed for one without the
        required data. If this service answers that with a card, no list has a state.
        """
        cds_request = load_request(request)
        if cds_request.hook != self.service.hook:
            raise InvalidRequest(f"This CDS Service answers the hook {self.service.hook}.", "hook")
        context = load_context(cds_request.hook, cds_request.context)
        return call_of(
            cds_request,
            context,
            self._retrieved(cds_request),
            now=self.now,
            language=self.language,
            is_short=self.is_short,
        )

    def play(self, request: Resource) -> Played:
        """The cards for a request, and why they come. Raises as `call` does."""
        call = self.call(request)
        if call.retrieved.states:
            evaluation = decide(self.service, call)
            found = self.service.answer_from(evaluation, call)
            explanation = explained(self.service, call, evaluation)
        else:
            found = self.service.unavailable(call)
            explanation = explain(self.service, call)
        answer = self.finish(call, found)
        response = dump_response(answer.cards, call.retrieved.states, answer.unread)
        return Played(request, answer, response, explanation)

    def _retrieved(self, cds_request: CDSRequest) -> Retrieved:
        try:
            return complete(
                self.service,
                cds_request,
                never_given=self.settings.absent_lists,
                lacking=self.profile.lacking(self.service.prefetch),
                most_resources=min(MOST_RESOURCES, self.settings.max_resources),
            )
        except PreconditionFailed:
            if self.settings.unavailable != "card":
                raise
            return Retrieved((), {})
