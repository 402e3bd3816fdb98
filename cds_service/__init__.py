"""A CDS Hooks service: what must not be put down to anxiety, and what may be."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from flask import Flask, Response, request
from flask_cors import CORS

from cds_service.api import EXTENSION, Collaborators, cds_hooks
from cds_service.errors import StartError
from cds_service.fhir_client import FHIRClient
from cds_service.knowledge import load
from cds_service.memory import Memory
from cds_service.pseudonyms import pseudonyms_of
from cds_service.reloading import CurrentKnowledge, Stamp, StampWatch
from cds_service.schemas import Knowledge
from cds_service.settings import Settings, from_environment
from cds_service.store import Writer, open_store
from cds_service.switches import switched
from cds_service.web import web

try:
    __version__ = version("anxiety-cds-service")
except PackageNotFoundError:  # a checkout that nobody installed
    __version__ = "0+checkout"


def create_app(
    settings: Settings | None = None,
    knowledge: Knowledge | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Flask:
    """The WSGI application. What is not passed in is made from the environment.

    Raises SettingsError or KnowledgeError: with a wrong setting or unsound content nothing starts.
    """
    settings = settings or from_environment()
    clock = clock or now
    current = CurrentKnowledge(
        switched(knowledge or load(settings.cards_dir), settings),
        lambda: switched(load(settings.cards_dir), settings),
        clock,
    )

    app = Flask(__name__, static_folder=None)
    app.logger.setLevel(settings.log_level)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    pseudonyms = pseudonyms_of(settings)
    store = open_store(settings.store_url)
    memory = Memory(store, Writer(store), pseudonyms, settings.trace_values, settings.mode)
    app.extensions[EXTENSION] = Collaborators(
        settings, current, clock, FHIRClient(settings), memory
    )
    app.register_blueprint(cds_hooks)
    app.register_blueprint(web)
    _allow_browsers(app, settings)
    app.after_request(_add_security_headers)
    # The knowledge lives as long as the process: the collector need not look at it again.
    gc.freeze()
    return app


def application() -> Flask:
    """The WSGI application of a worker; one that cannot start says why and nothing else."""
    try:
        settings = from_environment()
        watch = StampWatch(Stamp(settings.runtime_dir, settings.cards_dir))
        app = create_app(settings)
    except StartError as error:
        sys.exit(str(error))
    watch.start(app.extensions[EXTENSION].knowledge)
    return app


def now() -> datetime:
    """The clock, read here and nowhere else."""
    return datetime.now(UTC)


def _allow_browsers(app: Flask, settings: Settings) -> None:
    """CORS for pages of the origins in the settings; a preflight never needs a login."""
    CORS(
        app,
        resources=r"/+cds-services.*",
        origins=list(settings.cors_origins),
        send_wildcard=True,
        methods=["GET", "POST"],
        # An asterisk would not cover Authorization (Fetch standard).
        allow_headers=["Authorization", "Content-Type", "Accept-Language"],
        expose_headers=["Knowledge-Version"],
        max_age=600,
        vary_header=False,  # it would leave Vary out for the origins that are not allowed
    )
    if settings.cors_origins != ("*",):
        app.after_request(_vary_by_origin)


def _vary_by_origin(response: Response) -> Response:
    response.vary.add("Origin")
    return response


def _add_security_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.method == "POST":
        response.headers["Cache-Control"] = "no-store"
    return response
