"""Compares two answers to the same call: which cards appear, vanish or change, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.knowledge.call import Answer, Card

APPEARS, VANISHES, CHANGES = "appears", "vanishes", "changes"


@dataclass(frozen=True, slots=True)
class CardChange:
    """One card that differs between two answers; `before` or `after` is None if it is not there.

    `because` says why: by rule what it was and what it is, or which part of the card differs.
    """

    change: str
    slot: str
    before: Card | None
    after: Card | None
    because: tuple[str, ...]

    @property
    def was(self) -> str:
        """The indicator before; "none" without a card."""
        return self.before.indicator if self.before else "none"

    @property
    def becomes(self) -> str:
        """The indicator after; "none" without a card."""
        return self.after.indicator if self.after else "none"

    @property
    def summary(self) -> str:
        """What the newer of the two cards says."""
        card = self.after or self.before
        return card.summary if card else ""


def card_changes(
    before: Answer, after: Answer, versions: tuple[str, str] = ("", "")
) -> tuple[CardChange, ...]:
    """The cards that appear, vanish or change, by slot; none for equal answers.

    `versions` are those of the two contents, which every card names: they alone are no change.
    Cards are paired by slot: those with the same rules first, then those that share most.
    """
    slots = dict.fromkeys(card.slot for card in (*before.cards, *after.cards))
    return tuple(
        CardChange(_kind(old, new), slot, old, new, reasons)
        for slot in slots
        for old, new in _pairs(slot, before.cards, after.cards)
        if (reasons := tuple(_reasons(old, new, before, after, versions)))
    )


def _kind(old: Card | None, new: Card | None) -> str:
    if old is None:
        return APPEARS
    return VANISHES if new is None else CHANGES


def _pairs(
    slot: str, before: Sequence[Card], after: Sequence[Card]
) -> Iterable[tuple[Card | None, Card | None]]:
    old = [card for card in before if card.slot == slot]
    new = [card for card in after if card.slot == slot]
    shared = sorted(
        ((_overlap(one, other), i, j) for i, one in enumerate(old) for j, other in enumerate(new)),
        key=lambda entry: (-entry[0], entry[1], entry[2]),
    )
    left, right = dict(enumerate(old)), dict(enumerate(new))
    for _, i, j in shared:
        if i in left and j in right:
            yield left.pop(i), right.pop(j)
    yield from ((card, None) for card in left.values())
    yield from ((None, card) for card in right.values())


def _overlap(one: Card, other: Card) -> float:
    """How much of their rules two cards share, from 0 to 1."""
    either = {*one.rules, *other.rules}
    return len({*one.rules} & {*other.rules}) / len(either) if either else 1.0


def _reasons(
    old: Card | None, new: Card | None, before: Answer, after: Answer, versions: tuple[str, str]
) -> Iterable[str]:
    was, becomes = _levels(old), _levels(new)
    found = [
        f"{id_}: {_said(was.get(id_), id_, before)} -> {_said(becomes.get(id_), id_, after)}"
        for id_ in sorted(was.keys() | becomes.keys())
        if was.get(id_) != becomes.get(id_)
    ]
    if old is None or new is None:
        return found or ["no rule"]
    parts = {
        "indicator": (old.indicator, new.indicator),
        "summary": (old.summary, new.summary),
        "detail": (_without(old.detail, versions[0]), _without(new.detail, versions[1])),
        "source": (old.source, new.source),
        "suggestions": ([each.label for each in old.suggestions], _labels(new)),
        "override reasons": (old.override_reasons, new.override_reasons),
    }
    differ = [name for name, (one, other) in parts.items() if one != other]
    return [*found, *differ]


def _labels(card: Card) -> list[str]:
    return [each.label for each in card.suggestions]


def _without(detail: str, version: str) -> str:
    """The detail without the version of the content, which its last line names."""
    text, line, last = detail.rpartition("\n")
    return f"{text}{line}{last.replace(f' {version}', '')}" if version else detail


def _levels(card: Card | None) -> Mapping[str, str]:
    """The level of each rule of a card."""
    return {rule.id: rule.level for rule in (card.traced if card else ())}


def _said(level: str | None, id_: str, answer: Answer) -> str:
    if level is not None:
        return level
    if id_ in answer.applied:
        return "applies, not on this card"
    return "unknown" if id_ in answer.unknown else "does not apply"
