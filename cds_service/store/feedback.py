"""CDS Hooks "Feedback": makes rows from the entries, shortened, and stores each of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import orjson

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.answers import count_answers, take_turns
from cds_service.store.database import Store
from cds_service.store.insertion import insert_new
from cds_service.store.tables import FeedbackRow, members_of
from cds_service.wire.requests import Feedback, OverrideReason, Reason

LONGEST_COMMENT = 1000
LONGEST_NAME = 255  # of a code, a system, a display, an id
MOST_ACCEPTED = 50
_PATIENCE = 3.0  # seconds that storing feedback may take


def rows_of(
    entries: Iterable[Feedback],
    *,
    received_at: datetime,
    client: str | None = None,
    client_hash: str = "",
) -> Sequence[FeedbackRow]:
    """One row for each entry, in the same order."""
    return [_row(entry, received_at, client, client_hash) for entry in entries]


def keep_feedback(store: Store, rows: Sequence[FeedbackRow]) -> None:
    """Store feedback on disk before returning. Feedback that is stored already does not change.

    The first answer of a card's client counts for that card from now on.

    Raises StoreUnavailable (at once after a failure); the feedback may still have been stored.
    """
    if store.has_just_failed:
        raise StoreUnavailable

    def write() -> None:
        with store.writing() as connection:
            take_turns(connection)
            insert_new(connection, tables.feedback, [members_of(row) for row in rows])
            count_answers(connection, {row.card_uuid for row in rows})

    store.within(_PATIENCE, write)


def _row(
    entry: Feedback, received_at: datetime, client: str | None, client_hash: str
) -> FeedbackRow:
    override = entry.override_reason or OverrideReason()
    reason = override.reason or Reason(code="")
    accepted = [_cut(uuid) for uuid in entry.accepted_suggestions[:MOST_ACCEPTED]]
    return FeedbackRow(
        digest=_digest(entry, reason, client_hash),
        card_uuid=_cut(entry.card).lower(),
        outcome=entry.outcome,
        outcome_timestamp=entry.outcome_timestamp,
        received_at=received_at,
        reason_code=_cut(reason.code) or None,
        reason_system=_cut(reason.system or "") or None,
        reason_display=_cut(reason.display or "") or None,
        comment=_cut(override.user_comment or "", LONGEST_COMMENT) or None,
        accepted=accepted,
        client=client,
        client_hash=client_hash,
    )


def _digest(entry: Feedback, reason: Reason, client_hash: str) -> str:
    """A hash of what the entry says. Display and comment are left out: clients may change them."""
    deed = [
        client_hash,
        entry.card.lower(),
        entry.outcome,
        entry.outcome_timestamp.astimezone(UTC).isoformat(),
        reason.code,
        reason.system,
        list(entry.accepted_suggestions),
    ]
    return hashlib.sha256(orjson.dumps(deed)).hexdigest()


def _cut(text: str, longest: int = LONGEST_NAME) -> str:
    # PostgreSQL stores all characters except this one.
    return text.replace("\0", "")[:longest]
