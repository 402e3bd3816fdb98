"""What the CDS Hooks sandbox sent, replayed: discovery, preflights and every patient-view."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import shared
from flask.testing import FlaskClient

RECORDINGS = [
    path
    for path in shared.files("recordings/sandbox/[0-9]*.json")
    if any(word in path.name for word in ("discovery", "preflight", "patient-view"))
]
# What the recorded service called itself, and what we do.
_OURS = "anxiety-leg-weakness"

pytestmark = shared.needs_shared


def _path(recorded: str) -> str:
    """The recorded address with our service's id; a double slash stays one."""
    return re.sub(r"(/cds-services/+)[^/]+", rf"\1{_OURS}", recorded)


@pytest.mark.parametrize("path", RECORDINGS, ids=shared.names(RECORDINGS))
def test_a_recorded_exchange_is_answered_as_a_compliant_service_should(
    path: Path, ehr: FlaskClient
) -> None:
    recorded = shared.read(path)
    headers = {
        name: value
        for name, value in recorded["headers"].items()
        if name.lower() not in ("host", "content-length", "accept-encoding", "connection")
    }
    response = ehr.open(
        _path(recorded["path"]), method=recorded["method"], headers=headers, json=recorded["body"]
    )
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    if recorded["method"] == "OPTIONS":
        assert response.status_code == 200
        assert "authorization" in response.headers["Access-Control-Allow-Headers"].lower()
        return
    if recorded["method"] == "GET":
        assert response.status_code == 200
        assert _OURS in [service["id"] for service in response.get_json()["services"]]
        return
    prefetch = recorded["body"].get("prefetch", {})
    came = "patient" in prefetch and "conditions" in prefetch
    assert response.status_code == (200 if came else 412), response.get_json()


def _cards(name: str, ehr: FlaskClient) -> list[dict[str, object]]:
    [path] = shared.files(f"recordings/sandbox/*-{name}.json")
    body = shared.read(path)["body"]
    response = ehr.post(f"/cds-services/{_OURS}", json=body)
    assert response.status_code == 200
    return list(response.get_json()["cards"])


def test_the_recorded_anxious_patient_gets_cards(ehr: FlaskClient) -> None:
    cards = _cards("patient-view-anxiety", ehr)
    assert "info" in [card["indicator"] for card in cards]
    # The recorded service asked for medicines under another key: ours did not come.
    assert "could not be read" in str(cards[-1]["detail"])


@pytest.mark.parametrize(
    "name", ["patient-view-unrelated", "patient-view-no-data", "patient-view-past"]
)
def test_a_recorded_patient_without_current_anxiety_gets_none(name: str, ehr: FlaskClient) -> None:
    assert _cards(name, ehr) == []
