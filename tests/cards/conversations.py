"""Whole conversations: every fixture person opened by a clinician, and what else may happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask.testing import FlaskClient

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Retrieved
from cds_service.playground.prefetched import as_prefetch
from cds_service.playground.records import patient_id, read_resources

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
HASH_KEY = "golden answers have uuids under this key"
# For tests that start from facts: nothing in it but who, when and in which language.
CALL = Call(
    retrieved=Retrieved((), {}),
    patient_id="example",
    user_id="Practitioner/example",
    hook_instance="example",
    now=datetime(2026, 11, 22, 12, tzinfo=UTC),
    language="en",
)
PATIENTS = sorted((FIXTURES / "patients").glob("*.json"))
_FORBIDDEN = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden", "diagnostics": "no access"}],
}


def _by_the_patient(request: dict[str, Any]) -> None:
    request["context"]["userId"] = f"Patient/{request['context']['patientId']}"


def _without_medications(request: dict[str, Any]) -> None:
    request["prefetch"]["medicationRequests"] = _FORBIDDEN


def _without_conditions(request: dict[str, Any]) -> None:
    del request["prefetch"]["conditions"]


def _with_one_page(request: dict[str, Any]) -> None:
    conditions = request["prefetch"]["conditions"]
    conditions["total"] = len(conditions["entry"]) + 40


def _with_one_empty_page(request: dict[str, Any]) -> None:
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "type": "searchset", "total": 9}


def _with_nulls(request: dict[str, Any]) -> None:
    for key in request["prefetch"]:
        if key not in ("patient", "conditions"):
            request["prefetch"][key] = None


_VARIANTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "by-the-patient": _by_the_patient,
    "medications-forbidden": _without_medications,
    "conditions-missing": _without_conditions,
    "conditions-one-page": _with_one_page,
    "conditions-empty-page": _with_one_empty_page,
    "nothing-else-on-record": _with_nulls,
}


def requests(service: CDSService) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every conversation by name: `<person>` or `<person>--<variant>`."""
    for path in PATIENTS:
        yield path.stem, request(service, path)
    for variant, change in _VARIANTS.items():
        name = f"ada-generalised-anxiety--{variant}"
        changed = request(service, FIXTURES / "patients" / "ada-generalised-anxiety.json", name)
        change(changed)
        yield name, changed


def request(service: CDSService, path: Path, name: str | None = None) -> dict[str, Any]:
    """The request of a CDS Client that answers every template, for the patient in a file."""
    resources = read_resources(path)
    return {
        "hookInstance": str(uuid5(NAMESPACE_URL, name or path.stem)),
        "hook": service.hook,
        "context": {"userId": "Practitioner/example", "patientId": patient_id(resources)},
        "prefetch": as_prefetch(resources, service.prefetch),
    }


def answer(ehr: FlaskClient, body: Any) -> dict[str, Any]:
    """What the service answers to a request."""
    response = ehr.post("/cds-services/anxiety-leg-weakness", json=body)
    return {"status": response.status_code, "body": response.get_json()}
