"""The tables of the store. No column holds a name, a value or an id of a record."""

from __future__ import annotations

from datetime import UTC, datetime

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
    """An aware time, kept in UTC; SQLite itself has no zones."""

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


# The audit: one row a call, only ever added to.
call = Table(
    "call",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
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

# Tokens that may not come a second time. `key` is a hash of issuer and jti.
used_token = Table(
    "used_token",
    metadata,
    Column("key", Text, primary_key=True),
    Column("until", Instant, nullable=False),
    Index("used_token_until", "until"),
)

# Every card that was shown, suppressed, or would have been shown (shadow), and why.
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
    Index("card_patient_slot", "patient_hash", "slot"),
    Index("card_at", "at"),
)

card_rule = Table(
    "card_rule",
    metadata,
    Column("card_uuid", Text, ForeignKey("card.uuid", ondelete="CASCADE"), primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("level", Text, nullable=False),
    Index("card_rule_rule", "rule", "version"),
)

# What clinicians did. No foreign key: feedback on a card that is not known is kept as well, and a
# join tells it. `digest` is a hash of the entry, so that a repeated entry is stored once.
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
    Index("feedback_card_uuid", "card_uuid"),
    Index("feedback_received_at", "received_at"),
)
