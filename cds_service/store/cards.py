"""Cards in the store: their rows, and for each card its trace and its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Call, Card, Trace
from cds_service.store import tables
from cds_service.store.database import Store
from cds_service.store.pseudonyms import People
from cds_service.store.tables import CardRow, RuleRow

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")

SHOWN, SUPPRESSED, SHADOW = "shown", "suppressed", "shadow"

_card, _feedback = tables.card.c, tables.feedback.c
_PATIENCE = 3.0  # seconds that a request for a trace may wait
_MOST_FEEDBACK = 100


def card_rows(
    service: CDSService,
    knowledge_version: str,
    call: Call,
    answer: Answer,
    people: People,
    *,
    suppressed: Mapping[str, str],
    state: str = SHOWN,
    with_values: bool,
) -> Iterable[CardRow]:
    """One row for each card of an answer; `suppressed` gives the policy row by suppressed card.

    `state` is the state of the other cards; cards of shadow rules have the state shadow.
    """
    states = {card.uuid: SHADOW for card in answer.shadow}
    states |= {card.uuid: SUPPRESSED if card.uuid in suppressed else state for card in answer.cards}
    for card in (*answer.cards, *answer.shadow):
        row = suppressed.get(card.uuid)
        yield CardRow(
            uuid=card.uuid,
            at=call.now,
            service=service.id,
            knowledge_version=knowledge_version,
            patient_hash=people.patient,
            user_hash=people.user,
            encounter_hash=people.encounter,
            slot=card.slot,
            indicator=card.indicator,
            fingerprint=card.fingerprint,
            state=states[card.uuid],
            rules=[RuleRow(rule.id, rule.version, rule.level) for rule in card.traced],
            trace=_trace_json(card.trace or Trace((), {}), answer, with_values=with_values)
            | ({"fetches": dict(call.retrieved.fetches)} if call.retrieved.fetches else {})
            | ({"suppressedBy": row} if row else {}),
            client_hash=people.client,
            reasons=[(reason.system, reason.code) for reason in card.override_reasons],
            suggestions=_proposed(card),
        )


def _proposed(card: Card) -> Mapping[str, Sequence[str]] | None:
    """The requests that each suggestion proposes, by the uuid of the suggestion."""
    return {
        suggestion.uuid: [action.request for action in suggestion.actions]
        for suggestion in card.suggestions
    } or None


def _trace_json(trace: Trace, answer: Answer, *, with_values: bool) -> dict[str, Any]:
    members: dict[str, Any] = {
        "facts": {state: list(names) for state, names in trace.facts.items()},
        "nearMisses": {rule: list(names) for rule, names in answer.near_misses.items()},
    }
    return members | ({"values": dict(trace.values)} if with_values else {})


def trace_of(
    store: Store, uuid: str
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]] | None:
    """The row of a card and the answers of its client, oldest first; None for an unknown card.

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
                .where(_feedback.client_hash.is_not_distinct_from(card.client_hash))
                .order_by(_feedback.outcome_timestamp)
                .limit(_MOST_FEEDBACK)
            )
            return card._asdict(), [row._asdict() for row in feedback]

    return store.within(_PATIENCE, read)


def why(store: Store, uuid: str) -> dict[str, Any] | None:
    """Everything that is stored about a card, as JSON; None for an unknown card.

    Rules are named `service/rule`. It holds no comments and no hashes. Raises StoreUnavailable.
    """
    stored = trace_of(store, uuid.lower())
    if stored is None:
        return None
    card, feedback = stored
    service, trace = card["service"], dict(card["trace"])
    near_misses = {f"{service}/{id_}": names for id_, names in trace.pop("nearMisses", {}).items()}
    return {
        "card": card["uuid"],
        "at": card["at"].isoformat(),
        "service": service,
        "knowledge": card["knowledge_version"],
        "slot": card["slot"],
        "indicator": card["indicator"],
        "state": card["state"],
        "rules": [rule | {"id": f"{service}/{rule['id']}"} for rule in card["rules"]],
        "nearMisses": near_misses,
        **trace,
        "feedback": [_answer(row) for row in feedback],
    }


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    members = {
        "outcome": row["outcome"],
        "outcomeTimestamp": row["outcome_timestamp"].isoformat(),
        "reason": _reason(row["reason_code"]),
        "acceptedSuggestions": len(row["accepted"] or ()),
    }
    return {name: value for name, value in members.items() if value}


def _reason(code: str | None) -> str | None:
    """The reason if it looks like a code, else "other": it may be a sentence about a patient."""
    return code if code is None or _CODE.fullmatch(code) else "other"
