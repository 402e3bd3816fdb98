"""The audit: one row for each call, also for refused ones; exported as FHIR AuditEvents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cds_service.store import Writer
from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.tables import CallRow
from cds_service.telemetry.call_notes import CallNotes

_OF_OTHER_ENDPOINTS = {"discover": "discovery", "receive_feedback": "feedback", "trace": "trace"}
_TYPE = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "RESTful Operation",
}
_HOOKS = "https://cds-hooks.hl7.org/hooks"
_HOOK_INSTANCE = "urn:anxiety-cds-service:hook-instance-hash"
_NOBODY_ASKED = "not asked"


class Audit:
    """Sends one row for each call to the writer: ids of rules, names of facts, counts; no value."""

    def __init__(self, writer: Writer, pseudonyms: Pseudonyms, mode: str) -> None:
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._mode = mode

    def keep(self, notes: CallNotes) -> None:
        """Queue the row of one CDS Hooks call; returns at once."""
        if notes.is_call:
            self._writer.put(self._row(notes))

    def _row(self, notes: CallNotes) -> CallRow:
        instance = notes.hook_instance
        return CallRow(
            at=notes.at,
            client=notes.client,
            service=notes.service or "",
            hook=notes.hook or _OF_OTHER_ENDPOINTS.get(notes.endpoint, ""),
            hook_instance_hash=self._pseudonyms.of("hookInstance", instance) if instance else "",
            knowledge_version=notes.knowledge,
            status=notes.status,
            mode=self._mode,
            cards=notes.cards,
            applied=list(notes.applied),
            unknown=list(notes.unknown),
            suppressed=list(notes.suppressed),
            missing=list(notes.missing),
            milliseconds=notes.milliseconds,
        )


def audit_events(rows: Iterable[CallRow]) -> Iterator[str]:
    """The rows as FHIR R4 AuditEvents in JSON. Raises ValidationError for one that is not valid."""
    from fhir.resources.R4B.auditevent import AuditEvent  # late: calls do not need it

    for row in rows:
        yield AuditEvent.model_validate(_event(row)).model_dump_json()


def _event(row: CallRow) -> dict[str, Any]:
    return {
        "resourceType": "AuditEvent",
        "type": _TYPE,
        "action": "E",
        "recorded": row.at.isoformat(),
        "outcome": _outcome(row.status),
        "agent": [_agent(row.client)],
        "source": {"observer": {"display": "anxiety-cds-service"}},
        "entity": [_entity(row)],
    } | ({"subtype": [{"system": _HOOKS, "code": row.hook}]} if row.hook else {})


def _outcome(status: int) -> str:
    """FHIR's audit-event-outcome: success, an error of the caller, or an error of this service."""
    return "0" if status < 400 else "4" if status < 500 else "8"


def _agent(client: str | None) -> dict[str, Any]:
    if client is None:
        return {"requestor": True, "name": _NOBODY_ASKED}
    return {"requestor": True, "who": {"identifier": {"value": client}}}


def _entity(row: CallRow) -> dict[str, Any]:
    details = {
        "service": row.service,
        "knowledgeVersion": row.knowledge_version,
        "status": str(row.status),
        "mode": row.mode,
        "cards": str(row.cards),
        "rulesApplied": " ".join(row.applied),
        "rulesUnknown": " ".join(row.unknown),
        "rulesSuppressed": " ".join(row.suppressed),
        "missing": " ".join(row.missing),
        "milliseconds": str(row.milliseconds),
    }
    entity: dict[str, Any] = {
        "detail": [{"type": name, "valueString": text} for name, text in details.items() if text]
    }
    if row.hook_instance_hash:
        identifier = {"system": _HOOK_INSTANCE, "value": row.hook_instance_hash}
        entity["what"] = {"identifier": identifier}
    return entity
