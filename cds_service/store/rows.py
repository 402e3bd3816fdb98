"""The rows that a hook call leaves, as frozen values. Hashes are keyed ones, see pseudonyms.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class CallRow:
    """One row of the audit: who called what, and the rules by outcome. `at` is aware."""

    at: datetime
    service: str
    hook: str
    hook_instance_hash: str
    knowledge_version: str
    status: int
    milliseconds: float
    client: str | None = None
    mode: str = "live"
    cards: int = 0
    applied: Sequence[str] = ()
    unknown: Sequence[str] = ()
    suppressed: Sequence[str] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule that a card rests on, in the version and at the level at which it applied."""

    id: str
    version: str
    level: str


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card and why it was there. `state` is shown, suppressed or shadow."""

    uuid: str
    at: datetime
    service: str
    knowledge_version: str
    patient_hash: str
    user_hash: str
    encounter_hash: str | None
    slot: str
    indicator: str
    fingerprint: str
    state: str = "shown"
    rules: Sequence[RuleRow] = ()
    trace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """What a clinician did with one card. `digest` is the same for an entry that is repeated."""

    digest: str
    card_uuid: str
    outcome: str
    outcome_timestamp: datetime
    received_at: datetime
    reason_code: str | None = None
    reason_system: str | None = None
    reason_display: str | None = None
    comment: str | None = field(default=None, repr=False)
    accepted: Sequence[str] = ()
    client: str | None = None


def members_of(row: CallRow | CardRow | FeedbackRow) -> dict[str, Any]:
    """What a row holds, by column; not copied, since nobody changes it."""
    return {each.name: getattr(row, each.name) for each in fields(row)}
