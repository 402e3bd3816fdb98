"""Rows H of the standard's companion: strange and hostile records, and calls that run together.

The real service answers here, since its cards are what a hostile record would have to reach.
"""

from __future__ import annotations

import copy
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markdown_it import MarkdownIt

SERVICE = "/cds-services/anxiety-leg-weakness"
REQUESTS = Path(__file__).parent.parent.parent / "fixtures" / "requests"
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_ACTIVE = {"html_inline", "html_block", "link_open", "image", "table_open", "heading_open"}


def request_of(person: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((REQUESTS / f"{person}.json").read_text("utf-8"))
    return request


def cards_of(ehr: FlaskClient, request: dict[str, Any]) -> list[dict[str, Any]]:
    response = ehr.post(SERVICE, json=request)
    assert response.status_code == 200, response.text
    cards: list[dict[str, Any]] = response.get_json()["cards"]
    return cards


def resources_of(request: dict[str, Any], resource_type: str) -> list[dict[str, Any]]:
    return [
        entry["resource"]
        for value in request["prefetch"].values()
        for entry in (value or {}).get("entry", ())
        if entry["resource"]["resourceType"] == resource_type
    ]


def said(cards: list[dict[str, Any]]) -> str:
    return "\n".join(card["summary"] + "\n" + card["detail"] for card in cards)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example.org/p.png)",
    "**bold** `code` | a | b |\n|---|---|",
    "# heading\n\n- list",
    "&lt;b&gt; &#60;script&#62;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_h_2_markup_in_a_record_stays_text(text: str, ehr: FlaskClient) -> None:
    request = request_of("dorothy-lorazepam-nine-months")
    for order in resources_of(request, "MedicationRequest"):
        order["medicationCodeableConcept"]["text"] = f"Lorazepam {text}"
        for coding in order["medicationCodeableConcept"].get("coding", ()):
            coding["display"] = text
    cards = cards_of(ehr, request)
    assert "Lorazepam" in said(cards), "the text of the record is on no card: nothing was tried"
    for card in cards:
        tokens = list(_MARKDOWN.parse(card["detail"]))
        kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
        assert not kinds & _ACTIVE, card["detail"]
        assert "\n" not in card["summary"] and "<" not in card["summary"]


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "a\u0000b\u0007c\u202ed\u2066e", "\ud7ff\U0001f4a3" * 500, " \t\r\n "]
)
def test_h_3_long_and_odd_texts_are_cut_and_cleaned(text: str, ehr: FlaskClient) -> None:
    request = request_of("dorothy-lorazepam-nine-months")
    for order in resources_of(request, "MedicationRequest"):
        order["medicationCodeableConcept"]["text"] = text
    cards = cards_of(ehr, request)
    assert cards
    for card in cards:
        assert len(card["summary"]) < 140 and len(card["detail"]) < 20_000
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", card["detail"])


ODD = [
    {"resourceType": "Condition", "clinicalStatus": "active", "patient": {"reference": "x"}},
    {"resourceType": "Condition"},
    {"resourceType": "Condition", "code": "48694002", "subject": []},
    {"resourceType": "Condition", "code": {"coding": [None, 7, {"code": ["a"]}]}},
    {"resourceType": "Observation", "status": ["final"], "valueQuantity": "3.1"},
    {"resourceType": "MedicationRequest", "medication": {"concept": {"text": "Lorazepam"}}},
    {"resourceType": "AllergyIntolerance", "reaction": {"substance": "x"}},
    {"resourceType": "MedicationOrder", "status": "active"},
    {"resourceType": "Zebra", "stripes": True},
]


@pytest.mark.parametrize("odd", ODD, ids=[json.dumps(each)[:60] for each in ODD])
@pytest.mark.parametrize("key", ["conditions", "laboratory", "medicationRequests", "allergies"])
def test_h_4_odd_resources_are_survived(odd: dict[str, Any], key: str, ehr: FlaskClient) -> None:
    request = request_of("ada-generalised-anxiety")
    bundle = request["prefetch"][key]
    bundle.setdefault("entry", []).append({"resource": odd, "search": {"mode": "match"}})
    bundle["total"] = bundle.get("total", 0) + 1
    assert [card["summary"] for card in cards_of(ehr, request)], "Ada's own record still speaks"


def _entered_in_error(condition: dict[str, Any]) -> None:
    condition["verificationStatus"]["coding"][0]["code"] = "entered-in-error"
    condition.pop("clinicalStatus", None)


def _refuted(condition: dict[str, Any]) -> None:
    condition["verificationStatus"]["coding"][0]["code"] = "refuted"


def _resolved(condition: dict[str, Any]) -> None:
    condition["clinicalStatus"]["coding"][0]["code"] = "resolved"


@pytest.mark.parametrize("change", [_entered_in_error, _refuted, _resolved])
def test_h_5_what_does_not_hold_gives_no_advice(change: Any, ehr: FlaskClient) -> None:
    request = request_of("ada-generalised-anxiety")
    assert cards_of(ehr, request)
    for condition in resources_of(request, "Condition"):
        change(condition)
    assert cards_of(ehr, request) == []


def test_h_6_what_concerns_somebody_else_gives_no_advice(ehr: FlaskClient) -> None:
    request = request_of("ada-generalised-anxiety")
    for condition in resources_of(request, "Condition"):
        condition["subject"] = {"reference": "Patient/somebody-else"}
    assert "GAD" not in said(cards_of(ehr, request))


def test_h_7_calls_that_run_together_do_not_mix(ehr: FlaskClient) -> None:
    people = ["ada-generalised-anxiety", "dorothy-lorazepam-nine-months", "george-no-anxiety"]
    requests = [request_of(person) for person in people]
    alone = [cards_of(ehr, copy.deepcopy(request)) for request in requests]
    application: Flask = ehr.application

    def call(number: int) -> list[dict[str, Any]]:
        return cards_of(application.test_client(), requests[number % len(requests)])

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(call, range(60)))
    assert together == [alone[number % len(alone)] for number in range(60)]
