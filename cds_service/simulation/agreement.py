"""What two reviewers answered: agreement, Cohen's kappa, and how often each rule was right."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cds_service.errors import InvalidRequest
from cds_service.report.figures import Rate, rate

# The columns with answers, and what each asks.
QUESTIONS = {
    "appropriate": "Is this card right for this patient?",
    "missed": "Did the cards miss something?",
    "harm": "Could the card do harm?",
    "act": "Would you act on it?",
}
ASKED_OF_CARDS = frozenset({"appropriate", "harm", "act"})
ASKED_OF_CASES = frozenset({"missed"})
NOT_ASKED = "not asked"
EVERY_RULE = "every card"
_ANSWERS = {"yes": True, "y": True, "1": True, "no": False, "n": False, "0": False}
_LARGEST = 16 * 1024 * 1024  # bytes of a file


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet; card 0 is the case as a whole. An answer that is not given is None."""

    case: int
    card: int
    rules: tuple[str, ...]
    answers: Mapping[str, bool | None]
    comment: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two reviewers answered one question where both did, in the four fields of the table.

    `kappa` is Cohen's (1960): None without answers, and where chance alone would agree always.
    """

    question: str
    both_yes: int
    yes_no: int
    no_yes: int
    both_no: int

    @property
    def answered(self) -> int:
        """How many rows both have answered."""
        return self.both_yes + self.yes_no + self.no_yes + self.both_no

    @property
    def agreed(self) -> Rate | None:
        """The share of equal answers, with Wilson's interval."""
        return rate(self.both_yes + self.both_no, self.answered)

    @property
    def kappa(self) -> float | None:
        """How much of the agreement is beyond chance: 1 is all, 0 is none."""
        whole = self.answered
        if not whole:
            return None
        observed = (self.both_yes + self.both_no) / whole
        first, second = self.both_yes + self.yes_no, self.both_yes + self.no_yes
        # In whole numbers, so that agreement by chance alone is exactly 1.
        by_chance = first * second + (whole - first) * (whole - second)
        if by_chance == whole * whole:
            return None
        chance = by_chance / (whole * whole)
        return (observed - chance) / (1 - chance)


@dataclass(frozen=True, slots=True)
class Predictive:
    """How many of the cards that rest on a rule were right: both reviewers said so.

    `either` counts the cards of which at least one said so.
    """

    rule: str
    cards: int
    right: int
    either: int

    @property
    def value(self) -> Rate | None:
        """The positive predictive value, with Wilson's interval."""
        return rate(self.right, self.cards)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row with different answers, to talk about."""

    case: int
    card: int
    question: str
    first: str
    second: str
    rules: tuple[str, ...]
    comments: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Review:
    """Two sheets compared. `unanswered` counts the answers that one or both have not given."""

    agreements: Sequence[Agreement]
    predictive: Sequence[Predictive]
    disagreements: Sequence[Disagreement]
    unanswered: int


def read(path: Path) -> list[Row]:
    """The rows of a sheet. Raises InvalidRequest for one that is not as it was given out."""
    if path.stat().st_size > _LARGEST:
        raise InvalidRequest(f"{path.name} is too large for a sheet")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path.name} is not text in UTF-8") from error
    separator = ";" if text.partition("\n")[0].count(";") > 4 else ","  # as some spreadsheets do
    reader = csv.DictReader(text.splitlines(keepends=True), delimiter=separator)
    missing = {"case", "card", "rules", *QUESTIONS} - set(reader.fieldnames or ())
    if missing:
        raise InvalidRequest(f"{path.name} lacks the columns {', '.join(sorted(missing))}")
    return [_row(values, f"{path.name}, line {reader.line_num}") for values in reader]


def compare(first: Sequence[Row], second: Sequence[Row]) -> Review:
    """Two sheets of the same cases. Raises InvalidRequest if they have other rows."""
    others = {(row.case, row.card): row for row in second}
    ours = {(row.case, row.card): row for row in first}
    if len(ours) < len(first) or len(others) < len(second):
        raise InvalidRequest("a case and card come twice in one sheet")
    if {key: row.rules for key, row in ours.items()} != {
        key: row.rules for key, row in others.items()
    }:
        raise InvalidRequest("the two sheets are not of the same cases and cards")
    pairs = [(row, others[key]) for key, row in sorted(ours.items())]
    return Review(
        agreements=[_agreement(question, pairs) for question in QUESTIONS],
        predictive=_predictive(pairs),
        disagreements=list(_disagreements(pairs)),
        unanswered=sum(
            _both(question, pair) is None for pair in pairs for question in _asked(pair[0])
        ),
    )


_Pair = tuple[Row, Row]


def _asked(row: Row) -> Iterable[str]:
    asked = ASKED_OF_CARDS if row.card else ASKED_OF_CASES
    return (question for question in QUESTIONS if question in asked)


def _row(values: Mapping[str, str | None], place: str) -> Row:
    try:
        case, card = int(values["case"] or ""), int(values["card"] or "")
    except ValueError:
        raise InvalidRequest(f"{place}: case and card are numbers") from None
    rules = [rule.strip() for rule in (values["rules"] or "").split(";")]
    return Row(
        case,
        card,
        tuple(filter(None, rules)),
        {question: _answer(values[question], f"{place}, {question}") for question in QUESTIONS},
        (values.get("comment") or "").strip(),
    )


def _answer(text: str | None, place: str) -> bool | None:
    word = (text or "").strip().lower()
    if word in ("", NOT_ASKED):
        return None
    if word not in _ANSWERS:
        raise InvalidRequest(f"{place}: answer yes or no, or leave it empty")
    return _ANSWERS[word]


def _both(question: str, pair: _Pair) -> tuple[bool, bool] | None:
    """What both answered; None if one or both did not."""
    first, second = (row.answers[question] for row in pair)
    return None if first is None or second is None else (first, second)


def _agreement(question: str, pairs: Iterable[_Pair]) -> Agreement:
    counts = Counter(_both(question, pair) for pair in pairs if question in _asked(pair[0]))
    return Agreement(
        question,
        both_yes=counts[True, True],
        yes_no=counts[True, False],
        no_yes=counts[False, True],
        both_no=counts[False, False],
    )


def _predictive(pairs: Iterable[_Pair]) -> list[Predictive]:
    """Every card first, then each rule, the one with most cards first."""
    counts: dict[str, list[int]] = {}
    for pair in pairs:
        row, answers = pair[0], _both("appropriate", pair)
        if row.card and answers is not None:
            for rule in (EVERY_RULE, *dict.fromkeys(row.rules)):
                count = counts.setdefault(rule, [0, 0, 0])
                count[0] += 1
                count[1] += all(answers)
                count[2] += any(answers)
    found = [Predictive(rule, *count) for rule, count in counts.items()]
    return sorted(found, key=lambda each: (each.rule != EVERY_RULE, -each.cards, each.rule))


def _disagreements(pairs: Iterable[_Pair]) -> Iterable[Disagreement]:
    for one, other in pairs:
        for question in _asked(one):
            answers = _both(question, (one, other))
            if answers is not None and answers[0] is not answers[1]:
                first, second = ("yes" if answer else "no" for answer in answers)
                comments = (one.comment, other.comment)
                yield Disagreement(one.case, one.card, question, first, second, one.rules, comments)
