"""The guide to the sandbox says what is shown for whom, and so it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

PROJECT = Path(__file__).parent.parent.parent
GUIDE = (PROJECT / "docs" / "sandbox.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z]+)` \| (.+) \|$", GUIDE, re.MULTILINE)
CALL = "/cds-services/anxiety-leg-weakness"


def _request(patient: str) -> bytes:
    for path in sorted((PROJECT / "fixtures" / "requests").glob(f"{patient}-*.json")):
        request = path.read_bytes()
        if "--" not in path.stem and json.loads(request)["context"]["patientId"] == patient:
            return request
    raise LookupError(patient)


def _expected(said: str) -> list[str]:
    """The indicators that a sentence of the guide promises, as far as it does."""
    if said.startswith("two critical"):
        return ["critical", "critical"]
    if said.startswith("critical"):
        return ["critical"]
    return ["warning"] if said.startswith(("a warning", "a record")) else ["info"]


@pytest.mark.parametrize("patient, said", ROWS, ids=[patient for patient, _ in ROWS])
def test_a_person_has_the_cards_that_the_guide_promises(
    ehr: FlaskClient, patient: str, said: str
) -> None:
    answer = ehr.post(CALL, data=_request(patient), content_type="application/json").get_json()
    indicators = [card["indicator"] for card in answer["cards"]]
    if said.endswith("no card"):
        assert indicators == []
    else:
        assert indicators[: len(_expected(said))] == _expected(said)
        assert len(indicators) == 1 or not said.endswith("nothing else")


def test_the_guide_names_enough_people_and_its_pictures_are_there() -> None:
    assert len(ROWS) >= 10
    pictures = re.findall(r"\((pictures/[\w.-]+)\)", GUIDE)
    assert len(pictures) == 3
    assert all((PROJECT / "docs" / picture).is_file() for picture in pictures)


def test_the_compose_file_sets_what_the_guide_says() -> None:
    compose = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    settings = re.findall(r"^ *\| `(CDS_\w+)=([^`]+)` \|", GUIDE, re.MULTILINE)
    assert len(settings) == 3
    for name, value in settings:
        assert re.search(rf'{name}: "?{re.escape(value)}"?$', compose, re.MULTILINE)
