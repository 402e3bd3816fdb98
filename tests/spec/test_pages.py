"""The pages as HTTP: what they say, in which form, and what they let nobody do."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW, assert_outcome
from databases import sqlite_with_schema
from flask.testing import FlaskClient
from seeds import Seeds

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.store import open_store

PAGES = ("/", "/about", "/report", "/report.json", "/report.csv", "/static/style.css")
HOSTILE = '=HYPERLINK("https://example.org")<script>alert(1)</script>'


@pytest.fixture
def reader(cards: Knowledge, tmp_path: Path) -> FlaskClient:
    """Somebody who reads the pages of a service with some cards in its store."""
    url = sqlite_with_schema(tmp_path / "store.sqlite3")
    store = open_store(url)
    assert store is not None
    seeds = Seeds(store, NOW - timedelta(days=2))
    seeds.call()
    seeds.accept(seeds.card("R51", "R12"))
    for reason in ("rule-wrong", "data-wrong", HOSTILE):
        seeds.override(seeds.card("R51", reasons=[reason]), reason)
    seeds.override(seeds.card(HOSTILE), "rule-wrong")
    store.close()
    settings = Settings(store_url=url, disabled_rules=("R54",), shadow_rules=("R53",))
    return create_app(settings, cards, lambda: NOW).test_client()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_nothing_and_is_framed_by_nobody(reader: FlaskClient, path: str) -> None:
    with reader.get(path) as response:
        assert response.status_code == 200
        text = response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "script-src" not in policy and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if response.mimetype == "text/html":
        assert "<script" not in text and "style=" not in text
    assert (response.headers.get("Cache-Control") == "no-store") is (path != "/static/style.css")


def test_the_first_page_says_what_the_service_is_and_what_is_switched(
    reader: FlaskClient, cards: Knowledge
) -> None:
    text = reader.get("/").text
    assert 'href="/cds-services"' in text
    for service in cards.services.values():
        assert service.title in text
        assert all(f">{rule.id}</a></th>" in text for rule in service.rules)
        for rule in service.rules[:5]:
            page = f"/knowledge/{service.id}/rules/{rule.id}/{rule.governance.version}"
            assert f'href="{page}"' in text and reader.get(page).status_code == 200
    assert "<strong>R54</strong> Dementia or delirium:\n    switched off" in text
    assert "in shadow mode" in text and "Shadow mode" not in text


def test_shadow_mode_is_said_on_both_pages(cards: Knowledge, tmp_path: Path) -> None:
    settings = Settings(mode="shadow", store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}")
    client = create_app(settings, cards, lambda: NOW).test_client()
    assert all("Shadow mode" in client.get(path).text for path in ("/about", "/report"))


def test_the_report_has_a_table_beside_every_plot(reader: FlaskClient) -> None:
    text = reader.get("/report?since=7d").text
    assert text.count("<svg") == 6  # three, each for a wide and a narrow page
    assert text.count('role="img"') == 6 and text.count("<caption>") == 7
    assert "75\N{NO-BREAK SPACE}% of 4 answers" not in text  # below the threshold
    assert text.count("<h1>") == 1


def test_a_card_that_was_reported_leads_to_its_page(reader: FlaskClient) -> None:
    links = re.findall(r'href="(/cards/[0-9a-f-]{36})"', reader.get("/report").text)
    assert len(links) == 3
    assert all(reader.get(link).status_code == 200 for link in links)


def test_what_clients_sent_is_escaped(reader: FlaskClient) -> None:
    text = reader.get("/report").text
    assert "=HYPERLINK(&#34;https" in text
    assert "<script" not in text


def test_an_empty_report_is_a_page_too(cards: Knowledge, tmp_path: Path) -> None:
    settings = Settings(store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}")
    client = create_app(settings, cards, lambda: NOW).test_client()
    response = client.get("/report")
    assert response.status_code == 200
    assert "No card in this time." in response.text and "<svg" not in response.text


def test_the_report_as_json(reader: FlaskClient) -> None:
    body = reader.get("/report.json?since=1w").get_json()
    assert (body["calls"], body["cardsShown"], body["overrideThreshold"]) == (1, 5, 80)
    assert body["overrideRate"] == {"percent": 80.0, "low": 37.6, "high": 96.4}
    [rule] = [each for each in body["rules"] if each["rule"] == "anxiety-leg-weakness/R51"]
    assert (rule["accepted"], rule["overridden"], rule["overrideRate"]) == (1, 3, 75.0)
    assert len(body["ruleWrong"]) == 2 and len(body["dataWrong"]) == 1
    assert {each["reason"] for each in body["reasons"]} == {"rule-wrong", "data-wrong", "other"}


@pytest.mark.parametrize(
    "table", ["rules", "fixedRules", "reasons", "days", "clients", "ruleWrong", "dataWrong"]
)
def test_every_table_comes_as_csv_that_no_spreadsheet_runs(reader: FlaskClient, table: str) -> None:
    response = reader.get(f"/report.csv?table={table}")
    assert response.mimetype == "text/csv"
    assert f'filename="{table}.csv"' in response.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(response.text)))
    assert len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows)
    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert any(HOSTILE in cell for cell in cells) is (table in ("rules", "reasons", "ruleWrong"))


@pytest.mark.parametrize("path", ["/report", "/report.json", "/report.csv"])
def test_a_period_that_is_none_is_refused_with_its_name(reader: FlaskClient, path: str) -> None:
    assert_outcome(reader.get(path + "?since=lately"), 400, "since")


def test_a_table_that_is_none_is_refused_with_its_name(reader: FlaskClient) -> None:
    assert_outcome(reader.get("/report.csv?table=patients"), 400, "table")


def test_a_service_that_keeps_nothing_has_no_report(cards: Knowledge) -> None:
    client = create_app(Settings(store_url="none"), cards, lambda: NOW).test_client()
    assert_outcome(client.get("/report"), 404)
    assert client.get("/about").status_code == 200
