"""Puts the application together: every collaborator is built here, or passed in."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, request
from flask_cors import CORS

from cds_service.allocator import keep_little
from cds_service.clients.limits import limit_calls
from cds_service.clients.used_tokens import UsedTokens, used_tokens_of
from cds_service.clock import now
from cds_service.current_knowledge import CurrentKnowledge, knowledge_of, switched
from cds_service.environment import from_environment, metrics_are_shared
from cds_service.errors import StartError
from cds_service.fhir.client import FHIRClient
from cds_service.fhir.profiles import profile_of
from cds_service.garbage import uncollected
from cds_service.knowledge import Knowledge, load
from cds_service.readers.attempts import Attempts
from cds_service.readers.sessions import Sessions
from cds_service.reload_requests import ReloadWatch, Stamp
from cds_service.settings import Settings
from cds_service.store import Store, Writer, can_write, open_store
from cds_service.store.pseudonyms import pseudonyms_of
from cds_service.store.replicas import Replicas, last_request_in
from cds_service.store.suppression import Memory
from cds_service.telemetry import logs
from cds_service.telemetry.audit import Audit
from cds_service.telemetry.metrics import Metrics
from cds_service.telemetry.spans import no_span, tracing_to
from cds_service.web import web
from cds_service.web.cds_hooks import cds_hooks
from cds_service.web.collaborators import EXTENSION, Check, Collaborators, call_notes
from cds_service.web.knowledge import knowledge as knowledge_pages
from cds_service.web.operations import operations
from cds_service.web.path_prefix import below
from cds_service.web.playground import playground
from cds_service.web.receiving import Receiver
from cds_service.web.sign_in import signing
from cds_service.web.visitors import address_of_visitor

if TYPE_CHECKING:
    from cds_service.clients.tokens import Clients

_log = structlog.get_logger(__name__)


def create_app(
    settings: Settings | None = None,
    knowledge: Knowledge | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Flask:
    """The WSGI application. What is not passed in is built from the environment.

    Raises SettingsError for a wrong setting, and KnowledgeError for content with problems.
    """
    settings = settings or from_environment()
    clock = clock or now
    logs.configure(settings.log_level, clock, for_people=settings.development)
    if not settings.issuers:
        _log.warning("anybody can call, because CDS_ISSUERS is not set")
        _log.warning(
            "anybody can answer a card, and CDS_ANONYMOUS_ANSWERS lets that shorten critical cards"
            if settings.anonymous_answers
            else "anybody can answer a card, so critical cards are never shortened"
        )
    current = CurrentKnowledge(
        switched(knowledge, settings) if knowledge else knowledge_of(settings),
        lambda: knowledge_of(settings),
        clock,
    )

    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    pseudonyms = pseudonyms_of(settings)
    store = open_store(settings.store_url.get_secret_value())
    writer = Writer(store)
    used_tokens = used_tokens_of(settings, store)
    metrics = Metrics(is_shared=metrics_are_shared(), lost_rows=lambda: writer.lost)
    clients = _clients(settings, used_tokens)
    tracing = tracing_to(settings.otlp_endpoint)
    app.extensions[EXTENSION] = Collaborators(
        settings=settings,
        profile=profile_of(settings),
        knowledge=current,
        clock=clock,
        memory=Memory(store, writer, pseudonyms, settings),
        fhir_client=FHIRClient(settings),
        clients=clients,
        limit=limit_calls(app, settings, _caller),
        sessions=Sessions(store, pseudonyms) if store else None,
        replicas=Replicas(store, clock) if store and store.is_of_several_machines else None,
        attempts=Attempts(),
        metrics=metrics,
        span=tracing.span if tracing else no_span,
        checks=tuple(_checks(store, clients, used_tokens, clock)),
        observers=(metrics.count, Audit(writer, pseudonyms, settings.mode).keep, logs.log_call),
    )
    app.register_blueprint(cds_hooks)
    app.register_blueprint(operations)
    if settings.playground:  # before the pages: it has the address / where it is on
        app.register_blueprint(playground)
    app.register_blueprint(web)
    app.register_blueprint(signing)
    app.register_blueprint(knowledge_pages)
    # Middleware as Flask documents it; its types do not allow the assignment.
    if prefix := urlsplit(settings.public_url).path:
        app.wsgi_app = below(prefix, app.wsgi_app)  # type: ignore[method-assign, assignment]
    if tracing:
        app.wsgi_app = tracing.around(app.wsgi_app)  # type: ignore[method-assign, assignment]
    _allow_browsers(app, settings)
    app.after_request(_add_security_headers)
    # The knowledge lives as long as the process: the garbage collector can skip it.
    gc.freeze()
    return app


@lru_cache(maxsize=1)
def _first_load(
    cards_dir: Path, runtime_dir: Path, store_url: str
) -> tuple[Knowledge, ReloadWatch]:
    """The content at the start. Forked workers share its memory."""
    watch = ReloadWatch(Stamp(runtime_dir, cards_dir), last_request_in(store_url))
    with uncollected():
        knowledge = load(cards_dir)
    gc.freeze()
    return knowledge, watch


def prepare(settings: Settings) -> None:
    """Try once all that could stop a worker from starting. Raises StartError."""
    url = settings.store_url.get_secret_value()
    knowledge, _ = _first_load(settings.cards_dir, settings.runtime_dir, url)
    switched(knowledge, settings)
    pseudonyms_of(settings)
    store = open_store(url)
    used_tokens_of(settings, store)
    if store:
        store.close()


def application() -> Flask:
    """The WSGI application of a worker; if it cannot start, it says why, without a traceback."""
    try:
        settings = from_environment()
        url = settings.store_url.get_secret_value()
        knowledge, watch = _first_load(settings.cards_dir, settings.runtime_dir, url)
        app = create_app(settings, knowledge)
        _first_load.cache_clear()  # so that a reload can free it
    except StartError as error:
        sys.exit(str(error))
    ours = app.extensions[EXTENSION]
    watch.start(ours.knowledge, ours.replicas)
    return app


def receiver() -> Receiver:
    """What `serve` runs in each worker."""
    return received(application())


def received(app: Flask) -> Receiver:
    """An application behind the reader of its requests."""
    keep_little()
    settings = app.extensions[EXTENSION].settings
    fetches = bool(settings.fhir_servers) or settings.development
    return Receiver(
        app,
        seconds=settings.request_timeout_ms / 1000,
        most_bytes=settings.max_body_bytes,
        large_bodies=2,
        # Most calls only compute, so a few threads are enough; but calls that fetch mostly wait
        # for the FHIR server.
        threads=32 if fetches else 4,
    )


def _allow_browsers(app: Flask, settings: Settings) -> None:
    """CORS for pages of the origins in the settings; a preflight request needs no token."""
    CORS(
        app,
        resources=r"/+cds-services.*",
        origins=list(settings.cors_origins),
        send_wildcard=True,
        methods=["GET", "POST"],
        # An asterisk would not cover Authorization (Fetch standard).
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Accept-Language",
            "X-Request-Id",
            "traceparent",
        ],
        expose_headers=["Knowledge-Version", "X-Request-Id", "Retry-After", "Server-Timing"],
        max_age=600,
        vary_header=False,  # it would omit Vary for origins that are not allowed
    )
    if settings.cors_origins != ("*",):
        app.after_request(_vary_by_origin)


def _clients(settings: Settings, used_tokens: UsedTokens | None) -> Clients | None:
    if used_tokens is None:
        return None
    from cds_service.clients.tokens import clients_of  # late: its cryptography is large

    return clients_of(settings, used_tokens)


def _checks(
    store: Store | None,
    clients: Clients | None,
    used_tokens: UsedTokens | None,
    clock: Callable[[], datetime],
) -> Iterator[Check]:
    """What the readiness check looks at, besides the knowledge."""
    if store:
        # Without it there are still cards; feedback is refused, and clients send it again.
        yield Check("store", partial(can_write, store), needed=False)
    if clients:
        yield Check("keysOfClients", lambda: clients.have_keys(clock()), needed=True)
    if used_tokens:
        yield Check("usedTokens", used_tokens.is_reachable, needed=True)


def _caller() -> str:
    """Who is counted for a limit: the client with a valid token, otherwise an address."""
    return call_notes().client or address_of_visitor()


def _vary_by_origin(response: Response) -> Response:
    response.vary.add("Origin")
    return response


def _add_security_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if request.method == "POST":
        response.headers["Cache-Control"] = "no-store"
    return response
