"""The real service with a store: cards that were answered stay away, and what brings them back."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from builders import assert_outcome, feedback
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings
from cds_service.store import Store
from cds_service.store.suppression import Memory

from . import conversations

ADDRESS = "/cds-services/anxiety-leg-weakness"
KEY = "k" * 32
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _settings(store_url: str, **members: Any) -> Settings:
    """Where nobody is asked who calls, and answers count all the same."""
    return Settings(store_url=store_url, hash_key=KEY, anonymous_answers=True, **members)


class Ward:
    """Clinicians who open charts and answer cards; the clock is theirs."""

    def __init__(self, cards: Knowledge, service: CDSService, settings: Settings) -> None:
        self.now = NOON
        self._service = service
        app = create_app(settings, cards, clock=lambda: self.now)
        self.memory: Memory = app.extensions["cds_service"].memory
        self.client: FlaskClient = app.test_client()

    def request(self, name: str) -> dict[str, Any]:
        path = conversations.FIXTURES / "patients" / f"{name}.json"
        return copy.deepcopy(conversations.request(self._service, path))

    def open(self, name: str | dict[str, Any], **context: Any) -> list[dict[str, Any]]:
        """The cards of a chart that is opened again; what is kept of them is kept on return."""
        request = self.request(name) if isinstance(name, str) else copy.deepcopy(name)
        request["hookInstance"] = str(uuid4())
        request["context"] |= context
        response = self.client.post(ADDRESS, json=request)
        assert response.status_code == 200, response.text
        self.memory.writer.flush()
        found: list[dict[str, Any]] = response.get_json()["cards"]
        return found

    def override(self, card: dict[str, Any], code: str | None, **members: Any) -> None:
        reason = {"overrideReason": {"reason": {"code": code}}} if code else {}
        entry = feedback(card=card["uuid"], outcomeTimestamp=self.now.isoformat(), **reason)
        response = self.client.post(ADDRESS + "/feedback", json={"feedback": [entry | members]})
        assert response.status_code == 204

    def trace(self, uuid: str) -> Any:
        return self.client.get(f"/trace/{uuid}").get_json()

    def close(self) -> None:
        self.memory.writer.close()
        if self.memory.store is not None:
            self.memory.store.close()


@pytest.fixture
def ward(store_url: str, cards: Knowledge, service: CDSService) -> Iterator[Ward]:
    ward = Ward(cards, service, _settings(store_url))
    yield ward
    ward.close()


def _of(cards: list[dict[str, Any]], indicator: str) -> dict[str, Any]:
    (card,) = (each for each in cards if each["indicator"] == indicator)
    return card


def test_an_answered_differential_stays_away_for_90_days(ward: Ward) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, None)
    assert ward.open("ada-generalised-anxiety", userId="Practitioner/boris") == []
    assert ward.open("paula-tsh-14") != []


def _proposed(card: dict[str, Any]) -> dict[str, list[str]]:
    """What each suggestion proposes, by its label."""
    return {
        suggestion["label"]: [action["description"] for action in suggestion["actions"]]
        for suggestion in card.get("suggestions", ())
    }


def _accept(ward: Ward, card: dict[str, Any], label: str, **members: Any) -> None:
    (uuid,) = (each["uuid"] for each in card["suggestions"] if each["label"] == label)
    taken = {"outcome": "accepted", "acceptedSuggestions": [{"id": uuid}]}
    ward.override(card, None, **taken | members)


CORE = "Propose the missing core tests"
THERAPY = "Propose a referral for psychological therapy"


def test_an_accepted_suggestion_goes_and_its_card_stays(ward: Ward) -> None:
    (card,) = ward.open("ivan-no-laboratory")
    assert _proposed(card).keys() == {CORE, THERAPY}
    _accept(ward, card, CORE)
    for _ in range(2):
        (again,) = ward.open("ivan-no-laboratory", userId="Practitioner/boris")
        assert again["summary"] == card["summary"]
        assert _proposed(again).keys() == {THERAPY}
    _accept(ward, again, THERAPY)
    (last,) = ward.open("ivan-no-laboratory")
    assert "suggestions" not in last
    ward.now = NOON + timedelta(days=14, seconds=1)
    (later,) = ward.open("ivan-no-laboratory")
    assert _proposed(later) == _proposed(card)


def test_a_test_that_is_missing_later_is_still_suggested(ward: Ward) -> None:
    request = ward.request("ivan-no-laboratory")
    potassium = {
        **{"resourceType": "Observation", "id": "potassium", "status": "final"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": f"Patient/{request['context']['patientId']}"},
        "effectiveDateTime": (NOON - timedelta(days=29)).isoformat(),
        "valueQuantity": {"value": 4.1, "unit": "mmol/L"},
    }
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": potassium}]}
    request["prefetch"]["laboratory"] = bundle
    (card,) = ward.open(request)
    assert "Potassium, blood" not in _proposed(card)[CORE]
    _accept(ward, card, CORE)
    ward.now = NOON + timedelta(days=3)  # the potassium is out of date
    (later,) = ward.open(request)
    assert _proposed(later)[CORE] == ["Potassium, blood"]


def test_a_suggestion_of_another_card_takes_nothing_away(ward: Ward) -> None:
    (other,) = ward.open("ada-generalised-anxiety")
    (card,) = ward.open("ivan-no-laboratory")
    foreign = [{"id": each["uuid"]} for each in other["suggestions"]]
    ward.override(card, None, outcome="accepted", acceptedSuggestions=[*foreign, {"id": "S1"}])
    (again,) = ward.open("ivan-no-laboratory")
    assert _proposed(again) == _proposed(card)


def test_an_uuid_in_capitals_is_the_same_suggestion(ward: Ward) -> None:
    (card,) = ward.open("ivan-no-laboratory")
    uuids = [{"id": each["uuid"].upper()} for each in card["suggestions"]]
    ward.override(card, None, outcome="accepted", acceptedSuggestions=uuids)
    (again,) = ward.open("ivan-no-laboratory")
    assert "suggestions" not in again


def test_new_evidence_brings_a_card_back(ward: Ward) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, "patient-ineligible")
    request = ward.request("ada-generalised-anxiety")
    entries = request["prefetch"]["conditions"]["entry"]
    again = copy.deepcopy(entries[0])
    again["resource"]["id"] = "stated-again"
    entries.append(again)
    request["prefetch"]["conditions"]["total"] += 1
    assert len(ward.open(request)) == 1


def test_a_danger_that_comes_up_behind_a_critical_card_brings_it_back(ward: Ward) -> None:
    request = ward.request("dorothy-lorazepam-nine-months")
    orders = request["prefetch"]["medicationRequests"]
    request["prefetch"]["medicationRequests"] = None
    request["prefetch"]["laboratory"] = ward.request("samuel-potassium-2-3")["prefetch"][
        "laboratory"
    ]
    for entry in request["prefetch"]["laboratory"]["entry"]:
        entry["resource"]["subject"]["reference"] = f"Patient/{request['context']['patientId']}"
    card = _of(ward.open(request), "critical")
    ward.override(card, "action-completed")
    assert [line["indicator"] for line in ward.open(request)] == ["info"]
    request["prefetch"]["medicationRequests"] = orders  # its warning is silenced by the other card
    assert _of(ward.open(request), "critical")["summary"] == card["summary"]


def test_a_trace_repeats_no_sentence_of_a_client(ward: Ward) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, "Mrs Lovelace said no")
    (answer,) = ward.trace(card["uuid"])["feedback"]
    assert answer["reason"] == "other"


def test_a_critical_card_is_a_line_for_a_day_for_who_addresses_it_and_no_drugs_come_for_it(
    ward: Ward,
) -> None:
    card = _of(ward.open("samuel-potassium-2-3", userId="Practitioner/grace"), "critical")
    ward.override(card, "need-more-info")
    card = _of(ward.open("samuel-potassium-2-3", userId="Practitioner/grace"), "critical")
    ward.override(card, "action-completed")
    [line] = ward.open("samuel-potassium-2-3", userId="Practitioner/grace")
    assert (line["indicator"], card["summary"] in line["detail"]) == ("info", True)
    assert _of(ward.open("samuel-potassium-2-3", userId="Practitioner/boris"), "critical")
    ward.now = NOON + timedelta(hours=24, seconds=1)
    assert _of(ward.open("samuel-potassium-2-3", userId="Practitioner/grace"), "critical")


def test_the_same_encounter_is_not_enough_for_a_critical_card(ward: Ward) -> None:
    encounter = {"encounterId": "e1"}
    card = _of(
        ward.open("samuel-potassium-2-3", userId="Practitioner/grace", **encounter), "critical"
    )
    ward.override(card, "action-completed")
    other = ward.open("samuel-potassium-2-3", userId="Practitioner/boris", **encounter)
    assert _of(other, "critical")["summary"] == card["summary"]


def test_of_a_finding_and_a_suicide_card_each_is_answered_for_itself(ward: Ward) -> None:
    first, second = ward.open("silvia-ideation-and-potassium")[:2]
    ward.override(second, "action-completed")
    left = [card["summary"] for card in ward.open("silvia-ideation-and-potassium")]
    assert first["summary"] in left and second["summary"] not in left


def _on_order(request: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The request, with a potassium on order since two days ago."""
    order = {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": f"Patient/{request['context']['patientId']}"},
        "authoredOn": "2026-11-20",
    }
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1}
    request["prefetch"]["serviceRequests"] = bundle | {"entry": [{"resource": order | members}]}
    return request


def test_the_differential_waits_for_tests_on_order_and_dangers_do_not(ward: Ward) -> None:
    request = ward.request("ivan-no-laboratory")
    assert ward.open(request) != []
    assert ward.open(_on_order(request)) == []
    assert ward.open(_on_order(request, status="completed")) != []
    assert ward.open(_on_order(request, authoredOn="2026-11-01")) != []
    assert ward.open(_on_order(request, status="nonsense")) != []
    assert _of(ward.open(_on_order(ward.request("samuel-potassium-2-3"))), "critical")
    # The work-up is complete: another order does not take its card away.
    assert ward.open(_on_order(ward.request("ada-generalised-anxiety"))) != []


def test_taper_agreed_is_offered_and_holds_for_90_days(ward: Ward) -> None:
    card = _of(ward.open("dorothy-lorazepam-nine-months"), "warning")
    offered = [reason["code"] for reason in card["overrideReasons"]]
    assert "taper-agreed" in offered
    ward.override(card, "taper-agreed")
    indicators = [each["indicator"] for each in ward.open("dorothy-lorazepam-nine-months")]
    assert "warning" not in indicators
    other = _of(ward.open("gloria-sertraline-apixaban-naproxen"), "warning")
    assert "taper-agreed" not in [reason["code"] for reason in other["overrideReasons"]]


def test_an_answer_from_the_future_does_not_hold_for_longer(ward: Ward) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, None, outcomeTimestamp="2099-01-01T00:00:00Z")
    assert ward.open("ada-generalised-anxiety") == []
    ward.now = NOON + timedelta(days=91)
    assert ward.open("ada-generalised-anxiety") != []


def test_a_second_worker_knows_what_the_first_was_told(
    ward: Ward, store_url: str, cards: Knowledge, service: CDSService
) -> None:
    other = Ward(cards, service, _settings(store_url))
    (card,) = ward.open("ada-generalised-anxiety")
    other.override(card, "patient-ineligible")
    assert ward.open("ada-generalised-anxiety") == other.open("ada-generalised-anxiety") == []
    other.close()


def test_another_key_knows_nobody(
    ward: Ward, store_url: str, cards: Knowledge, service: CDSService
) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, "patient-ineligible")
    other = Ward(cards, service, Settings(store_url=store_url, hash_key=KEY[::-1] + "x"))
    assert len(other.open("ada-generalised-anxiety")) == 1
    other.close()


def test_without_a_store_nothing_is_suppressed(cards: Knowledge, service: CDSService) -> None:
    ward = Ward(cards, service, Settings(store_url="none"))
    assert ward.open(_on_order(ward.request("ivan-no-laboratory"))) != []
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, "patient-ineligible")
    assert len(ward.open("ada-generalised-anxiety")) == 1
    assert_outcome(ward.client.get(f"/trace/{card['uuid']}"), 404)


def test_a_store_that_is_down_suppresses_nothing_fails_nothing_and_costs_nothing(
    cards: Knowledge, service: CDSService, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://postgres@127.0.0.1:1/nothing"
    ward = Ward(cards, service, Settings(store_url=url, hash_key=KEY))
    request = ward.request("ada-generalised-anxiety")
    asked, within = [], Store.within

    def counted(store: Store, seconds: float, work: Callable[[], Any]) -> Any:
        asked.append(work)
        return within(store, seconds, work)

    monkeypatch.setattr(Store, "within", counted)
    for _ in range(20):
        assert len(ward.client.post(ADDRESS, json=request).get_json()["cards"]) == 1
    assert len(asked) <= 1  # it knows after the first time, and asks no more
    assert ward.client.get("/health/ready").get_json()["checks"]["store"] == "failed"
    ward.close()
    assert ward.memory.writer.lost == 40  # a card and a row of the audit each


# -- traces --------------------------------------------------------------------------------------


def test_a_card_that_was_shown_can_be_explained_in_names(ward: Ward) -> None:
    card = _of(ward.open("samuel-potassium-2-3"), "critical")
    told = ward.trace(card["uuid"].upper())
    assert told["card"] == card["uuid"]
    assert (told["slot"], told["indicator"], told["state"]) == ("finding", "critical", "shown")
    rule = {"id": "anxiety-leg-weakness/R30", "version": "1.0.0", "level": "critical"}
    assert told["rules"][0] == rule
    assert "potassium" in told["facts"]["present"]
    assert told["nearMisses"] and "values" not in told and "2.3" not in str(told)
    assert told["feedback"] == []


def test_it_says_what_was_done_with_the_card_but_not_the_comment(ward: Ward) -> None:
    card = _of(ward.open("samuel-potassium-2-3"), "critical")
    override = {"reason": {"code": "action-completed"}, "userComment": "Samuel is on the way"}
    ward.override(card, None, overrideReason=override)
    (answer,) = ward.trace(card["uuid"])["feedback"]
    assert (answer["outcome"], answer["reason"]) == ("overridden", "action-completed")
    assert "Samuel" not in str(ward.trace(card["uuid"]))


def test_a_suppressed_card_is_counted_and_can_be_explained(
    ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    (card,) = ward.open("ada-generalised-anxiety")
    ward.override(card, "patient-ineligible")
    with caplog.at_level(logging.INFO, logger="cds_service"):
        assert ward.open("ada-generalised-anxiety") == []
    line = caplog.records[-1].msg
    assert (line["cards"], line["suppressed_by"]) == (0, ["differential-answered"])
    assert line["suppressed"]  # the rules of the card
    assert ward.memory.store is not None
    from sqlalchemy import select

    from cds_service.store import tables

    with ward.memory.store.reading() as connection:
        away = select(tables.card.c.uuid).where(tables.card.c.state == "suppressed")
        (uuid,) = connection.execute(away).scalars()
    told = ward.trace(uuid)
    assert (told["state"], told["suppressedBy"]) == ("suppressed", "differential-answered")


def test_values_are_kept_only_where_the_operator_wants_them(
    store_url: str, cards: Knowledge, service: CDSService
) -> None:
    settings = Settings(store_url=store_url, hash_key=KEY, trace_values=True)
    ward = Ward(cards, service, settings)
    card = _of(ward.open("samuel-potassium-2-3"), "critical")
    assert ward.trace(card["uuid"])["values"]["potassium"] == "2.3"
    ward.close()


@pytest.mark.parametrize(
    "uuid", ["6f1c0b52-9a35-4d0e-8c1b-2f6e0c9d7a41", "nothing", "%00", "x" * 5000]
)
def test_a_card_that_is_not_known_is_404(ward: Ward, uuid: str) -> None:
    assert_outcome(ward.client.get(f"/trace/{uuid}"), 404)


def test_nothing_in_the_store_tells_who_the_patient_is(ward: Ward, service: CDSService) -> None:
    ward.open("samuel-potassium-2-3", userId="Practitioner/grace-hopper", encounterId="visit-77")
    assert ward.memory.store is not None
    from sqlalchemy import select

    from cds_service.store import tables

    with ward.memory.store.reading() as connection:
        rows = [connection.execute(select(table)).all() for table in tables.metadata.sorted_tables]
    patient = ward.request("samuel-potassium-2-3")["context"]["patientId"]
    for word in (patient, "grace-hopper", "visit-77", "Samuel"):
        assert word.lower() not in str(rows).lower()
