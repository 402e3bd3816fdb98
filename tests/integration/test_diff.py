"""`cds-service diff` names exactly the patients whose cards differ between two contents."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from commands import run
from content import CARDS, load_once
from made_patients import made_patient

from cds_service.cli.charts import read_chart
from cds_service.knowledge import CDSService
from cds_service.wire.hooks import TOKENS
from cds_service.wire.responses import dump_response

COUNT = 200
SERVICE = "anxiety-leg-weakness"
TODAY = ("--today", "2026-11-22")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def replaced(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / SERVICE / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def levels(folder: Path, rule: str, **conditions: str) -> None:
    """Give a rule of the laboratory other levels, and one example that holds anyway."""
    path = folder / SERVICE / "rules" / "laboratory.yaml"
    whole = path.read_text(encoding="utf-8")
    start = whole.index(f"- id: {rule}\n")
    end = whole.index("\n- id: ", start)
    written = "".join(f'    {level}: "{text}"\n' for level, text in conditions.items())
    body = re.sub(r"  levels:\n(    .*\n)+", lambda _: f"  levels:\n{written}", whole[start:end])
    example = "    - {name: never measured, facts: {}, expect: unknown}\n"
    body = re.sub(r"  examples:\n(    .*\n)+", lambda _: f"  examples:\n{example}", body)
    path.write_text(whole[:start] + body + whole[end:], encoding="utf-8")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content in a new version: a threshold, a sentence and a rule are other ones."""
    folder = Path(shutil.copytree(CARDS, tmp_path_factory.mktemp("newer") / "cards"))
    replaced(folder, "service.yaml", "version: ", "version: next-")
    levels(folder, "R30", critical="%potassium.value < 2.9", warning="%potassium.value < 3.1")
    levels(folder, "R31", critical="%potassium.value >= 6.7", warning="%potassium.value >= 6.0")
    words = "words/en/benzodiazepines.md"
    replaced(folder, words, "respiratory depression risk;", "it may stop breathing;")
    return folder


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patients")
    for number in range(COUNT):
        path = folder / f"made-{number:03}.json"
        path.write_text(json.dumps(made_patient(number)), encoding="utf-8")
    return folder


def as_sent(service: CDSService, path: Path) -> str:
    """What a client would get, without uuids and the version of the content."""
    answer = service.answer(read_chart(path).call(service, NOON, "en"))
    text = json.dumps(dump_response(answer.cards), ensure_ascii=False)
    text = re.sub(r'"uuid": "[^"]*"', "", text)
    return text.replace(f" {service.version} ", " ")


@pytest.fixture(scope="module")
def differing(newer: Path, patients: Path) -> set[str]:
    """The patients who get something else, found by asking both contents."""
    contents = [load_once(each, hooks=TOKENS).services[SERVICE] for each in (CARDS, newer)]
    return {
        path.stem
        for path in sorted(patients.iterdir())
        if len({as_sent(service, path) for service in contents}) > 1
    }


@pytest.fixture(scope="module")
def found(newer: Path, patients: Path) -> Any:
    """What the command says as JSON."""
    return json.loads(run("diff", CARDS, newer, patients, *TODAY, "--json", fails=True).stdout)


def test_the_patients_differ_enough_to_tell_something(differing: set[str]) -> None:
    assert 20 < len(differing) < COUNT - 20


class Page(HTMLParser):
    """The headings of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._inside = tag
        if tag in ("h2", "h3"):
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self.found[-1] += data


def test_the_table_the_json_and_the_page_name_exactly_the_patients_whose_cards_differ(
    newer: Path, patients: Path, differing: set[str], found: Any, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    arguments = ("diff", CARDS, newer, patients, *TODAY)
    printed = run(*arguments, "--html", page, fails=True, COLUMNS="80")
    assert printed.exit_code == 1
    assert {row["patient"] for row in found["changes"]} == differing
    assert set(re.findall(r"^│ (made-\d+)", printed.stdout, re.MULTILINE)) == differing
    assert f"{len(differing)} of {COUNT} patients get other cards." in printed.stdout
    assert max(map(len, printed.stdout.splitlines())) <= 80
    names = [each.split()[0] for each in Page(page.read_text(encoding="utf-8")).found if each]
    assert len(names) == len(set(names)) and set(names) == differing
    kinds = {row["change"] for row in found["changes"]}
    assert kinds == {"appears", "vanishes", "changes"}


def test_the_reasons_name_the_rules(found: Any) -> None:
    whys = {why for row in found["changes"] for why in row["because"]}
    assert "R30: warning -> does not apply" in whys
    alone = [row for row in found["changes"] if "R51" in str(row) or "stop breathing" in str(row)]
    assert any(row["because"] == ["summary"] for row in alone)


def test_a_new_version_alone_changes_nobodys_cards(patients: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CARDS, tmp_path / "cards"))
    replaced(folder, "service.yaml", "version: ", "version: next-")
    result = run("diff", CARDS, folder, patients / "made-001.json", *TODAY)
    assert result.stdout == "0 of 1 patients get other cards.\n"


def test_a_service_that_is_new_has_new_cards_only(cards_dir: Path, patients: Path) -> None:
    result = run("diff", CARDS, cards_dir, patients, "--json", fails=True)
    found = json.loads(result.stdout)
    assert {row["change"] for row in found["changes"]} == {"appears"}
    assert SERVICE not in {row["service"] for row in found["changes"]}


def test_texts_of_a_record_are_no_markup_on_the_page(newer: Path, tmp_path: Path) -> None:
    bundle = made_patient(10)  # whose cards differ
    for entry in bundle["entry"]:
        for member in ("code", "medicationCodeableConcept"):
            if member in entry["resource"]:
                entry["resource"][member]["text"] = "<script>alert(1)</script>"
    path = tmp_path / "<b>odd.json"
    path.write_text(json.dumps(bundle))
    page = tmp_path / "page.html"
    run("diff", CARDS, newer, path, *TODAY, "--html", page, fails=True)
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;odd" in text
    assert "script" in text and "<script" not in text and "<b>" not in text


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("{cards}", "{empty}", "{file}"), "empty: 6 problems, such as"),
        (("{cards}", "{cards}", "{empty}"), "there is no .json or .ndjson file"),
        (("{cards}", "{cards}", "{letter}"), "letter.json: "),
        (("{cards}", "{cards}"), "Missing argument"),
        (("{cards}", "{cards}", "{call}"), "call: "),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(
    arguments: tuple[str, ...], text: str, patients: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.json").write_text("Dear colleague,")
    context = {"userId": "Practitioner/1", "patientId": "1"}
    call = {"hook": "patient-view", "hookInstance": "1", "context": context}
    (tmp_path / "call.json").write_text(json.dumps(call))
    places = {
        "cards": CARDS,
        "empty": tmp_path / "empty",
        "letter": tmp_path / "letter.json",
        "call": tmp_path / "call.json",
        "file": patients / "made-001.json",
    }
    words = [each.format(**places) for each in arguments]
    result = run("diff", *words, fails=True)
    assert result.exit_code == 2
    assert text in " ".join(result.output.split()).replace("│ ", "").replace(" not compared", ":")
