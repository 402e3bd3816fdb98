"""What the report counts, kept in a form that is counted fast: a million calls in no time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from cds_service.store.insertion import insert_into
from cds_service.store.tables import CallRow, CardRow, call_hour

_WARNS = frozenset({"warning", "critical"})
_COUNTS = ("answered", "refused", "silent", "cards")


def hour_of(moment: datetime) -> datetime:
    """When the hour of UTC began in which this aware time is."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def counted(row: CardRow) -> str:
    """The rules of a card that an answer to it is about, with their versions, as one text.

    A rule that warns and is told on a card for information has a card of its own, and counts there.
    """
    rules = [
        (rule.id, rule.version)
        for rule in row.rules
        if row.indicator in _WARNS or rule.level not in _WARNS
    ]
    return orjson.dumps(rules).decode()


def rules_of(text: str | None) -> list[tuple[str, str]]:
    """The rules in such a text, with their versions."""
    return [(rule, version) for rule, version in orjson.loads(text or "[]")]


def add_calls(connection: Connection, rows: Sequence[CallRow]) -> None:
    """Add calls to the sums of their hours. The order of rows is the same for every writer."""
    sums: dict[tuple[datetime, str, str], Counter[str]] = {}
    for row in rows:
        key = hour_of(row.at), row.hook, row.client or ""
        sums.setdefault(key, Counter()).update(_of_call(row))
    if sums:
        insert = insert_into(connection, call_hour)
        added = {name: call_hour.c[name] + insert.excluded[name] for name in _COUNTS}
        upsert = insert.on_conflict_do_update(index_elements=call_hour.primary_key, set_=added)
        connection.execute(upsert, list(_rows(sums)))


def _of_call(row: CallRow) -> dict[str, int]:
    is_answered = row.status == 200
    return {
        "answered": int(is_answered),
        "refused": int(not is_answered),
        "silent": int(is_answered and row.cards == 0),
        "cards": row.cards,
    }


def _rows(sums: dict[tuple[datetime, str, str], Counter[str]]) -> Iterable[dict[str, Any]]:
    for hour, hook, client in sorted(sums):
        counts = sums[hour, hook, client]
        key = {"hour": hour, "hook": hook, "client": client}
        yield key | {name: counts[name] for name in _COUNTS}
