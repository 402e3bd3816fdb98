"""Whether the rows of `suppression` fit the slots and rules of their service."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cds_service.knowledge.content.artifacts import Slot
from cds_service.knowledge.content.service import Service


def check_suppression(service: Service, add: Callable[[str, str], None]) -> None:
    """Note rows that name something unknown, or that no answer of a clinician could fulfil."""
    slots = {slot.id: slot for slot in service.slots}
    rules = {rule.id for rule in service.rules}
    for row in service.suppression:
        key = f"suppression.{row.id}"
        if "critical" in row.indicators and not row.keeps_critical_cards_in_sight:
            add(
                key,
                "a critical card may only become a line, for a day at most, for the user who"
                " answered it: set leaves, same: [user], identified: true and within of 24 hours"
                " or less",
            )
        for name in (*sorted({*row.slots} - slots.keys()), *sorted({*(row.rules or ())} - rules)):
            add(key, f"there is no {name}")
        offered = {
            code
            for slot in map(slots.get, row.slots)
            if slot is not None
            for code in _offered(slot, row.indicators)
        }
        for code in row.reasons or ():
            if code not in offered:
                add(key, f"no card of this row offers the override reason {code}")
    for slot in service.slots:
        for code, only in slot.only_with.items():
            if not {*only} <= rules:
                add(
                    f"slots.{slot.id}.only_with.{code}", f"there is no {sorted({*only} - rules)[0]}"
                )


def _offered(slot: Slot, indicators: Iterable[str]) -> Iterable[str]:
    for indicator in indicators:
        yield from (reason.code for reason in slot.override_reasons.get(indicator, ()))
