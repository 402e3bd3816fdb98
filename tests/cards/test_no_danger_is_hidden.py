"""Whatever is called, answered, repeated and forged, by whomever and at whatever time: a critical
card is there for everybody who has not answered it, and who has answered it sees a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest
from hospitals import (
    ADDRESS,
    ADDRESSED,
    EHR,
    OTHER_EHR,
    SHARED_USER,
    Card,
    Chair,
    Hospital,
    critical,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings

PEOPLE = (
    "samuel-potassium-2-3",
    "silvia-ideation-and-potassium",
    "harold-lorazepam-oxycodone",
    "elliot-item-nine",
)
DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
_numbers = count(1)

chairs = st.builds(
    Chair,
    user=st.sampled_from(["Practitioner/grace", "Practitioner/boris", SHARED_USER]),
    client=st.sampled_from([EHR, EHR, OTHER_EHR]),
    tenant=st.sampled_from([None, None, "north"]),
    server=st.sampled_from([None, "https://fhir.example.org/r4", "https://test.example.org/r4"]),
    encounter=st.sampled_from([None, "e1"]),
)
people = st.sampled_from(PEOPLE)
codes = st.sampled_from([ADDRESSED, ADDRESSED, ADDRESSED, "need-more-info", "because", None])
# By how much a client's clock is wrong.
lies = st.sampled_from([0, 0, 0, -3600, 3600, 90 * 86400])


@dataclass
class Shown:
    """A critical card that somebody got, and when its own client first answered it."""

    uuid: str
    chair: Chair
    person: str
    rule: str
    instance: str
    answer: str | None = None
    is_answered: bool = False
    # The time, on the clock that is right, from which the answer counts at the latest.
    since: datetime | None = None
    by_wrong_clock: bool = field(default=False)

    def is_of(self, chair: Chair, person: str, rule: str) -> bool:
        whose = (self.person, self.rule, self.chair.user, self.chair.client, self.chair.tenant)
        return (*whose, self.chair.server) == (
            *(person, rule, chair.user, chair.client, chair.tenant),
            chair.server,
        )


class Conversation(RuleBasedStateMachine):
    """One service, and everything that may be done to it; `hospital` is set by the test."""

    hospital: Hospital
    unforgetful: Any  # the same service without a store: what holds whatever was answered

    def __init__(self) -> None:
        super().__init__()
        self.number = next(_numbers)
        self.right = Hospital.now
        self.ahead = timedelta(0)
        self.shown: list[Shown] = []

    def _tick(self, by: timedelta = timedelta(seconds=1)) -> None:
        self.right += by
        self.hospital.now = self.right + self.ahead

    @rule(hours=st.sampled_from([1, 5, 12, 23, 24, 25]))
    def time_goes_by(self, hours: int) -> None:
        self._tick(timedelta(hours=hours))

    @rule(days=st.sampled_from([0, 1, 25]))
    def the_clock_is_set(self, days: int) -> None:
        self.ahead = timedelta(days=days)
        self._tick()

    @rule(chair=chairs, person=people)
    def open_a_chart(self, chair: Chair, person: str) -> None:
        self._open(chair, person, str(uuid4()))

    @precondition(lambda self: self.shown)
    @rule(data=st.data())
    def open_it_again(self, data: st.DataObject) -> None:
        shown = data.draw(st.sampled_from(self.shown))
        again = data.draw(st.booleans())
        self._open(shown.chair, shown.person, shown.instance if again else str(uuid4()))

    @precondition(lambda self: self.shown)
    @rule(data=st.data())
    def open_the_same_chart_elsewhere(self, data: st.DataObject) -> None:
        shown = data.draw(st.sampled_from(self.shown))
        self._open(data.draw(chairs), shown.person, shown.instance)

    @precondition(lambda self: self.shown)
    @rule(data=st.data(), code=codes, lie=lies, times=st.sampled_from([1, 1, 3]))
    def answer(self, data: st.DataObject, code: str | None, lie: int, times: int) -> None:
        shown = data.draw(st.sampled_from(self.shown))
        self._answer(shown, shown.chair, code, lie, times)

    @precondition(lambda self: self.shown)
    @rule(data=st.data(), chair=chairs)
    def answer_as_somebody_else(self, data: st.DataObject, chair: Chair) -> None:
        self._answer(data.draw(st.sampled_from(self.shown)), chair, ADDRESSED, 0, 1)

    @rule(chair=chairs, person=people, slot=st.sampled_from(["finding", "suicide", "active-drug"]))
    def forge(self, chair: Chair, person: str, slot: str) -> None:
        """Answer before the call, with all that is public."""
        self._tick()
        instance = str(uuid4())
        request = self.hospital.chart(f"{person}/{self.number}")
        rules = self._expected(request)
        public = uuid5(NAMESPACE_URL, "urn:cds-service:cards")
        patient = request["context"]["patientId"]
        for named in rules.values():
            forged = uuid5(public, f"{instance} {patient} {slot} {named}")
            self.hospital.answer(chair, str(forged))
        self._open(chair, person, instance)
        self._open(chair, person, str(uuid4()))

    def _answer(self, shown: Shown, chair: Chair, code: str | None, lie: int, times: int) -> None:
        for _ in range(times):
            self._tick()
            at = self.hospital.now + timedelta(seconds=lie)
            self.hospital.answer(chair, shown.uuid, code, outcomeTimestamp=at.isoformat())
            is_first = not shown.is_answered
            if is_first and (chair.client, chair.tenant) == (
                shown.chair.client,
                shown.chair.tenant,
            ):
                shown.is_answered, shown.answer = True, code
                shown.since, shown.by_wrong_clock = self.right, self.ahead > timedelta(0)

    def _open(self, chair: Chair, person: str, instance: str) -> None:
        self._tick()
        name = f"{person}/{self.number}"
        expected = self._expected(self.hospital.chart(name))
        cards = self.hospital.open(chair, name, instance=instance)
        if self.ahead == timedelta(0):
            for shown in self.shown:
                if shown.by_wrong_clock:  # it counts from now on
                    shown.since, shown.by_wrong_clock = self.right, False
        whole = {_rule(card): card for card in critical(cards)}
        lines = {_rule(card) for card in cards if card["indicator"] == "info"} - whole.keys()
        for made_by in expected:
            if made_by in whole:
                continue
            assert made_by in lines, f"the critical card of {made_by} is gone"
            assert self._has_answered(chair, person, made_by), f"{made_by} was not answered"
        assert cards or not expected
        for made_by, card in whole.items():
            if card["uuid"] not in {shown.uuid for shown in self.shown}:
                self.shown.append(Shown(card["uuid"], chair, person, made_by, instance))

    def _expected(self, request: dict[str, Any]) -> dict[str, str]:
        """The critical cards that the record demands now: all their rules, by the first of them."""
        cards = self.unforgetful.post(ADDRESS, json=request).get_json()["cards"]
        return {_rule(card): _rules(card) for card in critical(cards)}

    def _has_answered(self, chair: Chair, person: str, made_by: str) -> bool:
        return chair.user != SHARED_USER and any(
            shown.answer == ADDRESSED
            and shown.is_of(chair, person, made_by)
            and (shown.by_wrong_clock or self.right - (shown.since or self.right) <= DAY + MINUTE)
            for shown in self.shown
        )


def _rules(card: Card) -> str:
    return str(card["detail"].rpartition("· ")[2])


def _rule(card: Card) -> str:
    return _rules(card).split()[0]


@pytest.fixture
def conversation(
    store_url: str, cards: Knowledge, tmp_path: Path
) -> Iterator[type[RuleBasedStateMachine]]:
    hospital = Hospital(tmp_path, store_url, cards)
    nothing = create_app(Settings(store_url="none"), cards, clock=lambda: hospital.now)
    members = {"hospital": hospital, "unforgetful": nothing.test_client()}
    yield type("ConversationWithAStore", (Conversation,), members)
    hospital.close()


def test_no_critical_card_is_absent_for_who_has_not_answered_it(
    conversation: type[RuleBasedStateMachine],
) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        conversation,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
