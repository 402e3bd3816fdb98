"""Real records, real requests and other versions of FHIR: no 5xx, and no claim that is not so."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import shared
from flask.testing import FlaskClient

from cds_service.knowledge import CDSService
from cds_service.playground.prefetched import as_prefetch

ADDRESS = "/cds-services/anxiety-leg-weakness"
PATIENTS = shared.files("data/patients/*.json.gz")
RESPONSES = [
    path for path in shared.files("data/responses/*.json.gz") if "notjson" not in path.name
]
NOT_JSON = shared.files("data/responses/notjson-*.json.gz")
OTHER_VERSIONS = shared.files("data/other-versions/*.json.gz")

pytestmark = shared.needs_shared


def _resources(bundle: Any) -> list[dict[str, Any]]:
    entries = bundle.get("entry", []) if isinstance(bundle, dict) else []
    found = (entry.get("resource") for entry in entries if isinstance(entry, dict))
    resources = [resource for resource in found if isinstance(resource, dict)]
    return resources or ([bundle] if isinstance(bundle, dict) else [])


def _request(resources: list[dict[str, Any]], service: CDSService) -> dict[str, Any]:
    patients = [each.get("id") for each in resources if each.get("resourceType") == "Patient"]
    prefetch = as_prefetch(resources, service.prefetch)
    prefetch["patient"] = prefetch["patient"] or {"resourceType": "Patient", "id": "unknown"}
    return {
        "hookInstance": "6a4b4a1e-6d0f-4b46-8f0b-0d7a4c6b3c11",
        "hook": "patient-view",
        "context": {
            "userId": "Practitioner/example",
            "patientId": (patients or ["unknown"])[0] or "unknown",
        },
        "prefetch": prefetch,
    }


def _names_on(cards: list[dict[str, Any]]) -> str:
    return " ".join(card["summary"] + card["detail"] for card in cards)


@pytest.mark.parametrize("path", PATIENTS, ids=shared.names(PATIENTS))
def test_a_real_patient_is_answered(path: Path, ehr: FlaskClient, service: CDSService) -> None:
    resources = _resources(shared.read(path))
    response = ehr.post(ADDRESS, json=_request(resources, service))
    assert response.status_code == 200, response.get_json()
    cards = response.get_json()["cards"]
    by_type = defaultdict(list)
    for resource in resources:
        by_type[resource.get("resourceType")].append(resource)
    for card in cards:
        # A card without a problem or a result to rest on would be a claim out of nothing.
        assert by_type["Condition"] or by_type["Observation"]
        assert card["indicator"] in ("info", "warning", "critical")


@pytest.mark.parametrize(
    "path", RESPONSES + OTHER_VERSIONS, ids=shared.names(RESPONSES + OTHER_VERSIONS)
)
def test_what_servers_answer_and_other_versions_are_survived(
    path: Path, ehr: FlaskClient, service: CDSService
) -> None:
    content = shared.read(path)
    if isinstance(content, dict) and "hook" in content:
        response = ehr.post(ADDRESS, json=content)
        assert response.status_code in (200, 400, 412), response.get_json()
        return
    for request in (
        _request(_resources(content), service),
        {
            **_request([], service),
            "prefetch": {"patient": {"resourceType": "Patient"}, "conditions": content},
        },
    ):
        response = ehr.post(ADDRESS, json=request)
        assert response.status_code in (200, 412), response.get_json()


@pytest.mark.parametrize("path", NOT_JSON, ids=shared.names(NOT_JSON))
def test_a_request_that_is_no_json_is_refused(path: Path, ehr: FlaskClient) -> None:
    import gzip

    response = ehr.post(
        ADDRESS, data=gzip.decompress(path.read_bytes()), content_type="application/json"
    )
    assert response.status_code == 400
    assert response.get_json()["resourceType"] == "OperationOutcome"
