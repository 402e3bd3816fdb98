"""The audit: one row for each call, also for refused ones, and for each sign-in and report read;
exported as FHIR AuditEvents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cds_service.store import Writer
from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.tables import CallRow
from cds_service.telemetry.call_notes import CallNotes

_SIGN_IN, _SIGN_OUT = "sign-in", "sign-out"
_OF_OTHER_ENDPOINTS = {
    "discover": "discovery",
    "receive_feedback": "feedback",
    "trace": "trace",
    "sign_in": _SIGN_IN,
    "sign_out": _SIGN_OUT,
    "report_page": "report",
    "report_json": "report",
    "report_csv": "report",
}
_TYPE = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "RESTful Operation",
}
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_AUTHENTICATION = {"system": _DICOM, "code": "110114", "display": "User Authentication"}
_OF_AUTHENTICATION = {
    _SIGN_IN: {"system": _DICOM, "code": "110122", "display": "Login"},
    _SIGN_OUT: {"system": _DICOM, "code": "110123", "display": "Logout"},
}
_HOOKS = "https://cds-hooks.hl7.org/hooks"
_HOOK_INSTANCE = "urn:anxiety-cds-service:hook-instance-hash"
_NOBODY_ASKED = "not asked"
_NOT_KNOWN = "not known"


class Audit:
    """Sends one row for each call to the writer: ids of rules, names of facts, counts; no value."""

    def __init__(self, writer: Writer, pseudonyms: Pseudonyms, mode: str) -> None:
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._mode = mode

    def keep(self, notes: CallNotes) -> None:
        """Queue the row of one CDS Hooks call, or of one reader; returns at once."""
        if notes.is_call or notes.is_reading:
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
        "type": _AUTHENTICATION if row.hook in _OF_AUTHENTICATION else _TYPE,
        "action": "E",
        "recorded": row.at.isoformat(),
        "outcome": _outcome(row.status),
        "agent": [_agent(row)],
        "source": {"observer": {"display": "anxiety-cds-service"}},
        "entity": [_entity(row)],
    } | ({"subtype": [_subtype(row.hook)]} if row.hook else {})


def _subtype(hook: str) -> dict[str, Any]:
    return _OF_AUTHENTICATION.get(hook) or {"system": _HOOKS, "code": hook}


def _outcome(status: int) -> str:
    """FHIR's audit-event-outcome: success, an error of the caller, or an error of this service."""
    return "0" if status < 400 else "4" if status < 500 else "8"


def _agent(row: CallRow) -> dict[str, Any]:
    if row.client is None:
        return {"requestor": True, "name": _NOT_KNOWN if row.hook == _SIGN_IN else _NOBODY_ASKED}
    return {"requestor": True, "who": {"identifier": {"value": row.client}}}


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
