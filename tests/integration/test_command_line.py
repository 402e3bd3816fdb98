"""The command line: what it prints and how it ends, on the project's own cards and people."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from commands import run
from legs import LEGS
from servers import FIXTURES, PROJECT, environment

from cds_service import __version__
from cds_service.knowledge import CDSService
from cds_service.playground.prefetched import as_prefetch
from cds_service.playground.records import patient_id, read_resources

ADA = FIXTURES / "patients" / "ada-generalised-anxiety.json"
GEORGE = FIXTURES / "patients" / "george-no-anxiety.json"
TODAY = ["--today", "2026-11-22"]


def _json(*arguments: str | Path) -> Any:
    return orjson.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def request_of_ada(service: CDSService, tmp_path: Path) -> Path:
    """Ada's record as a CDS Client sends it, in a file."""
    resources = read_resources(ADA)
    request = {
        "hookInstance": "8c6f1f5e-6d0a-4b8e-9f5c-57a1f0c3b7de",
        "hook": service.hook,
        "context": {"userId": "Practitioner/example", "patientId": patient_id(resources)},
        "prefetch": as_prefetch(resources, service.prefetch),
    }
    path = tmp_path / "ada.json"
    path.write_bytes(orjson.dumps(request))
    return path


@pytest.mark.parametrize("arguments", [("check",), ("cards", ADA, *TODAY, "--json")], ids=str)
def test_a_process_of_its_own_prints_the_same(arguments: tuple[str | Path, ...]) -> None:
    command = [sys.executable, "-c", "from cds_service.cli import main; main()", *arguments]
    settings = environment({"COLUMNS": "240", **LEGS})
    ended = subprocess.run(command, cwd=PROJECT, env=settings, capture_output=True, text=True)
    printed = run(*arguments, **LEGS).stdout
    assert (ended.returncode, ended.stdout) == (0, printed)
    assert "legs" in printed


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").output.strip().endswith(__version__)


def test_every_command_explains_itself() -> None:
    for command in ("serve", "check", "explain", "cards"):
        assert command in run("--help").output
        assert "Usage" in run(command, "--help").output


def test_check_finds_the_cards_sound_and_counts_them(service: CDSService) -> None:
    output = run("check").output
    assert "sound" in output
    assert f"{service.id} {service.version}: {len(service.rules)} rules" in output


def test_check_with_coverage_shows_no_result_without_an_example(service: CDSService) -> None:
    lines = run("check", "--coverage").output.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    shown = {row[0]: row[2:] for row in rows if row[0]}
    assert set(shown) == {rule.id for rule in service.rules}
    assert [rule for rule, counts in shown.items() if "0" in counts] == []


def test_check_names_the_file_and_the_key_of_a_mistake(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(PROJECT / "tests" / "tiny_cards", tmp_path / "cards"))
    (folder / "legs" / "service.yaml").write_text("hook: patient-view\nmost_card: 4\n")
    result = run("check", fails=True, CDS_CARDS_DIR=str(folder))
    assert result.exit_code == 1
    assert "legs/service.yaml:2: most_card: unknown key; did you mean most_cards" in result.stderr
    assert "problems in" in result.stderr


def test_explain_shows_facts_rules_causes_and_cards_as_a_tree(request_of_ada: Path) -> None:
    output = run("explain", request_of_ada, *TODAY).output
    assert "gate: open" in output
    for heading in ("facts that the record supports", "rules", "causes with enough points"):
        assert heading in output
    assert "Generalised anxiety disorder" in output


def test_explain_as_json_holds_what_the_tree_is_made_of(request_of_ada: Path) -> None:
    explained = _json("explain", request_of_ada, *TODAY)
    assert explained["gate"] == "open"
    assert explained["causes"]["C4"]["points"] >= 3
    assert any(fact.get("resources") for fact in explained["facts"].values())
    assert {rule["outcome"] for rule in explained["rules"].values()} >= {"info", "does not apply"}
    summaries = [card["summary"] for card in explained["cards"]]
    assert summaries == [card["summary"] for card in _json("cards", ADA, *TODAY)["cards"]] != []


def test_cards_reads_a_bundle_and_ndjson_alike(tmp_path: Path) -> None:
    lines = tmp_path / ADA.name.replace(".json", ".ndjson")
    lines.write_bytes(b"\n".join(orjson.dumps(each) for each in read_resources(ADA)))
    of_lines = _json("cards", lines, *TODAY)
    assert of_lines["cards"]
    assert of_lines == _json("cards", ADA, *TODAY)


def test_cards_are_shown_as_a_client_might_show_them() -> None:
    card = _json("cards", ADA, *TODAY)["cards"][0]
    output = run("cards", ADA, *TODAY).output
    assert card["summary"] in output
    assert card["source"]["label"] in output


def test_no_cards_is_said_in_words() -> None:
    assert "nothing to say" in run("cards", GEORGE, *TODAY).output
    assert _json("cards", GEORGE, *TODAY) == {"cards": []}


def test_cards_come_in_every_language_that_there_is(service: CDSService) -> None:
    shown = {
        language: _json("cards", ADA, *TODAY, "--language", language)["cards"][0]["summary"]
        for language in service.languages
    }
    assert len(set(shown.values())) == len(service.languages)


@pytest.mark.parametrize("command", ["cards", "explain"])
def test_a_language_without_words_is_refused(command: str, request_of_ada: Path) -> None:
    path = request_of_ada if command == "explain" else ADA
    assert "no words in xx" in run(command, path, "--language", "xx", fails=True).stderr


@pytest.mark.parametrize("command", ["cards", "explain"])
def test_a_missing_file_is_named(command: str, tmp_path: Path) -> None:
    stderr = run(command, tmp_path / "nobody.json", fails=True).stderr
    assert "nobody.json" in stderr
    assert "does not exist" in stderr


@pytest.mark.parametrize("command", ["cards", "explain"])
def test_a_file_that_is_not_json_is_named(command: str, tmp_path: Path) -> None:
    path = tmp_path / "letter.json"
    path.write_text("Dear colleague,")
    stderr = run(command, path, fails=True).stderr
    assert "letter.json is n" in stderr
    assert "JSON" in stderr


def test_a_file_without_a_patient_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nobody.json"
    path.write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "collection"}))
    assert "no Patient" in run("cards", path, fails=True).stderr


def test_cards_and_explain_take_a_request_and_a_record(request_of_ada: Path) -> None:
    for command in ("cards", "explain"):
        of_request, of_record = (_json(command, path, *TODAY) for path in (request_of_ada, ADA))
        texts = [[card["detail"] for card in each["cards"]] for each in (of_request, of_record)]
        assert texts[0] == texts[1] != []


def test_a_request_without_what_it_needs_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "call.json"
    path.write_bytes(orjson.dumps({"hook": "patient-view", "hookInstance": "1", "context": {}}))
    assert "context.patientId: Missing" in run("cards", path, fails=True).stderr


def test_explain_says_what_opens_a_closed_gate(service: CDSService) -> None:
    output = run("explain", GEORGE, *TODAY).output
    assert f"opens when {service.gate.when.text}" in output
    explained = _json("explain", GEORGE, *TODAY)
    assert explained["opens"]["rules"] == service.gate.opened_by_rules.text


def test_a_shell_completes_commands() -> None:
    command = "from cds_service.cli import main; main(prog_name='cds-service')"
    asked = {"_CDS_SERVICE_COMPLETE": "bash_complete", "COMP_WORDS": "cds-service conf"}
    ended = subprocess.run(
        [sys.executable, "-c", command],
        cwd=PROJECT,
        env=environment({**asked, "COMP_CWORD": "1"}),
        capture_output=True,
        text=True,
    )
    assert ended.stdout.split() == ["plain,conformance"]
