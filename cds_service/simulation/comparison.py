"""Compares the cards of an older content with those of a newer one, for the same opening."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.knowledge.call import Answer, Card

APPEARS, VANISHES, CHANGES = "appears", "vanishes", "changes"


def changes(service: str, before: Answer, after: Answer) -> list[dict[str, Any]]:
    """The cards that appear, vanish or change, each with the reasons; none for equal cards.

    Cards are paired by slot: first those with the same rules, then the others in their order.
    """
    pairs: list[tuple[Card | None, Card | None]] = []
    for slot in sorted({card.slot for card in (*before.cards, *after.cards)}):
        pairs += _paired(
            [card for card in before.cards if card.slot == slot],
            [card for card in after.cards if card.slot == slot],
        )
    return [
        {
            "service": service,
            "slot": (new or old).slot,  # type: ignore[union-attr]
            "change": VANISHES if new is None else APPEARS if old is None else CHANGES,
            "was": old.indicator if old else "none",
            "becomes": new.indicator if new else "none",
            "because": reasons,
        }
        for old, new in pairs
        if (reasons := _reasons(old, new, before, after))
    ]


def _paired(
    before: Sequence[Card], after: Sequence[Card]
) -> Iterable[tuple[Card | None, Card | None]]:
    left = list(before)
    without: list[Card] = []
    for card in after:
        same = next((old for old in left if set(old.rules) == set(card.rules)), None)
        if same is None:
            without.append(card)
        else:
            left.remove(same)
            yield same, card
    for number in range(max(len(left), len(without))):
        yield (
            left[number] if number < len(left) else None,
            without[number] if number < len(without) else None,
        )


def _reasons(old: Card | None, new: Card | None, before: Answer, after: Answer) -> list[str]:
    """Why two cards differ: by rule what it was and what it is, or that only words differ."""
    was, becomes = _levels(old), _levels(new)
    reasons = [
        f"{id_}: {_said(was.get(id_), id_, before)} -> {_said(becomes.get(id_), id_, after)}"
        for id_ in sorted(was.keys() | becomes.keys())
        if _level(was.get(id_)) != _level(becomes.get(id_))
    ]
    if reasons or old is None or new is None:
        return reasons or ["no rule"]
    if old.indicator != new.indicator:
        return ["indicator"]
    if (old.summary, old.detail) == (new.summary, new.detail):
        return []
    versions = [
        f"{id_}: {was[id_][1]} -> {becomes[id_][1]}"
        for id_ in sorted(was)
        if was[id_] != becomes[id_]
    ]
    return [f"words ({', '.join(versions)})" if versions else "words"]


def _levels(card: Card | None) -> Mapping[str, tuple[str, str]]:
    """The level and version of each rule of a card."""
    rules = card.trace.rules if card and card.trace else ()
    return {rule.id: (rule.level, rule.version) for rule in rules}


def _level(rule: tuple[str, str] | None) -> str | None:
    return rule and rule[0]


def _said(rule: tuple[str, str] | None, id_: str, answer: Answer) -> str:
    if rule is not None:
        return f"{rule[0]} ({rule[1]})"
    if id_ in answer.applied:
        return "applies, not on this card"
    return "unknown" if id_ in answer.unknown else "does not apply"
