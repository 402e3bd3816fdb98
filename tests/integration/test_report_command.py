"""`cds-service report` and `cds-service reload` as an operator calls them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import orjson
import pytest
from commands import run
from content import CARDS
from seeds import Seeds

from cds_service.reload_requests import Stamp
from cds_service.store import open_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a store with one rule's cards of yesterday."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    store = open_store(url)
    assert store is not None
    seeds = Seeds(store, datetime.now(UTC) - timedelta(hours=30))
    seeds.call()
    seeds.override(seeds.card("R51"), "rule-wrong")
    for _ in range(9):
        seeds.override(seeds.card("R51"), "patient-ineligible")
    store.close()
    return url


def test_the_report_is_a_table(url: str) -> None:
    result = run("report", CDS_STORE_URL=url)
    assert "1 calls, 10 cards shown" in result.output
    assert "Benzodiazepine with an opioid" in result.output and "possible" in result.output


def test_the_report_is_json(url: str) -> None:
    body = orjson.loads(
        run("report", "--since", "7d", "--format", "json", CDS_STORE_URL=url).stdout
    )
    assert [each["rule"] for each in body["rules"]] == ["anxiety-leg-weakness/R51"]
    earlier = run("report", "--since", "1h", "--format", "json", CDS_STORE_URL=url)
    assert orjson.loads(earlier.stdout)["rules"] == []


def test_the_report_is_csv(url: str) -> None:
    printed = run("report", "--format", "csv", "--table", "ruleWrong", CDS_STORE_URL=url).stdout
    [row] = csv.DictReader(io.StringIO(printed))
    assert (row["rules"], len(row["card"])) == ("anxiety-leg-weakness/R51", 36)


def test_a_wrong_period_is_named() -> None:
    result = run("report", "--since", "lately", fails=True, CDS_STORE_URL="none")
    assert result.exit_code == 2 and "--since" in result.output


def test_without_a_store_there_is_no_report() -> None:
    result = run("report", fails=True, CDS_STORE_URL="none")
    assert result.exit_code == 1 and "CDS_STORE_URL" in result.output


def test_reload_asks_the_workers_of_this_content(tmp_path: Path) -> None:
    run("reload", CDS_RUNTIME_DIR=str(tmp_path / "run"))
    assert Stamp(tmp_path / "run", CARDS).read() is not None


def test_reload_tells_every_problem_of_unsound_content(tmp_path: Path) -> None:
    content = copytree(CARDS, tmp_path / "cards")
    path = content / "anxiety-leg-weakness" / "service.yaml"
    path.write_text(path.read_text().replace("most_cards: 4", "most_cards: many"))
    settings = {"CDS_RUNTIME_DIR": str(tmp_path / "run"), "CDS_CARDS_DIR": str(content)}
    result = run("reload", fails=True, **settings)
    assert result.exit_code == 1
    assert "service.yaml:" in result.output and ": most_cards:" in result.output


def test_reload_names_the_setting_of_a_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file, where a folder should be")
    result = run("reload", fails=True, CDS_RUNTIME_DIR=str(tmp_path / "run"))
    assert result.exit_code == 1 and "CDS_RUNTIME_DIR: " in result.output


def test_a_disabled_rule_is_silent_on_the_command_line_too() -> None:
    file = CARDS.parent / "fixtures" / "patients" / "harold-lorazepam-oxycodone.json"
    call = ("cards", str(file), "--today", "2026-11-22")
    assert "R51" in run(*call).output
    assert "R51" not in run(*call, CDS_DISABLED_RULES="R51").output
