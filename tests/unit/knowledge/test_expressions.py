"""Conditions: what is allowed, what is refused and how, and that they mean what FHIRPath means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fhirpathpy
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cds_service.knowledge.expressions.expressions import (
    BOOLEAN,
    NUMBER,
    TEXT,
    TEXTS,
    ExpressionError,
    compile_expression,
)

TYPES = {
    "a.value": BOOLEAN,
    "b.value": BOOLEAN,
    "age.value": NUMBER,
    "drug.value": BOOLEAN,
    "drug.names": TEXTS,
    "drug.days": NUMBER,
    "drug.state": TEXT,
}


def message(text: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, TYPES)
    return str(caught.value)


def test_an_expression_tells_its_names_its_type_and_its_text() -> None:
    text = "%a and (%drug.days > 3 or %a.not() or %drug)"
    expression = compile_expression(text, TYPES)
    assert expression.names == ("a.value", "drug.days", "drug.value")
    assert (expression.type, expression.text) == (BOOLEAN, text)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        *(("%age", NUMBER), ("%drug.names", TEXTS), ("%drug.state", TEXT), ("%a", BOOLEAN)),
        *(("%age + 1", NUMBER), ("%drug.names.exists()", BOOLEAN), ("'a b'", TEXT)),
        *(("-1", NUMBER), ("%age > -1.5", BOOLEAN), ("true", BOOLEAN), ("((%a))", BOOLEAN)),
        ("%drug.state in ('in (a)' | 'b')", BOOLEAN),
    ],
)
def test_an_expression_has_a_type(text: str, type_: str) -> None:
    assert compile_expression(text, TYPES).type == type_


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not %a", "column 1: expected a fact, a value or (, found not"),
        ("%a and not %b", "column 8: expected a fact, a value or (, found not"),
        ("%nope", "no fact named nope"),
        ("%nope.value > 3", "no fact named nope"),
        ("%a.nope", "fact a has no member nope; it has value"),
        ("%drug.nope", "fact drug has no member nope; it has days, names, state, value"),
        ("%a.not", "fact a has no member not; it has value"),
        ("%a and %age", "`and` needs a true/false here, not a number"),
        ("%age or %a", "`or` needs a true/false here, not a number"),
        ("%age < 'old'", "`<` needs a number here, not a text"),
        ("%a >= %b", "`>=` needs a number here, not a true/false"),
        ("%a = 1", "`=` needs a true/false here, not a number"),
        ("%drug.state + 1", "`+` needs a number here, not a text"),
        ("%age < 3 < 4", "`<` needs a number here, not a true/false"),
        ("%age.not()", "not() needs a true/false, not a number"),
        ("%a in ('x')", "`in` needs a text, not a true/false"),
        ("%drug.state in 'x'", "column 16: expected (, found 'x'"),
        ("%drug.state in ('x' | 1)", "column 23: expected a text in quotes, found 1"),
        ("%a.empty()", "column 4: expected not() or exists(), found empty"),
        ("%a.where(%b)", "column 4: expected not() or exists(), found where"),
        ("%drug.names.count() > 1", "column 13: expected not() or exists(), found count"),
        ("today()", "column 1: expected a fact, a value or (, found today"),
        ("Patient.name", "column 1: expected a fact, a value or (, found Patient"),
        ("%a.exists(true)", "column 11: expected ), found true"),
        ("%a.", "column 4: expected not() or exists(), found the end"),
        ("%a)", "column 3: expected an operator or the end, found )"),
        ("(%a", "column 4: expected ), found the end"),
        ("%a %b", "column 4: expected an operator or the end, found %b"),
        ("%a and", "column 7: expected a fact, a value or (, found the end"),
        ("and %a", "column 1: expected a fact, a value or (, found and"),
        ("%a and or %b", "column 8: expected a fact, a value or (, found or"),
        ("%a xor", "column 7: expected a fact, a value or (, found the end"),
        ("-%age < 1", "column 1: expected a fact, a value or (, found -"),
        ("%age mod 2 = 1", "column 6: expected an operator or the end, found mod"),
        ("%a is Boolean", "column 4: expected an operator or the end, found is"),
        ("%age < 1 'mg'", "column 10: expected an operator or the end, found 'mg'"),
        ("%a[0]", "column 3: [0] is not allowed"),
        ("%age ~ 1", "column 6: ~ 1 is not allowed"),
        ('%drug.state = "ok"', 'column 15: "ok" is not allowed'),
        ("%drug.state = 'it\\'s'", "column 15: 'it\\'s' is not allowed"),
        ("%drug.state = 'open", "column 15: 'open is not allowed"),
        ("%", "column 1: % is not allowed"),
        ("{}", "column 1: {} is not allowed"),
        ("@2024 < %age", "column 1: @2024 < %age is not allowed"),
        ("", "column 1: expected a fact, a value or (, found the end"),
        (" ", "column 2: expected a fact, a value or (, found the end"),
        ("()", "column 2: expected a fact, a value or (, found )"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    assert message(text) == said


@given(st.text(alphabet="%ab.()'|=<>-+*/ andornotexistsin0123456789", max_size=25))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        compiled = compile_expression(text, TYPES)
    except ExpressionError as error:
        assert str(error)
    else:
        assert compiled.type in (BOOLEAN, NUMBER, TEXT, TEXTS)


# -- the same meaning as the FHIRPath library --------------------------------------------------

FACTS: dict[str, dict[str, str]] = {
    "p": {"value": BOOLEAN},
    "q": {"value": BOOLEAN},
    "n": {"value": NUMBER},
    "t": {"value": TEXT},
    "m": {"flag": BOOLEAN, "days": NUMBER, "state": TEXT, "names": TEXTS},
}
RANDOM_TYPES = {
    f"{name}.{member}": kind for name, members in FACTS.items() for member, kind in members.items()
}
LETTERS = ("a", "b", "not ok")
# Quarters are exact in both binary and decimal numbers.
QUARTERS = st.integers(-20, 20).map(lambda number: number / 4)


def names(kind: str) -> st.SearchStrategy[str]:
    paths = [path for path, type_ in RANDOM_TYPES.items() if type_ == kind]
    return st.sampled_from([f"%{path.removesuffix('.value')}" for path in paths])


def infix(left: st.SearchStrategy[str], words: str, right: st.SearchStrategy[str]) -> Any:
    return st.tuples(left, st.sampled_from(words.split()), right).map(" ".join)


def either(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """With and without parentheses, so that the order of operators is tried as well."""
    return below | below.map(lambda text: f"({text})")


TEXT_EXPRESSIONS = names(TEXT) | st.sampled_from([f"'{letter}'" for letter in LETTERS])
ATOMIC_NUMBERS = names(NUMBER) | QUARTERS.map(str)
DIVISORS = st.sampled_from(["0", "2", "4", "0.5", "-2"])
NUMBERS = st.recursive(
    ATOMIC_NUMBERS,
    lambda below: (
        infix(either(below), "+ - *", ATOMIC_NUMBERS)
        | infix(ATOMIC_NUMBERS, "+ -", either(below))
        | infix(either(below), "/", DIVISORS)
    ),
    max_leaves=4,
)
LETTER_LISTS = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3)
MEMBERSHIP = st.tuples(
    TEXT_EXPRESSIONS, LETTER_LISTS.map(lambda letters: " | ".join(f"'{each}'" for each in letters))
).map(lambda pair: f"{pair[0]} in ({pair[1]})")
COMPARISONS = (
    infix(NUMBERS, "< <= > >= = !=", NUMBERS)
    | infix(TEXT_EXPRESSIONS, "= !=", TEXT_EXPRESSIONS)
    | MEMBERSHIP
    | (names(NUMBER) | names(TEXT) | names(TEXTS) | names(BOOLEAN)).map("{}.exists()".format)
)
CONDITIONS = st.recursive(
    names(BOOLEAN) | st.sampled_from(["true", "false"]) | COMPARISONS,
    lambda below: (
        infix(either(below), "and or xor implies", either(below))
        | below.map("({}).not()".format)
        | infix(below.map("({})".format), "= !=", below.map("({})".format))
        | infix(below.map("({})".format), "and or xor implies", COMPARISONS)
    ),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    BOOLEAN: st.sampled_from([True, False, None]),
    NUMBER: QUARTERS | st.none(),
    TEXT: st.sampled_from([*LETTERS, None]),
    TEXTS: st.lists(st.sampled_from(LETTERS), max_size=2),
}
PATIENTS = st.fixed_dictionaries({path: VALUES[kind] for path, kind in RANDOM_TYPES.items()})


@dataclass
class _Fact:
    value: Any = None
    flag: Any = None
    days: Any = None
    state: Any = None
    names: Any = ()


def _as_fact(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def by_us(text: str, patient: dict[str, Any]) -> object:
    facts = {
        name: _Fact(**{member: _as_fact(patient[f"{name}.{member}"]) for member in members})
        for name, members in FACTS.items()
    }
    return compile_expression(text, RANDOM_TYPES).evaluate(facts)


def by_the_library(text: str, patient: dict[str, Any]) -> object:
    # The library takes no member of a variable that is a plain object: each is a variable here.
    variables = {
        path.removesuffix(".value").replace(".", "_"): [] if value is None else value
        for path, value in patient.items()
    }
    found = fhirpathpy.evaluate({}, text.replace("%m.", "%m_"), variables)
    assert len(found) <= 1
    return found[0] if found else None


@settings(max_examples=600)
@given(text=CONDITIONS, patient=PATIENTS)
def test_a_condition_means_what_the_fhirpath_library_says(
    text: str, patient: dict[str, Any]
) -> None:
    ours = by_us(text, patient)
    event(str(ours))
    assert ours is by_the_library(text, patient)


@settings(max_examples=300)
@given(text=NUMBERS, patient=PATIENTS)
def test_a_calculation_gives_what_the_fhirpath_library_gives(
    text: str, patient: dict[str, Any]
) -> None:
    theirs = by_the_library(text, patient)
    assert by_us(text, patient) == (None if theirs is None else float(theirs))  # type: ignore[arg-type]
