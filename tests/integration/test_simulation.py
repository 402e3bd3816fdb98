"""`cds-service simulate` on the fixture people: the same result however it is computed."""

from __future__ import annotations

import csv
import gzip
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

import orjson
import pytest
from commands import run
from content import CARDS

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Retrieval, Retrieved
from cds_service.knowledge.record.lists import type_of_template
from cds_service.playground.records import patient_id, read_resources
from cds_service.simulation import patients
from cds_service.simulation.openings import end_of

duckdb = pytest.importorskip("duckdb", reason="simulate: the extra `simulate` is not installed")

PROJECT = Path(__file__).parent.parent.parent
PEOPLE = PROJECT / "fixtures" / "patients"
TODAY = "2026-11-22"
KEY = "a key of thirty-two characters at least"


# Her record holds resources of somebody else, who is nobody's record where files have one type.
_MIXED = "miriam-mixed-records.json"


def _bundles() -> list[Path]:
    return [path for path in sorted(PEOPLE.glob("*.json")) if path.name != _MIXED]


def _resources() -> list[dict[str, Any]]:
    return [
        entry["resource"]
        for path in _bundles()
        for entry in orjson.loads(path.read_bytes())["entry"]
    ]


@pytest.fixture(scope="session")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture people as a Bulk FHIR export: one file a type, in no order."""
    folder = tmp_path_factory.mktemp("bulk")
    by_type: dict[str, list[bytes]] = {}
    for resource in _resources():
        by_type.setdefault(str(resource["resourceType"]), []).append(orjson.dumps(resource))
    for type_, lines in by_type.items():
        random.Random(3).shuffle(lines)
        (folder / f"{type_}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.fixture(autouse=True)
def several_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few people in each partition, as if there were very many of them."""
    monkeypatch.setattr(patients, "PARTITION_BYTES", 64 * 1024)


def _simulate(*arguments: str | Path, out: Path, fails: bool = False, **settings: str) -> str:
    environment = {"CDS_STORE_URL": "none", "CDS_HASH_KEY": KEY, **settings}
    given = ("simulate", *arguments, "--today", TODAY, "--out", out)
    return run(*given, fails=fails, **environment).output


def _files(out: Path) -> dict[str, bytes]:
    """Every file of a result; nothing else but a sheet is left in its folder."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != "review"}


def _reviewed(bulk: Path, *arguments: str, seed: int = 7, out: Path) -> Path:
    """A result with the sheet of twelve cases."""
    _simulate(bulk, "--review", "12", "--seed", str(seed), *arguments, out=out)
    return out


def _figures(out: Path) -> dict[str, Any]:
    figures: dict[str, Any] = orjson.loads((out / "figures.json").read_bytes())
    return figures


@pytest.fixture(scope="session")
def of_one_process(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patients, "PARTITION_BYTES", 64 * 1024)
        return _reviewed(bulk, out=tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="session")
def alone(of_one_process: Path) -> dict[str, bytes]:
    """The result of one process."""
    return _files(of_one_process)


@pytest.fixture(scope="module")
def of_two_processes(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patients, "PARTITION_BYTES", 64 * 1024)
        return _reviewed(bulk, "--workers", "2", out=tmp_path_factory.mktemp("two"))


def test_one_row_for_each_opening_and_the_figures_agree(alone: dict[str, bytes]) -> None:
    figures = orjson.loads(alone["figures.json"])
    people = len(_bundles())
    assert (figures["patients"], figures["openings"]) == (people, people)
    [rule] = [each for each in figures["rules"] if each["rule"].endswith("/R51")]
    assert rule["per100Openings"] == round(100 * rule["openings"] / people, 2)
    assert rule["per1000Patients"] == round(1000 * rule["patients"] / people, 2)
    assert rule["per100OpeningsLow"] < rule["per100Openings"] < rule["per100OpeningsHigh"]
    assert figures["cards"] >= sum(each["openings"] for each in figures["cardsBySlot"])


def test_the_cards_are_those_that_the_service_gives(
    alone: dict[str, bytes], service: CDSService
) -> None:
    """The same people asked one by one; nobody exported what no file has a resource of."""
    types = {str(resource["resourceType"]) for resource in _resources()}
    states = {
        key: Retrieval.COMPLETE if type_of_template(text) in types else Retrieval.MISSING
        for key, text in service.prefetch.items()
    }
    expected: Counter[tuple[str, str]] = Counter()
    for path in _bundles():
        resources = read_resources(path)
        call = Call(
            retrieved=Retrieved(tuple(resources), states),
            patient_id=patient_id(resources),
            user_id="Practitioner/somebody",
            hook_instance="somewhere",
            now=end_of(date.fromisoformat(TODAY)),
            language="en",
        )
        expected.update((card.slot, card.indicator) for card in service.answer(call).cards)
    found = orjson.loads(alone["figures.json"])["cardsBySlot"]
    assert {(row["slot"], row["indicator"]): row["openings"] for row in found} == expected


def test_two_processes_give_the_same_bytes(alone: dict[str, bytes], of_two_processes: Path) -> None:
    assert _files(of_two_processes) == alone


@pytest.fixture
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster of two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed", reason="simulate: no extra `dask`")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    yield cluster.scheduler_address
    cluster.close()


def test_a_dask_cluster_of_two_workers_gives_the_same_bytes(
    bulk: Path, alone: dict[str, bytes], tmp_path: Path, scheduler: str
) -> None:
    _simulate(bulk, "--scheduler", scheduler, out=tmp_path)
    assert _files(tmp_path) == alone


def test_packed_lines_in_another_order_and_whole_bundles_give_the_same_rows(
    bulk: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in bulk.iterdir():
        lines = path.read_bytes().splitlines()[::-1]
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    _simulate(packed, out=tmp_path / "one")
    _simulate(*_bundles(), out=tmp_path / "other")
    for out in ("one", "other"):
        assert _figures(tmp_path / out) == orjson.loads(alone["figures.json"])


@pytest.fixture(scope="module")
def killed(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves that is killed when it has kept the rows of a partition."""
    out = tmp_path_factory.mktemp("killed")
    script = (
        "from cds_service.simulation import patients; patients.PARTITION_BYTES = 64 * 1024\n"
        "from cds_service.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "simulate", str(bulk)]
    command += ["--today", TODAY, "--out", str(out)]
    environment = os.environ | {"CDS_STORE_URL": "none", "CDS_HASH_KEY": KEY}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment | {"PYTHONPATH": str(PROJECT)}, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 60
    while not any(out.glob("work/results-*/*.ndjson")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "index.html").exists()
    return out


def test_while_it_runs_only_this_user_can_read_the_records(killed: Path) -> None:
    assert any(killed.glob("work/**/*.parquet"))
    assert (killed / "work").stat().st_mode & 0o077 == 0


def test_a_killed_run_goes_on_where_it_was(
    bulk: Path, alone: dict[str, bytes], killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in killed.glob("work/results-*/*.ndjson")}
    assert before
    monkeypatch.setattr("cds_service.simulation.study.Simulation.clean", lambda self: None)
    _simulate(bulk, out=killed)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert _files_beside_work(killed) == alone


def _files_beside_work(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def test_a_patient_that_cannot_be_read_is_counted_and_named_by_its_hash_alone(
    bulk: Path, tmp_path: Path
) -> None:
    data = copytree(bulk, tmp_path / "data")
    with (data / "Condition.ndjson").open("ab") as file:
        file.write(b'{"resourceType": "Condition", "id": "c1", "code": {"text": "\xff')
        file.write(b'\n{"resourceType": "Condition", "subject": {"reference": "Patient/nobody"}}\n')
        file.write(b'{"resourceType": "Condition", "id": "of nobody"}\n[1, 2]\n"text"\n\n')
    out = tmp_path / "out"
    _simulate(data, out=out)
    figures = _figures(out)
    assert figures["unreadable"] == [{"why": "no Patient", "patients": 1}]
    assert (figures["faulty"], figures["withoutPatient"]) == (3, {"Condition": 1})
    assert all(b"nobody" not in content for content in _files(out).values())
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{out / 'unreadable.parquet'}')").fetchall()
    [(patient, why)] = rows
    assert (len(patient), why) == (64, "no Patient")


def test_no_name_and_no_id_of_the_records_is_in_the_result(alone: dict[str, bytes]) -> None:
    names = {
        text.encode()
        for resource in _resources()
        if resource["resourceType"] == "Patient"
        for name in resource.get("name", ())
        for text in (name.get("family"), f'"{resource["id"]}"')
        if text
    }
    assert len(names) > 60
    found = {(file, name) for file, content in alone.items() for name in names if name in content}
    assert found == set()


def test_encounters_are_openings_and_the_record_is_read_as_it_was_known_then(
    bulk: Path, tmp_path: Path
) -> None:
    data = copytree(bulk, tmp_path / "data")
    encounters = [
        {"resourceType": "Encounter", "id": name, "status": status}
        | {"subject": {"reference": "Patient/harold"}, "period": {"start": start}}
        for name, status, start in (
            ("first", "finished", "2012-03-01T09:00:00Z"),
            ("same-day", "finished", "2012-03-01T15:00:00Z"),
            ("never", "cancelled", "2014-03-01"),
            ("now", "in-progress", "2026-11-22T08:00:00Z"),
            ("later", "finished", "2027-01-01"),
        )
    ]
    with (data / "Encounter.ndjson").open("ab") as file:
        file.writelines(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in encounters)
    _simulate(data, out=tmp_path / "out")
    openings = f"read_parquet('{tmp_path / 'out' / 'openings.parquet'}')"
    rows = duckdb.sql(
        f"SELECT opened::VARCHAR, len(cards) FROM {openings} WHERE patient IN"
        f" (SELECT patient FROM {openings} WHERE opened = '2012-03-01') ORDER BY 1"
    ).fetchall()
    assert [day for day, _ in rows] == ["2012-03-01", "2026-11-22"]
    assert rows[0][1] < rows[1][1]


def test_a_list_that_nobody_exported_is_not_an_empty_list(bulk: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in bulk.glob("[!C]*.ndjson"):
        (data / path.name).write_bytes(path.read_bytes())
    assert not (data / "Condition.ndjson").exists()
    _simulate(data, out=tmp_path / "out")
    figures = _figures(tmp_path / "out")
    problems = {"fact": "anxiety-leg-weakness/problem_list", "state": "not-retrieved"}
    lacking = [each for each in figures["lacking"] if problems.items() <= each.items()]
    # Of the dead nothing is asked.
    assert [each["openings"] for each in lacking] == [len(_bundles()) - 1]
    slots = {each["slot"] for each in figures["cardsBySlot"]}
    assert "unchecked" in slots and "differential" not in slots


def _edit(path: Path, where: str, what: str) -> None:
    """Take something out of one place of a file."""
    text = path.read_text(encoding="utf-8")
    changed = re.sub(where, lambda found: re.sub(what, "", found[0]), text)
    assert changed != text
    path.write_text(changed, encoding="utf-8")


def test_an_older_content_tells_whose_cards_change_and_why(bulk: Path, tmp_path: Path) -> None:
    older = copytree(CARDS, tmp_path / "older")
    service = older / "anxiety-leg-weakness"
    rules = service / "rules" / "benzodiazepines.yaml"
    # Neither the level, nor its examples, nor its words.
    _edit(rules, r"(?s)(?<=- id: R51\n).*?(?=- id: R51b\n)", r"(?m)^.*critical.*\n")
    for words in service.glob("words/*/benzodiazepines.md"):
        _edit(words, r"(?s)(?<=# R51 ).*?(?=# R51b )", r"(?s)## critical\n.*?(?=## )")
    _simulate(bulk, "--against", older, out=tmp_path / "out")
    changes: list[dict[str, object]] = _figures(tmp_path / "out")["changes"]
    assert changes
    for change in changes:
        assert (change["was"], change["becomes"]) == ("warning", "critical")
        assert "R51: warning -> critical" in str(change["because"])
    critical = [
        each for each in _figures(tmp_path / "out")["rules"] if each["rule"].endswith("/R51")
    ]
    assert critical[0]["critical"] == sum(int(str(each["openings"])) for each in changes)


def test_a_file_system_elsewhere_is_read_the_same_way(
    bulk: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in bulk.iterdir():
        memory.pipe(f"/export/{path.name}", path.read_bytes())
    _simulate("memory://export", out=tmp_path)
    assert _figures(tmp_path) == orjson.loads(alone["figures.json"])


@pytest.mark.parametrize(
    "place, said",
    [("nowhere", "there is nothing at"), (".", "there is no file"), ("nope://x", "cannot be read")],
)
def test_what_cannot_be_read_ends_with_a_sentence(
    place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in _simulate(place, out=tmp_path / "out", fails=True)


def test_without_a_key_and_a_store_a_patient_would_get_another_hash_each_time(
    bulk: Path, tmp_path: Path
) -> None:
    assert "CDS_HASH_KEY" in _simulate(bulk, out=tmp_path, fails=True, CDS_HASH_KEY="")


@pytest.fixture
def reviewed(of_one_process: Path) -> Path:
    """The sheet of twelve cases."""
    return of_one_process / "review"


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _filled(sheet: Path, copy: Path, answer: str) -> Path:
    """A sheet with one answer to everything that is asked."""
    with sheet.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [{name: cell or answer for name, cell in row.items()} for row in reader]
    with copy.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(row | {"rules": row["rules"].removesuffix(answer)} for row in rows)
    return copy


def test_the_sheet_has_a_page_and_rows_for_each_case_and_names_nobody(reviewed: Path) -> None:
    assert {path.name for path in reviewed.iterdir()} == {
        "cases.html",
        "key.csv",
        "reviewer-a.csv",
        "reviewer-b.csv",
    }
    page = (reviewed / "cases.html").read_text(encoding="utf-8")
    assert page.count('<article class="case"') == 12
    strata = Counter(row["stratum"] for row in _table(reviewed / "key.csv"))
    assert "no card" in strata and max(strata.values()) - min(strata.values()) <= 1
    names = {
        text
        for resource in _resources()
        if resource["resourceType"] == "Patient"
        for name in resource.get("name", ())
        for text in (name.get("family"), *name.get("given", ()), f"Patient/{resource['id']}")
        if text
    }
    assert {name for name in names if re.search(rf"\b{re.escape(name)}\b", page)} == set()
    cases = {row["case"] for row in _table(reviewed / "reviewer-a.csv")}
    assert cases == {str(number) for number in range(1, 13)}


def test_the_same_seed_draws_the_same_cases_and_another_one_others(
    bulk: Path, reviewed: Path, of_two_processes: Path, tmp_path: Path
) -> None:
    assert _files(of_two_processes / "review") == _files(reviewed) != {}
    other = _reviewed(bulk, seed=8, out=tmp_path) / "review"
    assert (other / "key.csv").read_bytes() != (reviewed / "key.csv").read_bytes()


def test_two_filled_sheets_are_compared(reviewed: Path, tmp_path: Path) -> None:
    first = _filled(reviewed / "reviewer-a.csv", tmp_path / "a.csv", "yes")
    second = _filled(reviewed / "reviewer-b.csv", tmp_path / "b.csv", "no")
    same = orjson.loads(run("review", first, first, "--format", "json").stdout)
    assert same["unanswered"] == 0 and same["disagreements"] == []
    assert {row["ppv"] for row in same["rules"]} == {100.0}
    other = orjson.loads(run("review", first, second, "--format", "json").stdout)
    assert {row["agreed"] for row in other["agreement"]} == {0.0}
    assert "To talk about" in run("review", first, second).stdout
    assert run("review", first, second, "--format", "csv").stdout.startswith("rule,cards,right")


def test_answers_are_not_written_over(bulk: Path, reviewed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "review"
    folder.mkdir()
    _filled(reviewed / "reviewer-a.csv", folder / "reviewer-a.csv", "yes")
    said = _simulate(bulk, "--review", "12", out=tmp_path, fails=True)
    assert "has answers" in said


def test_a_resource_that_cannot_be_read_makes_its_list_a_part_and_loses_nobody(
    bulk: Path, tmp_path: Path
) -> None:
    data = copytree(bulk, tmp_path / "data")
    odd = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/ada"}}
    line = orjson.dumps(odd)[:-1] + b',"reaction":' + b"[" * 2000 + b"]" * 2000 + b"}\n"
    with (data / "AllergyIntolerance.ndjson").open("ab") as file:
        file.write(line + b'"no resource"\n[{"resourceType": "Patient", "id": "in a list"}]\n')
    _simulate(data, out=tmp_path / "out")
    figures = _figures(tmp_path / "out")
    assert (figures["unreadable"], figures["faulty"]) == ([], 2)
    allergies = {"fact": "anxiety-leg-weakness/allergy_list", "state": "not-retrieved"}
    assert [
        each["openings"] for each in figures["lacking"] if allergies.items() <= each.items()
    ] == [1]


def test_a_patient_may_be_named_by_an_identifier(
    bulk: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    data = copytree(bulk, tmp_path / "data")
    conditions = data / "Condition.ndjson"
    resources = [orjson.loads(line) for line in conditions.read_bytes().splitlines()]
    for resource in resources:
        if resource.get("subject", {}).get("reference") == "Patient/ada":
            identifier = {"system": "https://ehr.example.org/mrn", "value": "104348"}
            resource["subject"] = {"identifier": identifier}
    conditions.write_bytes(b"\n".join(map(orjson.dumps, resources)))
    _simulate(data, out=tmp_path / "out")
    assert _figures(tmp_path / "out") == orjson.loads(alone["figures.json"])


def test_a_name_of_a_file_is_no_pattern(bulk: Path, tmp_path: Path) -> None:
    data = copytree(bulk, tmp_path / "it's [1] data")
    (data / "Patient.ndjson").rename(data / "Patient [2] *.ndjson")
    _simulate(data, out=tmp_path / "out")
    assert _figures(tmp_path / "out")["unreadable"] == []


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--memory", "much"), "500MB"),
        (("--language", "la"), "words in la"),
        (("--scheduler", "nowhere"), "no scheduler answers"),
        (("--against", "."), "the file is missing"),
    ],
)
def test_what_cannot_be_done_ends_with_a_sentence(
    arguments: tuple[str, str],
    said: str,
    bulk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in _simulate(bulk, *arguments, out=tmp_path / "out", fails=True)
