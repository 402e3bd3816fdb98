"""What a call needs besides itself: made once, in create_app, and found from every address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import orjson
from flask import Response, current_app, g

from cds_service.current_knowledge import CurrentKnowledge
from cds_service.fhir.client import FHIRClient
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.store.suppression import Memory
from cds_service.telemetry.call_notes import CallNotes
from cds_service.telemetry.metrics import Metrics
from cds_service.telemetry.spans import Span

if TYPE_CHECKING:
    from cds_service.clients.tokens import Clients

EXTENSION = "cds_service"  # where create_app leaves the collaborators


@dataclass(frozen=True, slots=True)
class Check:
    """Something that readiness looks at; without what is `needed`, no call can be answered."""

    name: str
    is_well: Callable[[], bool]
    needed: bool


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything that a call needs besides itself. `clock` gives an aware time.

    Without `clients` nobody is asked who is calling. `limit` raises where a caller calls too
    often, `observers` take the notes of each call.
    """

    settings: Settings
    knowledge: CurrentKnowledge
    clock: Callable[[], datetime]
    memory: Memory
    fhir_client: FHIRClient
    clients: Clients | None
    limit: Callable[[], None]
    metrics: Metrics
    span: Span
    checks: Sequence[Check]
    observers: Sequence[Callable[[CallNotes], None]]


def collaborators() -> Collaborators:
    """The collaborators of the application that answers."""
    return cast(Collaborators, current_app.extensions[EXTENSION])


def current_knowledge() -> Knowledge:
    """The knowledge of this call, read once: a reload meanwhile is for the calls after it."""
    if "knowledge" not in g:
        g.knowledge = collaborators().knowledge.current
    return cast(Knowledge, g.knowledge)


def call_notes() -> CallNotes:
    """The notes of the call that is being answered."""
    return cast(CallNotes, g.notes)


def json_response(body: Mapping[str, Any], status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(body), status, mimetype="application/json")
