"""Addresses for operators and their tools: health, metrics, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from cds_service.current_knowledge import Reload
from cds_service.errors import NotAllowed, StoreUnavailable
from cds_service.telemetry.metrics import CONTENT_TYPE
from cds_service.web.cds_hooks import name_the_knowledge
from cds_service.web.collaborators import collaborators, current_knowledge, json_response
from cds_service.web.visitors import is_from_this_machine
from cds_service.wire.openapi import document

operations = Blueprint("operations", __name__)
operations.after_request(name_the_knowledge)


@operations.get("/health/live")
def live() -> Response:
    """200 as long as the process answers at all."""
    return json_response({"status": "live"})


@operations.get("/health/ready")
def ready() -> Response:
    """200 if calls can be answered, otherwise 503; with the result of each check."""
    knowledge, checks = current_knowledge(), collaborators().checks
    well = {check.name: check.is_well() for check in checks}
    is_ready = bool(knowledge.services) and all(
        well[check.name] for check in checks if check.needed
    )
    well = {"knowledge": bool(knowledge.services)} | well
    if workers := _workers_by_version():
        well["sameKnowledge"] = len(workers) == 1
    body: dict[str, Any] = {
        "status": "ready" if is_ready else "not ready",
        "knowledge": knowledge.version,
        "checks": {name: "ok" if is_well else "failed" for name, is_well in well.items()},
        "lostRows": collaborators().memory.writer.lost,
    }
    if workers:
        body["workers"] = workers
    if last_reload := collaborators().knowledge.last_reload:
        body["reload"] = _reload_state(last_reload)
    return json_response(body, 200 if is_ready else 503)


@operations.get("/metrics")
def metrics() -> Response:
    """Prometheus' text format; only for this machine (`visitors`), unless the operator opens it."""
    if not collaborators().settings.metrics_open and not is_from_this_machine():
        raise NotAllowed("Only callers on the same machine get metrics; see CDS_METRICS_OPEN.")
    return Response(collaborators().metrics.exposition(), content_type=CONTENT_TYPE)


@operations.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 document of the CDS Hooks part."""
    return json_response(document(current_knowledge().version, collaborators().settings.public_url))


def _workers_by_version() -> Mapping[str, int]:
    """The workers of all machines by the knowledge they serve; empty where it is not known."""
    replicas = collaborators().replicas
    if replicas is None or replicas.store.has_just_failed:
        return {}
    try:
        return replicas.workers_by_version()
    except StoreUnavailable:
        return {}


def _reload_state(reload: Reload) -> dict[str, Any]:
    """The last reload, for readiness; if it failed, the old content still answers calls."""
    state: dict[str, Any] = {"state": reload.state, "at": reload.at.isoformat()}
    return state | ({"problems": reload.problems} if reload.problems else {})
