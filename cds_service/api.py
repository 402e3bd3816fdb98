"""The HTTP of CDS Hooks: discovery, the call of a service, feedback; and health."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import Any, cast
from uuid import UUID

import orjson
from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from cds_service.errors import (
    CDSError,
    InvalidRequest,
    PreconditionFailed,
    UnknownCard,
    UnknownService,
    UnsupportedMediaType,
    error_of_status,
    operation_outcome,
)
from cds_service.feedback import rows_of
from cds_service.fhir_client import FHIRClient
from cds_service.hooks import load_context
from cds_service.json_text import read_json
from cds_service.knowledge.artifacts import Answer, Call, Card, Retrieved
from cds_service.memory import Memory
from cds_service.prefetch import Fetch, complete
from cds_service.reloading import CurrentKnowledge, Reload
from cds_service.response import dump_discovery, dump_response
from cds_service.schemas import CDSRequest, Knowledge, Service, load_feedback, load_request
from cds_service.settings import Settings
from cds_service.store import keep_feedback
from cds_service.traces import why

EXTENSION = "cds_service"  # where create_app leaves the collaborators
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Where a tag says the country or nothing, words are named by their script.
_SCRIPTS = {
    **dict.fromkeys(("zh", "zh-cn", "zh-sg", "zh-my"), "zh-hans"),
    **dict.fromkeys(("zh-tw", "zh-hk", "zh-mo"), "zh-hant"),
}

logger = logging.getLogger(__name__)
cds_hooks = Blueprint("cds_hooks", __name__)


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything that a call needs besides itself. `clock` gives an aware time."""

    settings: Settings
    knowledge: CurrentKnowledge
    clock: Callable[[], datetime]
    fhir_client: FHIRClient
    memory: Memory


@cds_hooks.get("/cds-services")
def discover() -> Response:
    """CDS Hooks "Discovery": every service of the knowledge."""
    return _json(dump_discovery(current_knowledge().services.values()))


# A client that was given the discovery address with a final slash calls with two slashes.
@cds_hooks.post("/cds-services/<service_id>")
@cds_hooks.post("/cds-services//<service_id>")
def call_service(service_id: str) -> Response:
    """CDS Hooks "Calling a CDS Service": the main path, from a body to cards."""
    started = perf_counter()
    here = _here()
    cds_request = load_request(_body())
    service = _service(service_id, hook=cds_request.hook)
    context = load_context(cds_request.hook, cds_request.context)
    fetch = here.fhir_client.fetch_for(cds_request, context, started=started)
    retrieved = _retrieved(service, cds_request, fetch)
    language = _language(service, here.settings)
    call = Call(
        retrieved=retrieved or Retrieved((), {}),
        patient_id=context.patient_id,
        user_id=context.user_id,
        hook_instance=cds_request.hook_instance,
        now=here.clock(),
        language=language,
        encounter_id=context.encounter_id,
    )
    answer = service.answer(call) if retrieved else service.unavailable(call)
    suppressed = here.memory.suppress(service, current_knowledge().version, call, answer)
    kept = [card for card in answer.cards if card.uuid not in suppressed]
    sent = _permitted(kept, here.settings)
    body = dump_response(sent)
    _log_call(service, cds_request, answer, suppressed, language, len(sent), started)
    return _in_language(_json(body), language)


@cds_hooks.post("/cds-services/<service_id>/feedback")
@cds_hooks.post("/cds-services//<service_id>/feedback")
def receive_feedback(service_id: str) -> Response:
    """CDS Hooks "Feedback": what clinicians did with cards; 204 once it is kept.

    Without a store nothing is kept, and 204 all the same.
    """
    here = _here()
    entries = load_feedback(_body())
    service = _service(service_id)
    if here.memory.store is not None:
        keep_feedback(here.memory.store, rows_of(entries, received_at=here.clock()))
    accepted = sum(entry.outcome == "accepted" for entry in entries)
    overridden = len(entries) - accepted
    logger.info("feedback service=%s accepted=%d overridden=%d", service.id, accepted, overridden)
    return Response(status=204)


@cds_hooks.get("/trace/<uuid:uuid>")
def trace(uuid: UUID) -> Response:
    """Why a card was there, in names and versions; 404 for a card that is not known."""
    store = _here().memory.store
    told = why(store, str(uuid)) if store is not None else None
    if told is None:
        raise UnknownCard("No such card is kept.")
    return _json(told)


@cds_hooks.get("/health/live")
def live() -> Response:
    """200 as long as the process answers at all."""
    return _json({"status": "live"})


@cds_hooks.get("/health/ready")
def ready() -> Response:
    """200 when there is something to serve, otherwise 503."""
    here = _here()
    services = len(current_knowledge().services)
    body = {"status": "ready" if services else "empty", **here.memory.state()}
    if last_reload := here.knowledge.last_reload:
        body["reload"] = _told(last_reload)
    return _json(body, 200 if services else 503)


@cds_hooks.after_request
def name_the_knowledge(response: Response) -> Response:
    response.headers["Knowledge-Version"] = current_knowledge().version
    return response


@cds_hooks.app_errorhandler(CDSError)
def refuse(error: CDSError) -> Response:
    """Every error goes out as an OperationOutcome, and into the log by its place alone."""
    where = ",".join(fault.expression or "-" for fault in error.faults)
    logger.info("refused status=%d code=%s at=%s", error.status, error.code, where)
    response = _json(operation_outcome(error), error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@cds_hooks.app_errorhandler(HTTPException)
def refuse_as_http_says(error: HTTPException) -> Response:
    """What the web framework refuses, in the same form; with Allow, where the method is wrong."""
    response = refuse(error_of_status(error.code or 500))
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)
    return response


@cds_hooks.app_errorhandler(Exception)
def fail(error: Exception) -> Response:
    """A fault of ours: where it happened is logged, what it says is not, since that may be data."""
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error("failed with %s\n%s", type(error).__name__, places)
    return _json(operation_outcome(CDSError("The service failed to answer; this is logged.")), 500)


def _here() -> Collaborators:
    return cast(Collaborators, current_app.extensions[EXTENSION])


def current_knowledge() -> Knowledge:
    """The knowledge of this call, read once: a reload meanwhile is for the calls after it."""
    if "knowledge" not in g:
        g.knowledge = _here().knowledge.current
    return cast(Knowledge, g.knowledge)


def _told(reload: Reload) -> dict[str, Any]:
    """A reload for readiness; the old content serves on, so it says nothing of the status."""
    told: dict[str, Any] = {"state": reload.state, "at": reload.at.isoformat()}
    return told | ({"problems": reload.problems} if reload.problems else {})


def _service(service_id: str, *, hook: str | None = None) -> Service:
    service = current_knowledge().services.get(service_id)
    if service is None:
        raise UnknownService("No CDS Service has this id; see GET /cds-services.")
    if hook not in (None, service.hook):
        raise InvalidRequest(f"This CDS Service answers the hook {service.hook}.", "hook")
    return service


def _body() -> Any:
    """The JSON of the request; UnsupportedMediaType or UnreadableBody if there is none."""
    mimetype = request.mimetype
    is_json = mimetype.startswith("application/") and mimetype.endswith(("/json", "+json"))
    if mimetype and not is_json:
        raise UnsupportedMediaType("Send JSON as application/json.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send JSON without a Content-Encoding.")
    return read_json(request.get_data(cache=False))


def _retrieved(service: Service, cds_request: CDSRequest, fetch: Fetch | None) -> Retrieved | None:
    """The data of the call. None where what is required lacks and the site wants a card for it."""
    try:
        return complete(service, cds_request, fetch)
    except PreconditionFailed:
        if _here().settings.unavailable == "card":
            return None
        raise


def _permitted(cards: Sequence[Card], settings: Settings) -> Sequence[Card]:
    """What the operator lets out of the cards."""
    if settings.mode == "shadow":
        return ()
    if settings.suggestions:
        return cards
    return [replace(card, suggestions=()) for card in cards]


def _language(service: Service, settings: Settings) -> str:
    """The language that the caller likes best among those of the service (RFC 4647, lookup)."""
    languages = {language.lower(): language for language in service.languages}
    for wanted, quality in request.accept_languages:
        tag = _SCRIPTS.get(wanted.lower(), wanted.lower())
        while quality > 0 and tag:
            if tag in languages:
                return languages[tag]
            tag = tag.rpartition("-")[0]
    return languages.get(settings.language.lower(), "en")


def _in_language(response: Response, language: str) -> Response:
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response


def _log_call(
    service: Service,
    cds_request: CDSRequest,
    answer: Answer,
    suppressed: Mapping[str, str],
    language: str,
    sent: int,
    started: float,
) -> None:
    """One line of ids and numbers. A hookInstance that is no UUID may be anything: it stays out."""
    is_uuid = _UUID.fullmatch(cds_request.hook_instance)
    logger.info(
        "answered service=%s hook_instance=%s knowledge=%s language=%s cards=%d"
        " suppressed=%s shadow=%d applied=%s unknown=%s missing=%s milliseconds=%.1f",
        service.id,
        cds_request.hook_instance if is_uuid else "-",
        current_knowledge().version,
        language,
        sent,
        ",".join(suppressed.values()) or "-",
        len(answer.cards) + len(answer.shadow) - sent - len(suppressed),
        ",".join(answer.applied) or "-",
        ",".join(answer.unknown) or "-",
        ",".join(answer.missing) or "-",
        (perf_counter() - started) * 1000,
    )


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, mimetype="application/json")
