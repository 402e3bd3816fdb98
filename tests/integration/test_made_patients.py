"""Patients made by a seeded generator, of whom it is known what was put in."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import shared
from flask.testing import FlaskClient

ADDRESS = "/cds-services/anxiety-leg-weakness"
TOOL = shared.SHARED / "tools" / "make_patients.py"
STYLES = ("synthea", "ehr", "icd")
GENERALISED_ANXIETY = "C4"
YEAR_AGO = "2025-11-22"
# Our prefetch keys, and what fills them.
PREFETCH = (
    "patient=Patient",
    "conditions=Condition",
    "laboratory=Observation:laboratory",
    "vitalSigns=Observation:vital-signs",
    "surveys=Observation:survey",
    "medicationRequests=MedicationRequest",
    "medicationStatements=MedicationStatement",
    "allergies=AllergyIntolerance",
    "encounters=Encounter",
)

pytestmark = shared.needs_shared


def _make(folder: Path, *arguments: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each request, and what its patient was given on purpose."""
    requests, truth = folder / "requests.jsonl", folder / "truth.jsonl"
    command = [sys.executable, str(TOOL), "--format", "request", "--date", "2026-11-20"]
    for each in PREFETCH:
        command += ["--prefetch", each]
    command += ["--out", str(requests), "--truth", str(truth), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    truths = map(orjson.loads, truth.read_bytes().splitlines())
    return zip(requests.read_bytes().splitlines(), truths, strict=True)


def _cards(ehr: FlaskClient, request: bytes) -> list[dict[str, Any]]:
    response = ehr.post(ADDRESS, data=request, content_type="application/json")
    assert response.status_code == 200, response.get_json()
    return list(response.get_json()["cards"])


def _causes(cards: list[dict[str, Any]]) -> list[str]:
    """The causes that the footer of the differential names, in its order."""
    footers = [card["detail"].rpartition("\n")[2] for card in cards if card["indicator"] == "info"]
    return re.findall(r"\bC\d\b", " ".join(footers))


def _has_symptom(request: bytes) -> bool:
    """Whether one of the symptoms that were put in was recorded at most a year ago."""
    entries = orjson.loads(request)["prefetch"]["conditions"]["entry"]
    return any(
        re.search("weakness|fatigue", each["resource"]["code"]["text"], re.IGNORECASE)
        and each["resource"]["recordedDate"] > YEAR_AGO
        for each in entries
    )


@pytest.mark.parametrize("style", STYLES)
def test_anxiety_with_weakness_is_answered_with_generalised_anxiety_first(
    style: str, ehr: FlaskClient, tmp_path: Path
) -> None:
    made = _make(tmp_path, "--preset", "anxiety-weakness", "--style", style, "--patients", "30")
    wrong = [
        (truth, [card["summary"] for card in cards])
        for request, truth in made
        for cards in [_cards(ehr, request)]
        if _causes(cards)[:1] != ([GENERALISED_ANXIETY] if _has_symptom(request) else [])
    ]
    assert wrong == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("preset", ["none", "weakness-only", "resolved", "decoy"])
def test_without_current_anxiety_there_is_no_differential(
    preset: str, style: str, ehr: FlaskClient, tmp_path: Path
) -> None:
    made = _make(tmp_path, "--preset", preset, "--style", style, "--patients", "10")
    wrong = [
        (truth, card["summary"])
        for request, truth in made
        for card in _cards(ehr, request)
        if card["indicator"] == "info"  # only the differential is that
    ]
    assert wrong == []


def test_odd_and_broken_records_are_answered_or_refused_for_want_of_a_key(
    ehr: FlaskClient, tmp_path: Path
) -> None:
    odd = ("--preset", "anxiety-weakness", "--odd", "0.3", "--odd-features", "--broken", "0.1")
    depth = ("--depth", "40")  # deeper than our limit is 400, whatever the record says
    answered = Counter(
        ehr.post(ADDRESS, data=request, content_type="application/json").status_code
        for request, _ in _make(tmp_path, *odd, *depth, "--patients", "500")
    )
    print(f"by status: {dict(answered)}")
    assert set(answered) <= {200, 412}
    assert answered[200] > 400
