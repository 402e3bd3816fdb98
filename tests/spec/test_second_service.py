"""A service of three files beside the real one: what a new service gets without any Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from builders import NOW, cds_request, condition, operation_outcome, patient, searchset
from commands import run
from databases import sqlite_with_schema
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION

AGES = "toy-ages"
CALL = f"/cds-services/{AGES}"
OLD, VERY_OLD, YOUNG = patient(birthDate="1950-05-17"), patient(birthDate="1920-01-01"), patient()
NO_BIRTH_DATE = patient(birthDate=...)
del NO_BIRTH_DATE["birthDate"]
REMEMBER, DID_NOT_COME = "a birthday to remember", "did not come whole"


def _request(person: Any, problems: Any) -> dict[str, Any]:
    keys = {"person": person, "problems": problems}
    return cds_request(prefetch={key: value for key, value in keys.items() if value is not ...})


def _cards(client: FlaskClient, person: Any, problems: Any) -> list[dict[str, Any]]:
    response = client.post(CALL, json=_request(person, problems))
    assert response.status_code == 200, response.text
    cards: list[dict[str, Any]] = response.get_json()["cards"]
    return cards


@pytest.fixture
def served(cards: Knowledge, tmp_path: Path) -> Any:
    url = sqlite_with_schema(tmp_path / "store.sqlite3")

    def make(**settings: Any) -> FlaskClient:
        return create_app(Settings(store_url=url, **settings), cards, lambda: NOW).test_client()

    return make


def test_it_stands_in_discovery_with_its_own_hook_and_templates(ehr: FlaskClient) -> None:
    [entry] = [
        each for each in ehr.get("/cds-services").get_json()["services"] if each["id"] == AGES
    ]
    assert (entry["hook"], entry["title"]) == ("patient-view", "Ages")
    assert list(entry["prefetch"]) == ["person", "problems"]


@pytest.mark.parametrize("problems", [None, searchset(), searchset(condition())])
def test_with_whole_lists_its_rules_speak(ehr: FlaskClient, problems: Any) -> None:
    [card] = _cards(ehr, OLD, problems)
    assert (card["indicator"], REMEMBER in card["summary"]) == ("warning", True)
    assert DID_NOT_COME not in card["detail"]
    assert _cards(ehr, VERY_OLD, problems)[0]["indicator"] == "critical"
    assert _cards(ehr, YOUNG, problems) == []


@pytest.mark.parametrize(
    "problems",
    [..., operation_outcome(), searchset(condition(), link=[{"relation": "next", "url": "/2"}])],
    ids=["not sent", "failed", "in part"],
)
def test_a_list_that_did_not_come_whole_is_said(ehr: FlaskClient, problems: Any) -> None:
    [card] = _cards(ehr, OLD, problems)
    assert REMEMBER in card["summary"] and DID_NOT_COME in card["detail"]
    [card] = _cards(ehr, YOUNG, problems)
    assert DID_NOT_COME in card["summary"]


@pytest.mark.parametrize("person", [..., None, operation_outcome()])
def test_without_the_key_that_it_requires_the_call_is_refused(
    ehr: FlaskClient, person: Any
) -> None:
    assert ehr.post(CALL, json=_request(person, searchset())).status_code == 412


def test_a_patient_outside_of_its_gate_gets_no_card(ehr: FlaskClient) -> None:
    assert _cards(ehr, NO_BIRTH_DATE, searchset()) == []
    assert _cards(ehr, OLD | {"deceasedBoolean": True}, searchset()) == []


@pytest.mark.parametrize(("language", "says"), [("es", "recordar"), ("zh-Hans", "值得记住")])
def test_it_speaks_its_languages(ehr: FlaskClient, language: str, says: str) -> None:
    call = {"json": _request(OLD, searchset()), "headers": {"Accept-Language": language}}
    [card] = ehr.post(CALL, **call).get_json()["cards"]
    assert says in card["summary"]


def test_its_rules_are_switched_by_their_full_name(served: Any, ehr: FlaskClient) -> None:
    client = served(disabled_rules=(f"{AGES}/T3", "T2"))
    assert _cards(client, OLD, ...) == []
    assert [card["indicator"] for card in _cards(ehr, OLD, ...)] == ["warning"]


def test_the_report_tells_its_rules_from_those_of_the_other(served: Any) -> None:
    client = served()
    _cards(client, OLD, ...)
    app = client.application
    app.extensions[EXTENSION].memory.writer.flush()
    later = create_app(
        app.extensions[EXTENSION].settings,
        app.extensions[EXTENSION].knowledge.current,
        lambda: NOW.replace(hour=13),
    ).test_client()
    rules = later.get("/report.json").get_json()["rules"]
    told = {rule["rule"]: (rule["title"], rule["shown"]) for rule in rules}
    assert told == {
        f"{AGES}/T2": ("A birthday to remember", 1),
        f"{AGES}/T3": ("Problems that did not come", 1),
    }


def test_its_metrics_name_the_service(served: Any) -> None:
    client = served()
    _cards(client, OLD, searchset())
    assert f'rule="{AGES}/T2",service="{AGES}"' in client.get("/metrics").text


def _run(cards_dir: Path, *arguments: str, fails: bool = False) -> Any:
    return run(*arguments, fails=fails, CDS_CARDS_DIR=str(cards_dir))


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    path = tmp_path / "request.json"
    path.write_bytes(orjson.dumps(_request(OLD, searchset())))
    return str(path)


def test_it_is_explained(cards_dir: Path, request_file: str) -> None:
    result = _run(cards_dir, "explain", request_file, "--service", AGES, "--json")
    explained = orjson.loads(result.stdout)
    assert (explained["service"], explained["rules"]["T2"]["outcome"]) == (AGES, "warning")


def test_its_cards_are_printed(cards_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(orjson.dumps(searchset(OLD)))
    result = _run(cards_dir, "cards", str(path), "--service", AGES, "--json")
    [card] = orjson.loads(result.stdout)["cards"]
    assert REMEMBER in card["summary"]


@pytest.mark.parametrize("command", ["explain", "cards"])
def test_where_several_services_answer_one_is_to_be_named(
    cards_dir: Path, request_file: str, command: str
) -> None:
    result = _run(cards_dir, command, request_file, fails=True)
    assert "--service" in result.output and AGES in result.output
    result = _run(cards_dir, command, request_file, "--service", "nowhere", fails=True)
    assert "no such service answers patient-view" in result.output


def test_check_counts_it(cards_dir: Path) -> None:
    assert f"{AGES} toy-1: 3 rules, 0 causes" in _run(cards_dir, "check").output
