"""The answer that counts for a card: the first one from the client that received the card.

It is stored in the row of the card. All feedback is kept in its own table; an answer that is
repeated, comes from another client, or came before the card suppresses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select, text, update

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.database import Store

_card, _feedback = tables.card.c, tables.feedback.c
_HURRY = 0.25  # seconds that a call of a hook may wait
_LOCK = 5_284_113_067  # any number that nobody else in the database locks
_MOST = 500  # answers that are read; without older ones a card may only come back too early
_SKEW = timedelta(minutes=1)  # between the clocks of two machines
# Built once: building a query takes longer than running it.
_ANSWERS = (
    select(
        _card.slot,
        _card.fingerprint,
        _card.user_hash,
        _card.encounter_hash,
        _card.outcome,
        _card.reason_code,
        _card.answered_at,
        _card.accepted,
    )
    .where(_card.patient_hash == bindparam("patient_hash"))
    .where(_card.service == bindparam("service"))
    .where(_card.answered_at >= bindparam("since"))
    .order_by(_card.answered_at.desc())
    .limit(_MOST)
)
_FIRST_COME = (
    select(
        _card.uuid,
        _card.reasons,
        _card.suggestions,
        _feedback.accepted,
        _feedback.outcome,
        _feedback.reason_code,
        _feedback.reason_system,
        _feedback.outcome_timestamp,
        _feedback.received_at,
    )
    .join_from(
        tables.card,
        tables.feedback,
        and_(
            _feedback.card_uuid == _card.uuid,
            _feedback.client_hash == _card.client_hash,
            _feedback.received_at >= _card.at,
        ),
    )
    .where(_card.uuid.in_(bindparam("uuids", expanding=True)))
    .where(_card.state == "shown", _card.answered_at.is_(None))
    .order_by(_feedback.received_at, _feedback.outcome_timestamp, _feedback.digest)
)
_COUNT = (
    update(tables.card)
    .where(_card.uuid == bindparam("card_uuid"), _card.answered_at.is_(None))
    .values(
        answered_at=bindparam("counts_from"),
        outcome=bindparam("done"),
        reason_code=bindparam("reason"),
        accepted=bindparam("taken"),
    )
)
_SET_BACK = (
    update(tables.card)
    .where(_card.answered_at > bindparam("future"))
    .values(answered_at=bindparam("present"))
)

logger = logging.getLogger(__name__)


def answers_of(
    store: Store, *, patient_hash: str, service: str, since: datetime
) -> Sequence[Row[Any]]:
    """The answers since `since` that count for cards of one patient, newest first.

    Each has its slot, its fingerprint and who saw the card. Raises StoreUnavailable, within a
    fraction of a second.
    """
    wanted = {"patient_hash": patient_hash, "service": service, "since": since}
    if store.is_resting:
        raise StoreUnavailable

    def read() -> Sequence[Row[Any]]:
        with store.looking_up() as connection:
            return list(connection.execute(_ANSWERS, wanted))

    return store.within(_HURRY, read)


def take_turns(connection: Connection) -> None:
    """Store a card and an answer to it one after the other, until the transaction ends.

    At the same time neither would see the other, and the answer would not count. SQLite lets one
    write at a time by itself.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def count_answers(connection: Connection, uuids: Iterable[str]) -> None:
    """Store the answer that counts in each of these cards, if there is one and the card has none.

    Called after feedback and after cards are written: either may come first, because cards are
    written after the call.
    """
    first: dict[str, dict[str, Any]] = {}
    for row in connection.execute(_FIRST_COME, {"uuids": list(uuids)}):
        answer = {
            "card_uuid": row.uuid,
            # A client's clock may be ahead; that must not suppress a card for longer.
            "counts_from": min(row.outcome_timestamp, row.received_at),
            "done": row.outcome,
            "reason": row.reason_code if _was_offered(row) else None,
            "taken": _accepted(row),
        }
        first.setdefault(row.uuid, answer)
    if first:
        connection.execute(_COUNT, list(first.values()))


def set_back(connection: Connection, now: datetime) -> None:
    """Set answers from the future to now: our clock was ahead when they came."""
    times = {"future": now + _SKEW, "present": now}
    if count := connection.execute(_SET_BACK, times).rowcount:
        logger.warning(
            "the clock was set back: answers to %d cards had a future time, now set to this time",
            count,
        )


def _accepted(row: Any) -> list[str] | None:
    """What the accepted suggestions of the card proposed; None if none of its own was accepted."""
    proposed = row.suggestions or {}
    uuids = dict.fromkeys(uuid.lower() for uuid in row.accepted or ())
    return [request for uuid in uuids for request in proposed.get(uuid, ())] or None


def _was_offered(row: Any) -> bool:
    """Whether the card offered this reason; some clients send its code without the system."""
    return any(
        row.reason_code == code and row.reason_system in (None, system)
        for system, code in row.reasons or ()
    )
