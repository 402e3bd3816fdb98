"""What the store remembers: what was done with a patient's cards, and why a card was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select

from cds_service.errors import StoreUnavailable
from cds_service.store import tables
from cds_service.store.database import Store

_card, _feedback = tables.card.c, tables.feedback.c
_HURRY = 0.25  # seconds that a hook call may wait
_PATIENCE = 3.0  # seconds that somebody who asks for a trace may wait
# Made once: to put a query together takes longer than to answer it.
_ANSWERS = (
    select(
        _card.slot,
        _card.fingerprint,
        _card.user_hash,
        _card.encounter_hash,
        _feedback.outcome,
        _feedback.reason_code,
        _feedback.outcome_timestamp,
        _feedback.received_at,
    )
    .join_from(tables.card, tables.feedback, _card.uuid == _feedback.card_uuid)
    .where(_card.patient_hash == bindparam("patient_hash"))
    .where(_card.service == bindparam("service"))
    .where(_feedback.received_at >= bindparam("since"))
)


def answers_of(
    store: Store, *, patient_hash: str, service: str, since: datetime
) -> Sequence[Row[Any]]:
    """Feedback since then on cards of one patient, with slot, fingerprint and who saw the card.

    Raises StoreUnavailable, within a fraction of a second.
    """
    wanted = {"patient_hash": patient_hash, "service": service, "since": since}
    if store.is_resting:
        raise StoreUnavailable

    def read() -> Sequence[Row[Any]]:
        with store.reading() as connection:
            return list(connection.execute(_ANSWERS, wanted))

    return store.within(_HURRY, read)


def trace_of(
    store: Store, uuid: str
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]] | None:
    """The row of a card and the feedback on it, oldest first; None for a card that is not known.

    Raises StoreUnavailable.
    """

    def read() -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]] | None:
        with store.reading() as connection:
            card = connection.execute(select(tables.card).where(_card.uuid == uuid)).one_or_none()
            if card is None:
                return None
            feedback = connection.execute(
                select(tables.feedback)
                .where(_feedback.card_uuid == uuid)
                .order_by(_feedback.outcome_timestamp)
            )
            return card._asdict(), [each._asdict() for each in feedback]

    return store.within(_PATIENCE, read)
