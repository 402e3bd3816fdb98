"""The HTTP of CDS Hooks: who calls, discovery, the call of a service, feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import HTTPException

from cds_service.errors import (
    CDSError,
    InvalidRequest,
    PreconditionFailed,
    UnknownService,
    UnsupportedMediaType,
    drop_frames,
    error_of_status,
    operation_outcome,
)
from cds_service.fhir.prefetch import complete
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Retrieved
from cds_service.settings import Settings
from cds_service.store.feedback import keep_feedback, rows_of
from cds_service.store.pseudonyms import Origin
from cds_service.store.suppression import Remembered
from cds_service.telemetry.call_notes import CallNotes, request_id
from cds_service.web.collaborators import (
    call_notes,
    collaborators,
    current_knowledge,
    json_response,
)
from cds_service.web.languages import in_language, preferred_language
from cds_service.web.links import have_own_pages, is_short, with_links
from cds_service.web.receiving import REFUSED
from cds_service.wire.hooks import HookContext, call_of, load_context
from cds_service.wire.json_text import read_json
from cds_service.wire.requests import CDSRequest, load_feedback, load_request
from cds_service.wire.responses import dump_discovery, dump_response

if TYPE_CHECKING:
    from cds_service.clients.tokens import Client  # its cryptography is large

cds_hooks = Blueprint("cds_hooks", __name__)


@cds_hooks.before_app_request
def begin() -> None:
    """Start the notes of this call, under the request id it came with or a new one."""
    g.notes = CallNotes(
        is_call=request.blueprint == cds_hooks.name,
        endpoint=(request.endpoint or "").rpartition(".")[2],
        request_id=request_id(request.headers.get("X-Request-Id")),
        at=collaborators().clock(),
        knowledge=current_knowledge().version,
        span=collaborators().span,
    )
    clear_contextvars()
    bind_contextvars(request_id=g.notes.request_id)
    refused = request.environ.get(REFUSED)
    if refused is not None:
        raise refused


@cds_hooks.before_request
def ask_who_calls() -> None:
    """CDS Hooks "Trusting CDS Clients". A preflight request has no token. Refusals are logged."""
    if request.method == "OPTIONS":
        return
    with call_notes().stage("authenticate"):
        try:
            g.client = _client()
            call_notes().client = g.client and g.client.name
        finally:
            collaborators().limit()


def _client() -> Client | None:
    clients = collaborators().clients
    if clients is None:
        return None
    base = collaborators().settings.public_url or request.host_url.rstrip("/")
    token = request.headers.get("Authorization")
    return clients.identify(token, base + request.path, collaborators().clock())


def _origin(fhir_server: str | None = None) -> Origin:
    client: Client | None = g.client
    if client is None:
        return Origin(fhir_server=fhir_server)
    return Origin(client.issuer, client.tenant, fhir_server)


@cds_hooks.get("/cds-services")
def discover() -> Response:
    """CDS Hooks "Discovery": every service of the knowledge."""
    services = map(collaborators().profile.published, current_knowledge().services.values())
    return json_response(dump_discovery(services))


# A client that knows the discovery address with a slash at the end calls with two slashes.
@cds_hooks.post("/cds-services/<service_id>")
@cds_hooks.post("/cds-services//<service_id>")
def call_service(service_id: str) -> Response:
    """CDS Hooks "Calling a CDS Service": the main path, from a body to cards."""
    notes, ours = call_notes(), collaborators()
    cds_request = load_request(_body())
    service = _service(service_id, hook=cds_request.hook)
    notes.hook, notes.hook_instance = cds_request.hook, cds_request.hook_instance
    context = load_context(cds_request.hook, cds_request.context)
    with notes.stage("prefetch"):
        retrieved = _retrieved(service, cds_request, context)
    notes.language = language = preferred_language(service, ours.settings)
    call = call_of(
        cds_request,
        context,
        retrieved or Retrieved((), {}),
        now=ours.clock(),
        language=language,
        is_short=is_short(ours.settings, notes.client),
    )
    with notes.stage("evaluate"):
        answer = service.answer(call) if retrieved else service.unavailable(call)
    with notes.stage("suppress"):
        memory, origin = ours.memory, _origin(cds_request.fhir_server)
        answer = memory.pseudonyms.seal(origin, call, answer)
        remembered = Remembered(answer.cards, {})
        if retrieved:
            version = current_knowledge().version
            remembered = memory.suppress(service, version, origin, call, answer)
    sent = with_links(
        _permitted(remembered.cards, ours.settings),
        service,
        language,
        are_kept=retrieved is not None and have_own_pages(),
    )
    with notes.stage("dump"):
        body = dump_response(sent, call.retrieved.states, answer.unread)
    notes.note_lists(call.retrieved)
    notes.note_answer(
        answer, remembered.away, sent=len(sent), kept_back=len(remembered.cards) - len(sent)
    )
    return in_language(json_response(body), language)


@cds_hooks.post("/cds-services/<service_id>/feedback")
@cds_hooks.post("/cds-services//<service_id>/feedback")
def receive_feedback(service_id: str) -> Response:
    """CDS Hooks "Feedback": what clinicians did with cards; 204 once it is kept.

    Without a store nothing is kept, but the answer is 204 too.
    """
    entries = load_feedback(_body())
    _service(service_id)
    store = collaborators().memory.store
    if store is not None:
        rows = rows_of(
            entries,
            received_at=collaborators().clock(),
            client=call_notes().client,
            client_hash=collaborators().memory.pseudonyms.client(_origin()),
        )
        keep_feedback(store, rows)
    call_notes().accepted = sum(entry.outcome == "accepted" for entry in entries)
    call_notes().overridden = sum(entry.outcome == "overridden" for entry in entries)
    return Response(status=204)


@cds_hooks.after_request
def name_the_knowledge(response: Response) -> Response:
    response.headers["Knowledge-Version"] = current_knowledge().version
    return response


@cds_hooks.after_app_request
def finish(response: Response) -> Response:
    """Log, count and audit this call. Health checks are too frequent for that, and are left out."""
    notes = call_notes()
    notes.close(response.status_code)
    response.headers["X-Request-Id"] = notes.request_id
    if notes.is_call:
        response.headers["Server-Timing"] = notes.server_timing
    is_preflight = request.method == "OPTIONS"
    is_kept = notes.is_call and not is_preflight or notes.is_reading
    if is_kept or response.status_code >= 400:
        for observe in collaborators().observers:
            observe(notes)
    for error in (notes.refused, notes.failed, request.routing_exception):
        drop_frames(error)
    return response


@cds_hooks.app_errorhandler(CDSError)
def refuse(error: CDSError) -> Response:
    """Every error is sent as an OperationOutcome."""
    call_notes().refused = error
    response = json_response(operation_outcome(error), error.status)
    response.headers.update(error.headers)
    return response


@cds_hooks.app_errorhandler(HTTPException)
def refuse_as_http_says(error: HTTPException) -> Response:
    """Errors of the web framework in the same form; with Allow if the method is wrong."""
    response = refuse(error_of_status(error.code or 500))
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)
    return response


@cds_hooks.app_errorhandler(Exception)
def fail(error: Exception) -> Response:
    """An error in this service. Its text is not sent: it may hold patient data."""
    call_notes().failed = error
    outcome = operation_outcome(CDSError("The service failed to answer; this is logged."))
    return json_response(outcome, 500)


def _service(service_id: str, *, hook: str | None = None) -> CDSService:
    service = current_knowledge().services.get(service_id)
    if service is None:
        raise UnknownService("No CDS Service has this id; see GET /cds-services.")
    call_notes().service = service.id
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


def _retrieved(
    service: CDSService, cds_request: CDSRequest, context: HookContext
) -> Retrieved | None:
    """The data of the call; None if required data is missing and the site prefers a card."""
    settings = collaborators().settings
    fetch = collaborators().fhir_client.fetch_for(cds_request, context, started=call_notes().began)
    try:
        retrieved = complete(
            service,
            cds_request,
            fetch,
            never_given=settings.absent_lists,
            lacking=collaborators().profile.lacking(service.prefetch),
            most_resources=settings.max_resources,
        )
    except PreconditionFailed:
        if settings.unavailable == "card":
            return None
        raise
    finally:
        if fetch is not None:
            call_notes().note_fetches(fetch.fetched.outcomes)
    return replace(retrieved, fetches=call_notes().fetches)


def _permitted(cards: Sequence[Card], settings: Settings) -> Sequence[Card]:
    """The cards as the operator's settings allow them to be sent."""
    if settings.mode == "shadow":
        return ()
    if settings.suggestions:
        return cards
    return [replace(card, suggestions=()) for card in cards]
