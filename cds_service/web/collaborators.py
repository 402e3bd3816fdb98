"""The collaborators of a call: built once in create_app, available at every address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import orjson
from flask import Response, current_app, g

from cds_service.current_knowledge import CurrentKnowledge
from cds_service.fhir.client import FHIRClient
from cds_service.fhir.profiles import Profile
from cds_service.knowledge import Knowledge
from cds_service.readers.attempts import Attempts
from cds_service.readers.sessions import Sessions
from cds_service.settings import Settings
from cds_service.store.replicas import Replicas
from cds_service.store.suppression import Memory
from cds_service.telemetry.call_notes import CallNotes
from cds_service.telemetry.metrics import Metrics
from cds_service.telemetry.spans import Span

if TYPE_CHECKING:
    from cds_service.clients.tokens import Clients

EXTENSION = "cds_service"  # where create_app puts the collaborators


@dataclass(frozen=True, slots=True)
class Check:
    """One check of readiness; if it is `needed` and fails, no call can be answered."""

    name: str
    is_well: Callable[[], bool]
    needed: bool


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What answering a call needs. `clock` returns an aware time.

    Without `clients` anybody can call. `limit` raises if a caller calls too often; `observers`
    receive the notes of each call. Without a store there are no `sessions` of readers, and without
    one that machines share no `replicas`; `attempts` counts who tries to sign in.
    """

    settings: Settings
    profile: Profile
    knowledge: CurrentKnowledge
    clock: Callable[[], datetime]
    memory: Memory
    fhir_client: FHIRClient
    clients: Clients | None
    limit: Callable[[], None]
    sessions: Sessions | None
    replicas: Replicas | None
    attempts: Attempts
    metrics: Metrics
    span: Span
    checks: Sequence[Check]
    observers: Sequence[Callable[[CallNotes], None]]


def collaborators() -> Collaborators:
    """The collaborators of the application that is running."""
    return cast(Collaborators, current_app.extensions[EXTENSION])


def current_knowledge() -> Knowledge:
    """The knowledge of this call, read once: a reload only affects calls that start after it."""
    if "knowledge" not in g:
        g.knowledge = collaborators().knowledge.current
    return cast(Knowledge, g.knowledge)


def call_notes() -> CallNotes:
    """The notes of the current call."""
    return cast(CallNotes, g.notes)


def json_response(body: Mapping[str, Any], status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(body), status, mimetype="application/json")
