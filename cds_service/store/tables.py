"""The tables of the store, and their rows as frozen values.

No column holds a name, a value or an id of a record. Hashes are made with a key, see pseudonyms.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData()


class Instant(TypeDecorator[datetime]):
    """An aware time, stored in UTC; SQLite itself has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts up only what is an INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# The audit: one row for each call; rows are never changed.
call = Table(
    "call",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("client", Text),
    Column("service", Text, nullable=False),
    Column("hook", Text, nullable=False),
    Column("hook_instance_hash", Text, nullable=False),
    Column("knowledge_version", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("cards", Integer, nullable=False),
    Column("applied", JSON, nullable=False),
    Column("unknown", JSON, nullable=False),
    Column("suppressed", JSON, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("milliseconds", Float, nullable=False),
    Index("call_at", "at"),
)

# The calls of each hour, counted; see sums.py. `client` is "" where nobody was asked.
call_hour = Table(
    "call_hour",
    metadata,
    Column("hour", Instant, primary_key=True),
    Column("hook", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("answered", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("silent", Integer, nullable=False),
    Column("cards", Integer, nullable=False),
)

# Tokens that are not accepted a second time. `key` is a hash of issuer and jti.
used_token = Table(
    "used_token",
    metadata,
    Column("key", Text, primary_key=True),
    Column("until", Instant, nullable=False),
    Index("used_token_until", "until"),
)

# Every card that was shown, suppressed, or would have been shown (shadow), with its trace and the
# one answer that counts for it, see answers.py. `reasons` are the override reasons that it offered,
# as pairs of system and code; `suggestions` are the requests that each suggestion proposed, by its
# uuid, and `accepted` those of the accepted ones; `client_hash` is the client that received it;
# `counted` are the rules that an answer is about, see sums.py.
card = Table(
    "card",
    metadata,
    Column("uuid", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("service", Text, nullable=False),
    Column("knowledge_version", Text, nullable=False),
    Column("patient_hash", Text, nullable=False),
    Column("user_hash", Text, nullable=False),
    Column("encounter_hash", Text),
    Column("slot", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("trace", JSON, nullable=False),
    Column("client_hash", Text),
    Column("reasons", JSON),
    Column("answered_at", Instant),
    Column("outcome", Text),
    Column("reason_code", Text),
    Column("suggestions", JSON(none_as_null=True)),
    Column("accepted", JSON(none_as_null=True)),
    Index("card_patient_answered", "patient_hash", "answered_at"),
    Index("card_answered_at", "answered_at"),
    Column("counted", Text),
    # All that the report counts, so that it reads no row.
    Index("card_counted", "at", "state", "outcome", "reason_code", "service", "counted"),
)

# Answers of clinicians. No foreign key: feedback on unknown cards is kept too. `digest` is a hash
# of the entry, so that a repeated entry is stored once.
feedback = Table(
    "feedback",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("card_uuid", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("outcome_timestamp", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("reason_code", Text),
    Column("reason_system", Text),
    Column("reason_display", Text),
    Column("comment", Text),
    Column("accepted", JSON, nullable=False),
    Column("client", Text),
    Column("client_hash", Text),
    Index("feedback_card_uuid", "card_uuid"),
    Index("feedback_received_at", "received_at"),
)

# People who may read the pages with figures. Of their tokens only hashes are kept. A reader stays
# when the token is revoked, so that pages that were closed stay closed.
reader = Table(
    "reader",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("token_hash", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("reader_token_hash", "token_hash", unique=True),
)

# Readers who have signed in. `key` is a hash of the cookie.
reader_session = Table(
    "reader_session",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reader_id", _NUMBER, ForeignKey("reader.id", ondelete="CASCADE"), nullable=False),
    Column("until", Instant, nullable=False),
    Index("reader_session_until", "until"),
)

# The workers of all machines that share the store, each with the content that it serves. A worker
# that has stopped is no longer renewed.
worker = Table(
    "worker",
    metadata,
    Column("id", Text, primary_key=True),
    Column("knowledge_version", Text, nullable=False),
    Column("until", Instant, nullable=False),
    Index("worker_until", "until"),
)

# Requests for a reload, to the workers of all machines that share the store.
reload_request = Table(
    "reload_request",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Index("reload_request_at", "at"),
)


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
    """A rule of a card, with the version and the level at which it applied."""

    id: str
    version: str
    level: str


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card and its trace. `state` is shown, suppressed or shadow."""

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
    client_hash: str = ""
    reasons: Sequence[tuple[str, str]] = ()
    suggestions: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """The answer of a clinician to one card. `digest` is the same for a repeated entry."""

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
    client_hash: str = ""


def members_of(row: CallRow | CardRow | FeedbackRow) -> dict[str, Any]:
    """The values of a row by column; not copied, because they never change."""
    return {column.name: getattr(row, column.name) for column in fields(row)}
