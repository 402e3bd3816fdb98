"""How fetching one prefetch key went, in words for the log and the metrics."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus

_STATUSES = frozenset(map(int, HTTPStatus))


class Outcome(StrEnum):
    """The outcome of fetching one prefetch key; a refusal also has its status, as `refused-403`."""

    FETCHED = "fetched"
    ASKED_OTHERWISE = "asked-otherwise"  # complete, but the server refused the first search
    NEXT_ELSEWHERE = "next-elsewhere"  # complete; a next link that led away was asked at the base
    IN_PART = "in-part"  # some of it; the rest is missing because of a limit or an error
    LATE = "late"  # the call had no time left
    UNREACHABLE = "unreachable"  # no connection, or lost twice
    REFUSED = "refused"  # a status other than 200 and 404
    NOT_SUPPORTED = "not-supported"  # 404, or the server says that it has no such resources
    UNREADABLE = "unreadable"  # not FHIR JSON, not what was asked for, or too much
    BARRED = "barred"  # the operator does not allow this address
    SUSPENDED = "suspended"  # the server failed several calls and is not called for a while


IS_WHOLE = frozenset({Outcome.FETCHED, Outcome.ASKED_OTHERWISE, Outcome.NEXT_ELSEWHERE})


class NotFetched(Exception):
    """Why an answer of the FHIR server is missing or cannot be used; `status` if it has one."""

    def __init__(self, outcome: Outcome, status: int | None = None) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.status = status


class TryAgain(NotFetched):
    """The same, but it is worth trying again after some seconds."""

    def __init__(self, outcome: Outcome, after: float, status: int | None = None) -> None:
        super().__init__(outcome, status)
        self.after = after


def label(outcome: Outcome, status: int | None) -> str:
    """The outcome as it is logged and counted: one of few words, whatever a server answers."""
    if outcome is Outcome.REFUSED and status in _STATUSES:
        return f"{outcome}-{status}"
    return outcome.value
