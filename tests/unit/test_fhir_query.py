"""What several downloads say together, also while one of them is still running."""

from __future__ import annotations

from typing import Any

import pytest
from builders import condition, searchset

from cds_service.fhir.outcomes import Outcome
from cds_service.fhir.query import Query
from cds_service.fhir.received import read
from cds_service.fhir.second_try import INTENT, other_ways
from cds_service.knowledge.call import Retrieval

BASE = "https://fhir.example.org/r4"


class FakeDownload:
    """A download as a Query sees it; with `comes` it ends once its value was looked at."""

    address = f"{BASE}/Condition?code=1"
    status: int | None = None
    requests, answered, seconds = 1, True, 0.1

    def __init__(self, value: Any, outcome: Outcome = Outcome.FETCHED, *, comes: bool = False):
        self._value, self._outcome, self._comes = value, outcome, comes

    @property
    def value(self) -> Any:
        value = self._value
        if self._comes:
            self._value, self._outcome = searchset(condition("late")), Outcome.FETCHED
        return value

    @property
    def outcome(self) -> Outcome:
        return self._outcome


def query(*downloads: FakeDownload, searches: bool = True) -> Query:
    return Query(None, downloads, searches=searches)  # type: ignore[arg-type]


FULL = searchset(condition("full"))


@pytest.mark.parametrize(
    "downloads, outcome, state",
    [
        ((FakeDownload(FULL), FakeDownload(searchset())), "fetched", Retrieval.COMPLETE),
        (
            (FakeDownload(FULL), FakeDownload(None, Outcome.LATE)),
            "in-part",
            Retrieval.INCOMPLETE,
        ),
        (
            (FakeDownload(FULL), FakeDownload(searchset(total=3))),
            "fetched",
            Retrieval.INCOMPLETE,
        ),
        (
            (FakeDownload(FULL, Outcome.NEXT_ELSEWHERE), FakeDownload(FULL)),
            "next-elsewhere",
            Retrieval.COMPLETE,
        ),
        (
            (FakeDownload(None, Outcome.NOT_SUPPORTED), FakeDownload(None, Outcome.NOT_SUPPORTED)),
            "not-supported",
            Retrieval.ABSENT,
        ),
        (
            (FakeDownload(FULL), FakeDownload(None, Outcome.NOT_SUPPORTED)),
            "in-part",
            Retrieval.INCOMPLETE,
        ),
    ],
)
def test_several_downloads_are_whole_only_if_each_is(
    downloads: tuple[FakeDownload, ...], outcome: str, state: Retrieval
) -> None:
    asked = query(*downloads)
    assert asked.label == outcome
    assert read(asked.value, "Condition?code=1").state is state


def test_what_ends_while_the_values_are_read_is_not_taken_for_whole() -> None:
    asked = query(FakeDownload(FULL), FakeDownload(None, Outcome.LATE, comes=True))
    assert read(asked.value, "Condition?code=1").state is Retrieval.INCOMPLETE
    assert read(asked.value, "Condition?code=1").state is Retrieval.COMPLETE


def test_a_read_that_finds_nothing_gives_nothing() -> None:
    assert query(FakeDownload(None, Outcome.NOT_SUPPORTED), searches=False).value is None


@pytest.mark.parametrize(
    "address, status, ways",
    [
        ("Condition?patient=1&_sort=-date&_count=5", 400, ["Condition?patient=1"]),
        ("Condition?patient=1&_sort:x=-date", 422, ["Condition?patient=1"]),
        ("Condition?patient=1", 400, []),
        ("Condition?patient=1&_sort=-date", 403, []),
        ("Condition?patient=1&_sort=-date", None, []),
        ("Patient/1", 400, []),
        ("MedicationRequest?patient=1", 400, [f"MedicationRequest?patient=1&{INTENT}"]),
        ("MedicationRequest?patient=1&intent=order", 400, []),
        ("Observation?patient=1&code=1,2,3", 414, ["&code=1", "&code=2,3"]),
        ("Medication?_id=a,b&_count=9", 414, ["Medication?_id=a&_count=9", "_id=b&_count=9"]),
        ("Observation?patient=1&code=1", 414, []),
    ],
)
def test_other_ways_ask_for_the_same(address: str, status: int | None, ways: list[str]) -> None:
    found = other_ways(f"{BASE}/{address}", status)
    assert len(found) == len(ways)
    for each, end in zip(found, ways, strict=True):
        assert each.startswith(f"{BASE}/") and each.endswith(end)
