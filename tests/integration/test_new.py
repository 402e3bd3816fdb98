"""`cds-service new` begins content that `check` accepts, or says what to fill in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import run
from content import CARDS
from made_patients import made_patient
from servers import PROJECT, environment

SERVICE = "anxiety-leg-weakness"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CARDS, tmp_path / "cards"))


def written(output: str) -> list[tuple[str, int]]:
    """The files that a command says it wrote, and the line where the new text begins."""
    found = re.findall(r"^(/.*):(\d+)$", output, re.MULTILINE)
    return [(path, int(line)) for path, line in found]


def test_a_new_service_is_three_files_and_answers_at_once(folder: Path, tmp_path: Path) -> None:
    settings = {"CDS_CARDS_DIR": str(folder)}
    files = written(run("new", "service", "falls-review", **settings).output)
    assert [Path(path).relative_to(folder / "falls-review").as_posix() for path, _ in files] == [
        "service.yaml",
        "rules/first.yaml",
        "words/en/first.md",
    ]
    assert "falls-review draft-1: 1 rules" in run("check", **settings).output
    patient = {"resourceType": "Patient", "id": "old", "birthDate": "1940-01-01"}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(patient))
    cards = run("cards", path, "--service", "falls-review", **settings).output
    assert "Fill in the summary" in cards


def test_new_rules_are_sound_in_every_kind_of_condition(folder: Path) -> None:
    settings = {"CDS_CARDS_DIR": str(folder)}
    for arguments in (("X1",), ("X2",), ("X3", "--fact", "potassium", "--topic", "laboratory")):
        for path, line in written(run("new", "rule", *arguments, **settings).output):
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            assert lines[line - 1] in (f"- id: {arguments[0]}", f"# {arguments[0]} {TITLE}")
    run("new", "rule", "X4", "--fact", "opioid", **settings)
    output = run("check", **settings).output
    assert "144 rules" in output and "es (not translated: 4)" in output


TITLE = "Fill in what the rule is about"


def test_a_new_language_says_what_to_fill_in_and_then_is_sound(folder: Path) -> None:
    settings = {"CDS_CARDS_DIR": str(folder)}
    assert "guards.yaml" in run("new", "language", "fr", **settings).output
    problems = run("check", fails=True, **settings).stderr
    assert "guards.yaml has no orders in fr: list its verbs there" in problems
    assert len(problems.splitlines()) == 2
    guards = folder / "guards.yaml"
    text = guards.read_text(encoding="utf-8")
    orders = "orders:\n  fr:\n    verbs: [prescrire]\n    leads: [et]\n"
    guards.write_text(text.replace("orders:\n", orders), encoding="utf-8")
    assert re.search(r"fr \(not translated: \d+\)", run("check", **settings).output)


def test_a_card_in_a_new_language_says_which_texts_are_not_translated(
    folder: Path, tmp_path: Path
) -> None:
    settings = {"CDS_CARDS_DIR": str(folder)}
    run("new", "language", "fr", **settings)
    guards = folder / "guards.yaml"
    text = guards.read_text(encoding="utf-8")
    orders = "orders:\n  fr:\n    verbs: [prescrire]\n    leads: [et]\n"
    guards.write_text(text.replace("orders:\n", orders), encoding="utf-8")
    for number in range(20):
        path = tmp_path / f"made-{number}.json"
        path.write_text(json.dumps(made_patient(number)))
        options = ("--language", "fr", "--today", "2026-11-22", "--json")
        for card in json.loads(run("cards", path, *options, **settings).stdout)["cards"]:
            assert len(card["summary"]) < 140
            assert "[en]" in card["summary"] + card["detail"]


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("service", "Falls Review"), "small letters and figures"),
        (("service", SERVICE), "exists already"),
        (("rule", "R51"), "has R51 already"),
        (("rule", "R 51"), "an id has letters and figures"),
        (("rule", "X1", "--fact", "potasium"), "did you mean potassium"),
        (("rule", "X1", "--fact", "sex"), "a number, or true or false"),
        (("rule", "X1", "--service", "falls"), "there is no service falls"),
        (("rule", "X1", "--topic", "../other"), "a topic has small letters"),
        (("language", "english"), "expected a language such as"),
        (("language", "es"), "has words in es already"),
        (("language", "../es"), "expected a language such as"),
    ],
)
def test_what_cannot_be_begun_is_told_and_nothing_is_written(
    arguments: tuple[str, ...], text: str, folder: Path
) -> None:
    before = sorted(folder.rglob("*"))
    result = run("new", *arguments, fails=True, CDS_CARDS_DIR=str(folder))
    assert text in result.stderr and len(result.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_content_with_a_problem_is_to_be_mended_before_a_rule_is_begun(folder: Path) -> None:
    (folder / "quantities.yaml").write_text("a: [")
    stderr = run("new", "rule", "X1", fails=True, CDS_CARDS_DIR=str(folder)).stderr
    assert stderr.startswith("cards/quantities.yaml:")
    assert "Mend this first" in stderr


def test_check_as_json_has_the_problems_and_the_services(folder: Path) -> None:
    settings = {"CDS_CARDS_DIR": str(folder)}
    sound = json.loads(run("check", "--json", **settings).stdout)
    assert sound["problems"] == [] and sound["services"][SERVICE]["languages"]["en"] == 0
    (folder / "quantities.yaml").write_text("a: [")
    broken = json.loads(run("check", "--json", fails=True, **settings).stdout)
    assert len(broken["problems"]) == 1


def test_watching_checks_again_after_each_change(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(PROJECT / "tests" / "tiny_cards", tmp_path / "cards"))
    # A shell that starts the tests in its background has them ignore what Ctrl-C sends.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from cds_service.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "check", "--watch"]
    settings = environment({"CDS_CARDS_DIR": str(folder), "PYTHONUNBUFFERED": "1"})
    output = tmp_path / "output"
    with output.open("w") as file:
        watching = subprocess.Popen(
            command, cwd=PROJECT, env=settings, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            path = folder / "quantities.yaml"
            text = path.read_text(encoding="utf-8")
            _wait_for(output, r"legs tiny-1: .*: sound")
            path.write_text("a: [", encoding="utf-8")
            _wait_for(output, r"quantities\.yaml:\d+: .*\n1 problem in cards/")
            path.write_text(text, encoding="utf-8")
            _wait_for(output, r"(?s)sound.*1 problem.*sound")
        finally:
            watching.send_signal(2)
            assert watching.wait(120) == 0
    assert os.path.getsize(output) < 2000


def _wait_for(output: Path, pattern: str) -> None:
    deadline = time.monotonic() + 90
    while not re.search(pattern, output.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, output.read_text(encoding="utf-8")
        time.sleep(0.1)
