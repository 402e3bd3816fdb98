"""The invented people at another day: every date moves, and the cards stay those of the story."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.playground.dates import STORY_NOW, shifted
from cds_service.playground.people import people, person_named, resources_of
from cds_service.playground.playing import request_of
from cds_service.settings import Settings

from .conversations import FIXTURES, PATIENTS, answer

# Whole days later everything but the dates is the same; at odd hours a span may be a day longer.
LATER = (datetime(2027, 11, 28, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC))
AT_ODD_HOURS = (
    datetime(2026, 11, 28, 5, 13, 7, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, tzinfo=UTC),
    datetime(2031, 5, 31, 0, 1, tzinfo=UTC),
)
_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b|\b(?:19|20)\d{2}\b")
_DATE_OR_DAYS = re.compile(rf"{_DATE.pattern}|\b\d+ days\b")


def _without(times: re.Pattern[str], cards: list[dict[str, Any]]) -> Any:
    for card in cards:
        card.pop("uuid")
        for suggestion in card.get("suggestions", ()):
            suggestion.pop("uuid")
    return orjson.loads(times.sub("TIME", orjson.dumps(cards).decode()))


@pytest.mark.parametrize("now", (*LATER, *AT_ODD_HOURS), ids=str)
def test_at_a_later_day_everybody_has_the_cards_of_the_story(
    service: CDSService, cards: Knowledge, now: datetime
) -> None:
    times = _DATE if now in LATER else _DATE_OR_DAYS
    ehr = create_app(Settings(store_url="none"), cards, lambda: now).test_client()
    different = []
    for person in people().values():
        resources = list(resources_of(person, now))
        request = request_of(resources, service, user_id="Practitioner/example", name=person.name)
        came = answer(ehr, request)["body"]["cards"]
        golden = orjson.loads((FIXTURES / "responses" / f"{person.name}.json").read_bytes())
        if _without(times, came) != _without(times, golden["body"]["cards"]):
            different.append(person.name)
    assert different == []


@pytest.mark.parametrize("path", PATIENTS, ids=lambda path: path.stem)
def test_at_the_clock_of_the_story_nothing_moves(path: Path) -> None:
    bundle = orjson.loads(path.read_bytes())
    assert shifted(bundle, STORY_NOW) == bundle


@pytest.mark.parametrize(
    ("name", "text", "moved"),
    [
        ("effectiveDateTime", "2026-11-22T11:59:00Z", "2026-11-28T11:59:00Z"),
        ("effectiveDateTime", "2026-11-22T06:59:00.250-05:00", "2026-11-28T06:59:00.250-05:00"),
        ("issued", "2026-11-22T11:59Z", "2026-11-28T11:59Z"),
        ("birthDate", "2000-02-29", "2000-03-06"),
        ("onsetDateTime", "2026-11", "2026-11"),
        ("onsetDateTime", "2026-10", "2026-10"),
        ("birthDate", "1984", "1984"),
        # No dates: a code, a value, and days that no calendar has.
        ("code", "1984", "1984"),
        ("valueString", "2026-11", "2026-11"),
        ("onsetDateTime", "2026-02-30", "2026-02-30"),
        ("onsetDateTime", "9999-12-31", "9999-12-31"),
        ("onsetDateTime", "2026-11-22T99:00:00Z", "2026-11-22T99:00:00Z"),
        ("onsetDateTime", "", ""),
    ],
)
def test_a_date_moves_as_precisely_as_it_is_written(name: str, text: str, moved: str) -> None:
    now = STORY_NOW.replace(day=28)
    assert shifted({name: text}, now) == {name: moved}
    assert shifted({"a": [{name: text}]}, now) == {"a": [{name: moved}]}


def test_months_and_years_move_to_the_nearest() -> None:
    now = STORY_NOW.replace(year=2027)
    assert shifted({"birthDate": "1984", "onsetDateTime": "2026-03"}, now) == {
        "birthDate": "1985",
        "onsetDateTime": "2027-03",
    }
    assert shifted({"a": 1984, "b": None, "c": True}, now) == {"a": 1984, "b": None, "c": True}


def test_everybody_has_a_story_and_is_found_by_the_first_name() -> None:
    assert set(people()) == {path.stem for path in PATIENTS}
    for person in people().values():
        assert len(person.story) > 40 and person.section
        assert person_named(person.first_name) == person == person_named(person.name)
