"""The notes of one call: ids, rules by outcome, names of facts, counts; never a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

from cds_service.errors import CDSError, NotAuthenticated
from cds_service.knowledge.call import Answer, Retrieval, Retrieved
from cds_service.telemetry.spans import Span, no_span

# A request id or hookInstance that looks different may be anything, even a person's name.
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")


@dataclass(slots=True)
class CallNotes:
    """Collected while a call is answered. Log, metrics and audit know only these notes."""

    is_call: bool  # a call of CDS Hooks, not of health, metrics or an unknown address
    endpoint: str
    request_id: str
    at: datetime
    knowledge: str
    span: Span = field(default=no_span, repr=False)
    is_reading: bool = False  # somebody signs in, or reads figures
    client: str | None = None
    service: str | None = None
    hook: str | None = None
    hook_instance: str | None = field(default=None, repr=False)
    language: str | None = None
    cards: int = 0
    shadow: int = 0  # cards that are watched and not sent
    applied: Sequence[str] = ()
    unknown: Sequence[str] = ()
    suppressed: Sequence[str] = ()
    suppressed_by: Sequence[str] = ()
    missing: Sequence[str] = ()
    fetches: Mapping[str, str] = field(default_factory=dict)  # outcome by prefetch key
    lists: Mapping[str, str] = field(default_factory=dict)  # those that did not come whole
    accepted: int | None = None
    overridden: int | None = None
    status: int = 0
    refused: CDSError | None = None
    failed: BaseException | None = field(default=None, repr=False)
    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage of the call; it is also a span if OpenTelemetry is on."""
        began = perf_counter()
        try:
            with self.span(name):
                yield
        finally:
            self.seconds[name] = perf_counter() - began

    def note_fetches(self, outcomes: Mapping[str, str]) -> None:
        """Note the outcome of fetching each key; others than fetched are spans too."""
        self.fetches = dict(outcomes)
        for key, outcome in self.fetches.items():
            if outcome != "fetched":
                with self.span(f"fetch {key}: {outcome}"):
                    pass

    def note_lists(self, retrieved: Retrieved) -> None:
        """Note how each list came that did not come whole, by its prefetch key."""
        self.lists = {
            key: state.value
            for key, state in retrieved.states.items()
            if state is not Retrieval.COMPLETE
        }

    def note_answer(
        self, answer: Answer, away: Mapping[str, str], *, sent: int, kept_back: int
    ) -> None:
        """Note rules and facts by name; `away` gives the reason for each suppressed card.

        `kept_back` counts cards that are not sent because the whole service is in shadow mode.
        """
        self.cards = sent
        self.shadow = len(answer.shadow) + kept_back
        self.suppressed = sorted(
            {rule for card in answer.cards if card.uuid in away for rule in card.rules}
        )
        self.suppressed_by = sorted(set(away.values()))
        self.applied, self.unknown, self.missing = answer.applied, answer.unknown, answer.missing

    def close(self, status: int) -> None:
        """The call is over; `status` was sent."""
        self.status = status
        self.seconds["total"] = perf_counter() - self.began

    @property
    def milliseconds(self) -> float:
        return round(self.seconds.get("total", 0.0) * 1000, 1)

    @property
    def server_timing(self) -> str:
        """The stages in milliseconds, as the header Server-Timing has them."""
        return ", ".join(
            f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in self.seconds.items()
        )

    def line(self) -> dict[str, Any]:
        """The log line, without empty members."""
        members = {
            "endpoint": self.endpoint,
            "client": self.client,
            "service": self.service,
            "hook_instance": safe_id(self.hook_instance),
            "knowledge": self.knowledge if self.service else None,
            "language": self.language,
            "status": self.status,
            "cards": self.cards if self.language else None,
            "shadow": self.shadow or None,
            "applied": list(self.applied),
            "unknown": list(self.unknown),
            "suppressed": list(self.suppressed),
            "suppressed_by": list(self.suppressed_by),
            "missing": list(self.missing),
            "fetches": dict(self.fetches),
            "lists": dict(self.lists),
            "accepted": self.accepted,
            "overridden": self.overridden,
            **_why(self.refused),
            "milliseconds": self.milliseconds,
        }
        return {name: value for name, value in members.items() if value not in (None, [], {})}


def _why(refused: CDSError | None) -> dict[str, Any]:
    if refused is None:
        return {}
    reason = refused.reason if isinstance(refused, NotAuthenticated) else None
    places = [fault.expression for fault in refused.faults if fault.expression]
    return {"code": refused.code, "reason": reason, "places": places}


def safe_id(text: str | None) -> str | None:
    """The id if it is a UUID, with or without dashes; otherwise None."""
    return text if text and _UUID.fullmatch(text) else None


def request_id(wanted: str | None) -> str:
    """The request id of the caller if it is safe to log; otherwise a new one."""
    return safe_id(wanted) or str(uuid4())
