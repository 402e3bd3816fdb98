"""`cds-service shadow`: calls in shadow mode, then figures and cases from what is stored."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from commands import run

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION

duckdb = pytest.importorskip("duckdb", reason="shadow: the extra `simulate` is not installed")

REQUESTS = Path(__file__).parent.parent.parent / "fixtures" / "requests"
SERVICE = "anxiety-leg-weakness"
HAROLD, ADA, GEORGE = "harold-lorazepam-oxycodone", "ada-generalised-anxiety", "george-no-anxiety"
DAY = datetime(2026, 11, 22, 12, tzinfo=UTC)

Call = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
def call(cards: Knowledge, url: str) -> Iterator[Call]:
    """Calls the real service once for each name, a minute apart; gives the cards as live."""

    def called(*names: str, is_repeated: bool = False, **settings: Any) -> list[dict[str, Any]]:
        moments = iter(DAY + timedelta(minutes=number) for number in range(10_000))
        given = Settings(**{"store_url": url, "mode": "shadow", **settings})
        app = create_app(given, cards, lambda: next(moments))
        live = create_app(Settings(store_url="none"), cards, lambda: DAY).test_client()
        found = []
        for number, name in enumerate(names):
            body = orjson.loads((REQUESTS / f"{name}.json").read_bytes())
            if not is_repeated:
                body["hookInstance"] = str(UUID(int=number))
            answer = app.test_client().post(f"/cds-services/{SERVICE}", json=body)
            assert answer.status_code == 200
            found += live.post(f"/cds-services/{SERVICE}", json=body).get_json()["cards"]
        app.extensions[EXTENSION].memory.writer.close()
        return found

    yield called


def _evaluate(url: str, out: Path, *arguments: str) -> dict[str, Any]:
    run("shadow", "--since", "3660d", "--out", out, *arguments, CDS_STORE_URL=url)
    figures: dict[str, Any] = orjson.loads((out / "figures.json").read_bytes())
    return figures


def test_the_figures_are_those_of_the_cards_that_would_have_been_sent(
    call: Call, url: str, tmp_path: Path
) -> None:
    sent = call(HAROLD, ADA, GEORGE, HAROLD)
    figures = _evaluate(url, tmp_path / "out")
    assert (figures["openings"], figures["patients"]) == (4, 2)
    assert figures["cards"] == len(sent)
    by_indicator: dict[str, int] = {}
    for row in figures["cardsBySlot"]:
        by_indicator[row["indicator"]] = by_indicator.get(row["indicator"], 0) + row["openings"]
    assert by_indicator == {
        each: sum(card["indicator"] == each for card in sent)
        for each in {card["indicator"] for card in sent}
    }
    [rule] = [each for each in figures["rules"] if each["rule"] == f"{SERVICE}/R51"]
    assert (rule["openings"], rule["per100Openings"], rule["critical"]) == (2, 50.0, 2)
    # Whose the calls without a card are is not stored, so nothing is said about all patients.
    assert rule["per1000Patients"] is None
    assert {row["by"] for row in figures["groups"]} == {"year"}
    assert {"fact", "state", "share"} <= figures["lacking"][0].keys()


def test_the_sheet_has_rules_and_facts_but_no_text(call: Call, url: str, tmp_path: Path) -> None:
    call(HAROLD, ADA, GEORGE)
    _evaluate(url, tmp_path / "out", "--review", "5", "--seed", "7")
    review = tmp_path / "out" / "review"
    page = (review / "cases.html").read_text(encoding="utf-8")
    assert page.count('<article class="case"') == 2
    assert "The text of this card is not stored." in page
    assert "Benzodiazepine with an opioid" in page and "opioid" in page
    with (review / "key.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["opened"] for row in rows} == {"2026-11-22"}
    # The worst card comes first, as it would have been sent.
    assert {row["stratum"] for row in rows} == {"active-drug critical", "differential info"}
    first = review / "reviewer-a.csv"
    assert orjson.loads(run("review", first, first, "--format", "json").stdout)["rules"] == []


def test_values_are_on_the_sheet_only_where_the_operator_has_them_stored(
    call: Call, url: str, tmp_path: Path
) -> None:
    call(HAROLD, trace_values=True)
    _evaluate(url, tmp_path / "out", "--review", "5")
    page = (tmp_path / "out" / "review" / "cases.html").read_text(encoding="utf-8")
    assert "<strong>age:</strong> 7" in page


def test_calls_of_one_patient_on_one_day_are_openings_of_their_own(
    call: Call, url: str, tmp_path: Path
) -> None:
    call(HAROLD, HAROLD, HAROLD)
    figures = _evaluate(url, tmp_path / "out")
    assert (figures["openings"], figures["patients"]) == (3, 1)
    [rule] = [each for each in figures["rules"] if each["rule"] == f"{SERVICE}/R51"]
    assert rule["per100Openings"] == 100.0


def test_a_call_that_is_repeated_is_one_opening(call: Call, url: str, tmp_path: Path) -> None:
    call(HAROLD, HAROLD, is_repeated=True)
    figures = _evaluate(url, tmp_path / "out")
    [rule] = [each for each in figures["rules"] if each["rule"] == f"{SERVICE}/R51"]
    assert (figures["openings"], rule["per100Openings"]) == (1, 100.0)


def test_a_period_without_a_call_says_so(url: str, call: Call, tmp_path: Path) -> None:
    call()
    figures = _evaluate(url, tmp_path / "out", "--review", "3")
    assert (figures["openings"], figures["cards"], figures["rules"]) == (0, 0, [])


def test_of_a_live_service_only_the_cards_of_shadow_rules_are_told(
    call: Call, url: str, tmp_path: Path
) -> None:
    call(HAROLD, GEORGE, mode="live", shadow_rules=("R51",))
    figures = _evaluate(url, tmp_path / "out")
    assert figures["openings"] == 2
    assert any("shadow rules alone" in notice for notice in figures["notices"])
    assert [each["rule"] for each in figures["rules"]] == [f"{SERVICE}/R51"]


def test_nothing_but_the_result_is_left(call: Call, url: str, tmp_path: Path) -> None:
    call(HAROLD)
    _evaluate(url, tmp_path / "out")
    assert not (tmp_path / "out" / "work").exists()


def test_without_a_store_there_are_no_traces(tmp_path: Path) -> None:
    said = run("shadow", "--out", tmp_path, fails=True, CDS_STORE_URL="none")
    assert "CDS_STORE_URL" in said.output
