"""Two reviewers: kappa, predictive values and intervals, against examples done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import InvalidRequest
from cds_service.simulation.agreement import (
    EVERY_RULE,
    NOT_ASKED,
    QUESTIONS,
    Agreement,
    Row,
    compare,
    read,
)

COUNTS = st.integers(0, 200)


def _rows(answers: Sequence[bool | None], rules: Sequence[str] = ("s/R1 1.0.0",)) -> list[Row]:
    """A case for each answer, with one card that rests on the rules."""
    return [
        Row(case, 1, tuple(rules), dict.fromkeys(QUESTIONS) | {"appropriate": answer}, "")
        for case, answer in enumerate(answers, start=1)
    ]


def test_kappa_of_a_worked_example() -> None:
    """Fifty cards: both yes 20, only A 5, only B 10, both no 15.

    Equal answers: 35 of 50 = 0.70. A says yes to 25 of 50, B to 30 of 50, so that chance alone
    gives 0.5 * 0.6 + 0.5 * 0.4 = 0.50. Kappa is (0.70 - 0.50) / (1 - 0.50) = 0.40.
    """
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    review = compare(_rows(first), _rows(second))
    [found] = [each for each in review.agreements if each.question == "appropriate"]
    assert (found.both_yes, found.yes_no, found.no_yes, found.both_no) == (20, 5, 10, 15)
    assert found.kappa == pytest.approx(0.40)
    assert found.agreed is not None and found.agreed.share == pytest.approx(0.70)
    assert len(review.disagreements) == 15


def test_predictive_value_and_its_interval_of_a_worked_example() -> None:
    """Ten cards of a rule, of which both call eight right.

    Wilson, z = 1.96: middle (0.8 + 3.8415 / 20) / (1 + 0.38415) = 0.99207 / 1.38415 = 0.71674;
    half 1.96 * sqrt(0.8 * 0.2 / 10 + 3.8415 / 400) / 1.38415 = 1.96 * 0.16001 / 1.38415 = 0.22658.
    The interval is 0.4902 to 0.9433.
    """
    first = [True] * 9 + [False]
    second = [True] * 8 + [False, False]
    every, rule = compare(_rows(first), _rows(second)).predictive
    assert (every.rule, rule.rule) == (EVERY_RULE, "s/R1 1.0.0")
    for each in (every, rule):
        assert (each.cards, each.right, each.either) == (10, 8, 9)
        assert each.value is not None and each.value.share == 0.8
        assert each.value.low == pytest.approx(0.4902, abs=1e-4)
        assert each.value.high == pytest.approx(0.9433, abs=1e-4)


def test_a_card_of_several_rules_counts_for_each_of_them_once() -> None:
    rows = _rows([True], ["s/R1 1.0.0", "s/R2 1.0.0", "s/R1 1.0.0"])
    counts = {each.rule: each.cards for each in compare(rows, rows).predictive}
    assert counts == {EVERY_RULE: 1, "s/R1 1.0.0": 1, "s/R2 1.0.0": 1}


def test_where_both_say_the_same_always_chance_explains_everything() -> None:
    review = compare(_rows([True, True]), _rows([True, True]))
    assert review.agreements[0].kappa is None
    assert compare([], []).agreements[0].agreed is None


def test_an_answer_of_one_alone_counts_as_unanswered() -> None:
    review = compare(_rows([True, None]), _rows([None, None]))
    assert review.agreements[0].answered == 0 and review.predictive == []
    assert review.unanswered == 2 * 3  # three questions are asked of each card


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_kappa_lies_between_minus_one_and_one_and_knows_no_first_reviewer(
    both_yes: int, yes_no: int, no_yes: int, both_no: int
) -> None:
    kappa = Agreement("act", both_yes, yes_no, no_yes, both_no).kappa
    other = Agreement("act", both_no, no_yes, yes_no, both_yes).kappa
    if kappa is None or other is None:
        assert kappa is other
        assert not (yes_no and no_yes) and not (both_yes and both_no)
    else:
        assert -1 - 1e-9 <= kappa <= 1 + 1e-9
        assert kappa == pytest.approx(other)
        assert (kappa == pytest.approx(1)) is (yes_no == no_yes == 0)


@given(st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 2)))
def test_every_pair_of_answers_is_counted_once(
    pairs: list[tuple[bool | None, bool | None]],
) -> None:
    review = compare(_rows([one for one, _ in pairs]), _rows([other for _, other in pairs]))
    whole = [pair for pair in pairs if None not in pair]
    found = review.agreements[0]
    assert found.answered == len(whole)
    assert len(review.disagreements) == sum(one is not other for one, other in whole)
    right = {each.right for each in review.predictive}
    assert right == ({sum(map(all, whole))} if whole else set())


_HEAD = ",".join(("case", "card", "rules", *QUESTIONS, "comment"))


def _sheet(folder: Path, *lines: str, head: str = _HEAD) -> Path:
    path = folder / "sheet.csv"
    path.write_text("\n".join((head, *lines)), encoding="utf-8")
    return path


def test_a_sheet_is_read_as_people_fill_it_in(tmp_path: Path) -> None:
    path = _sheet(
        tmp_path,
        f"1,0,,{NOT_ASKED},Yes,{NOT_ASKED},{NOT_ASKED},",
        '1,1,"s/R1 1.0.0; s/R2 2.0.0", Y ,not asked,no,,"too long, and ""late"""',
    )
    whole, card = read(path)
    assert (whole.answers["missed"], whole.answers["act"]) == (True, None)
    assert card.rules == ("s/R1 1.0.0", "s/R2 2.0.0")
    assert card.answers == {"appropriate": True, "missed": None, "harm": False, "act": None}
    assert card.comment == 'too long, and "late"'
    text = path.read_text(encoding="utf-8")
    with_mark = "\ufeff" + text.splitlines()[0].replace(",", ";") + "\r\n1;0;;;yes;;;\r\n"
    path.write_text(with_mark, encoding="utf-8", newline="")
    assert [row.answers["missed"] for row in read(path)] == [True]


@pytest.mark.parametrize(
    "line, said",
    [
        ("1,1,s/R1,perhaps,,,,", "line 2, appropriate"),
        ("one,1,s/R1,yes,,,,", "line 2"),
        ("", None),
    ],
)
def test_a_wrong_answer_is_named_by_its_line(tmp_path: Path, line: str, said: str | None) -> None:
    path = _sheet(tmp_path, line)
    if said is None:
        assert read(path) == []
    else:
        with pytest.raises(InvalidRequest, match=said) as raised:
            read(path)
        assert "perhaps" not in str(raised.value)


def test_a_file_that_is_no_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="appropriate"):
        read(_sheet(tmp_path, head="case,card,rules"))
    (tmp_path / "sheet.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        read(tmp_path / "sheet.csv")


def test_sheets_of_other_cases_are_not_compared() -> None:
    with pytest.raises(InvalidRequest, match="same cases"):
        compare(_rows([True]), _rows([True, True]))
    with pytest.raises(InvalidRequest, match="same cases"):
        compare(_rows([True]), _rows([True], ["s/R2 1.0.0"]))
    with pytest.raises(InvalidRequest, match="twice"):
        compare(_rows([True]) * 2, _rows([True]))
