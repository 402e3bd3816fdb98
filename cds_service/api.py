"""The HTTP of CDS Hooks: discovery, the call of a service, feedback; and health."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol, cast

import orjson
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from cds_service.errors import (
    CDSError,
    InvalidRequest,
    PreconditionFailed,
    UnknownService,
    UnsupportedMediaType,
    error_of_status,
    operation_outcome,
)
from cds_service.fhir_client import FHIRClient
from cds_service.hooks import load_context
from cds_service.json_text import read_json
from cds_service.knowledge.artifacts import Answer, Call, Card, Retrieved
from cds_service.prefetch import Fetch, complete
from cds_service.response import dump_discovery, dump_response
from cds_service.schemas import CDSRequest, Service, load_feedback, load_request
from cds_service.settings import Settings

EXTENSION = "cds_service"  # where create_app leaves the collaborators
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Where a tag says the country or nothing, words are named by their script.
_SCRIPTS = {
    **dict.fromkeys(("zh", "zh-cn", "zh-sg", "zh-my"), "zh-hans"),
    **dict.fromkeys(("zh-tw", "zh-hk", "zh-mo"), "zh-hant"),
}

logger = logging.getLogger(__name__)
cds_hooks = Blueprint("cds_hooks", __name__)


class Knowledge(Protocol):
    """What the HTTP asks of the knowledge."""

    @property
    def version(self) -> str: ...
    @property
    def services(self) -> Mapping[str, Service]: ...


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything that a call needs besides itself. `clock` gives an aware time."""

    settings: Settings
    knowledge: Knowledge
    clock: Callable[[], datetime]
    fhir_client: FHIRClient


@cds_hooks.get("/cds-services")
def discover() -> Response:
    """CDS Hooks "Discovery": every service of the knowledge."""
    return _json(dump_discovery(_here().knowledge.services.values()))


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
    body = dump_response([_permitted(card, here.settings) for card in answer.cards])
    _log_call(service, cds_request, answer, language=language, started=started)
    return _in_language(_json(body), language)


@cds_hooks.post("/cds-services/<service_id>/feedback")
@cds_hooks.post("/cds-services//<service_id>/feedback")
def receive_feedback(service_id: str) -> Response:
    """CDS Hooks "Feedback": what clinicians did with cards; 204, whichever cards they were."""
    entries = load_feedback(_body())
    service = _service(service_id)
    accepted = sum(entry.outcome == "accepted" for entry in entries)
    overridden = len(entries) - accepted
    logger.info("feedback service=%s accepted=%d overridden=%d", service.id, accepted, overridden)
    return Response(status=204)


@cds_hooks.get("/health/live")
def live() -> Response:
    """200 as long as the process answers at all."""
    return _json({"status": "live"})


@cds_hooks.get("/health/ready")
def ready() -> Response:
    """200 when there is something to serve, otherwise 503."""
    services = len(_here().knowledge.services)
    return _json({"status": "ready" if services else "empty"}, 200 if services else 503)


@cds_hooks.after_request
def name_the_knowledge(response: Response) -> Response:
    response.headers["Knowledge-Version"] = _here().knowledge.version
    return response


@cds_hooks.app_errorhandler(CDSError)
def refuse(error: CDSError) -> Response:
    """Every error goes out as an OperationOutcome, and into the log by its place alone."""
    where = ",".join(fault.expression or "-" for fault in error.faults)
    logger.info("refused status=%d code=%s at=%s", error.status, error.code, where)
    return _json(operation_outcome(error), error.status)


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


def _service(service_id: str, *, hook: str | None = None) -> Service:
    service = _here().knowledge.services.get(service_id)
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


def _permitted(card: Card, settings: Settings) -> Card:
    return card if settings.suggestions else replace(card, suggestions=())


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
    service: Service, cds_request: CDSRequest, answer: Answer, *, language: str, started: float
) -> None:
    """One line of ids and numbers. A hookInstance that is no UUID may be anything: it stays out."""
    is_uuid = _UUID.fullmatch(cds_request.hook_instance)
    logger.info(
        "answered service=%s hook_instance=%s knowledge=%s language=%s cards=%d"
        " applied=%s unknown=%s missing=%s milliseconds=%.1f",
        service.id,
        cds_request.hook_instance if is_uuid else "-",
        _here().knowledge.version,
        language,
        len(answer.cards),
        ",".join(answer.applied) or "-",
        ",".join(answer.unknown) or "-",
        ",".join(answer.missing) or "-",
        (perf_counter() - started) * 1000,
    )


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, mimetype="application/json")
