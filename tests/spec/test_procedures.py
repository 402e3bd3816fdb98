"""Procedures from the wire to the card: a small service that rests on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from builders import cds_request, operation_outcome, patient, searchset
from commands import run
from flask.testing import FlaskClient

WOUNDS = "toy-wounds"
TO_LOOK_AT, COULD_NOT = "a wound to look at", "could not be checked"


def _operation(**members: Any) -> dict[str, Any]:
    coding = {"system": "http://snomed.info/sct", "code": "80146002", "display": "Appendectomy"}
    whole = {
        "resourceType": "Procedure",
        "id": "operation",
        "status": "completed",
        "code": {"coding": [coding]},
        "subject": {"reference": "Patient/ada"},
        "performedDateTime": "2026-11-10",
    }
    return whole | members


def _request(operations: Any) -> dict[str, Any]:
    keys = {"person": patient(), "operations": operations}
    return cds_request(prefetch={key: value for key, value in keys.items() if value is not ...})


def _cards(ehr: FlaskClient, operations: Any) -> list[dict[str, Any]]:
    response = ehr.post(f"/cds-services/{WOUNDS}", json=_request(operations))
    assert response.status_code == 200, response.text
    cards: list[dict[str, Any]] = response.get_json()["cards"]
    return cards


def test_what_was_done_lately_is_on_a_card(ehr: FlaskClient) -> None:
    [card] = _cards(ehr, searchset(_operation()))
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("Appendectomy 12 days ago") and TO_LOOK_AT in card["summary"]


@pytest.mark.parametrize(
    "members",
    [
        {"performedDateTime": "2026-10-01"},
        {"status": "not-done"},
        {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "387713003"}]}},
    ],
    ids=["long ago", "not done", "something else"],
)
def test_what_was_not_done_lately_is_on_none(ehr: FlaskClient, members: dict[str, Any]) -> None:
    assert _cards(ehr, searchset(_operation(**members))) == []


@pytest.mark.parametrize("operations", [..., searchset()], ids=["not sent", "empty"])
def test_without_procedures_nothing_is_said(ehr: FlaskClient, operations: Any) -> None:
    assert _cards(ehr, operations) == []


@pytest.mark.parametrize(
    "operations",
    [
        operation_outcome(),
        searchset(link=[{"relation": "next", "url": "/2"}]),
        searchset(_operation(subject={"reference": "Patient/grace"})),
    ],
    ids=["failed", "in part", "of somebody else"],
)
def test_what_may_hide_one_is_said(ehr: FlaskClient, operations: Any) -> None:
    [card] = _cards(ehr, operations)
    assert COULD_NOT in card["summary"]


def test_a_procedure_is_explained(cards_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(orjson.dumps(_request(searchset(_operation()))))
    arguments = ("explain", path, "--service", WOUNDS, "--json")
    result = run(*arguments, CDS_CARDS_DIR=str(cards_dir))
    assert orjson.loads(result.stdout)["rules"]["W1"]["outcome"] == "warning"
