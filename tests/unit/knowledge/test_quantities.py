"""Numbers with their units: converted where the table says so, never guessed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cds_service.knowledge.record.quantities import Conversion, Interval, Quantity, is_written
from cds_service.knowledge.record.units import Units

UCUM = "http://unitsofmeasure.org"
UNITS = Units(
    {
        "o2": "",
        "mval": "meq",
        "per": "/",
        "points": "",
        "score": "",
        "f": "degf",
        "beats": "",
        "bpm": "/min",
    }
)
POTASSIUM = Quantity(
    unit="mmol/L",
    plausible=(1.0, 10.0),
    conversions={"meq/l": Conversion(1.0), "mg/dl": Conversion(0.2558)},
    units=UNITS,
)
TEMPERATURE = Quantity("Cel", (25.0, 45.0), {"degf": Conversion(5 / 9, -160 / 9)}, UNITS)
SCORE = Quantity("{score}", (0.0, 21.0), {}, UNITS, unitless=True)


def quantity(value: Any, code: str | None = "mmol/L", **members: Any) -> dict[str, Any]:
    coded = {"code": code, "system": UCUM} if code else {}
    return {"valueQuantity": {"value": value, **coded, **members}}


def test_a_value_in_our_unit_is_taken_as_it_is() -> None:
    assert POTASSIUM.read(quantity(3.5)) == 3.5


@pytest.mark.parametrize(
    ("value", "unit", "ours"),
    [(3.5, "meq/L", 3.5), (16, "mg/dL", 4.0928), (3.5, "mmol/l", 3.5), (3.5, "mEq/L", 3.5)],
)
def test_a_known_unit_or_spelling_is_converted(value: float, unit: str, ours: float) -> None:
    assert POTASSIUM.read(quantity(value, unit)) == ours


@pytest.mark.parametrize(("fahrenheit", "celsius"), [(98.6, 37.0), (100.4, 38.0), (104, 40.0)])
def test_a_conversion_with_an_offset_lands_on_the_threshold(
    fahrenheit: float, celsius: float
) -> None:
    assert TEMPERATURE.read(quantity(fahrenheit, "[degF]")) == celsius


@pytest.mark.parametrize("unit", ["ug/L", "mmol", "%", "1", "{a}", "mmol/L/h"])
def test_an_unknown_unit_is_unreadable(unit: str) -> None:
    assert POTASSIUM.read(quantity(4, unit)) is None


def test_no_unit_is_unreadable_but_for_scores() -> None:
    assert POTASSIUM.read(quantity(4, None)) is None
    assert SCORE.read(quantity(4, None)) == 4.0


def test_a_written_unit_counts_where_there_is_no_code() -> None:
    assert POTASSIUM.read({"valueQuantity": {"value": 4, "unit": " mmol/L "}}) == 4.0


def test_the_code_binds_when_it_is_ucum() -> None:
    assert POTASSIUM.read(quantity(4, "ug/L", unit="mmol/L")) is None


def test_a_code_of_another_system_leaves_the_written_unit_to_count() -> None:
    local = quantity(4, "258813002", system="http://snomed.info/sct", unit="mmol/L")
    assert POTASSIUM.read(local) == 4.0


def test_ucum_by_its_oid_is_ucum() -> None:
    assert POTASSIUM.read(quantity(4, system="urn:oid:2.16.840.1.113883.6.8")) == 4.0


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_unit_is_no_unit(blank: str) -> None:
    assert POTASSIUM.read({"valueQuantity": {"value": 4, "unit": blank}}) is None
    assert POTASSIUM.read(quantity(4, blank)) is None


@pytest.mark.parametrize(
    ("comparator", "low", "high"),
    [
        ("<", -math.inf, math.nextafter(4.0, 0)),
        ("<=", -math.inf, 4.0),
        (">", math.nextafter(4.0, 5), math.inf),
        (">=", 4.0, math.inf),
    ],
)
def test_a_comparator_gives_an_interval(comparator: str, low: float, high: float) -> None:
    assert POTASSIUM.read(quantity(4, comparator=comparator)) == Interval(low, high)


@pytest.mark.parametrize("comparator", ["ad", "=", "~", "", 1, []])
def test_an_unknown_comparator_is_unreadable(comparator: object) -> None:
    assert POTASSIUM.read(quantity(4, comparator=comparator)) is None


def test_an_interval_is_converted_at_both_ends() -> None:
    found = POTASSIUM.read(quantity(10, "mg/dL", comparator=">="))
    assert found == Interval(pytest.approx(2.558), math.inf)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "four", "", "4 to 5", "2,300", "1.234,5", "4-5", [], {}, [4]),
        *(math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e308),
    ],
)
def test_what_is_no_finite_number_is_unreadable(value: object) -> None:
    assert POTASSIUM.read(quantity(value)) is None
    assert SCORE.read({"valueInteger": value}) is None


@pytest.mark.parametrize(
    ("value", "is_read"),
    [(1, True), (0.99, False), (10, True), (10.01, False), (0, False), (-4, False)],
)
def test_beyond_the_plausible_range_a_value_is_unreadable(value: float, is_read: bool) -> None:
    assert (POTASSIUM.read(quantity(value)) is not None) is is_read


@pytest.mark.parametrize(("comparator", "value"), [(">", 11), ("<", 0.5), (">=", 10.5)])
def test_an_implausible_bound_is_unreadable(comparator: str, value: float) -> None:
    assert POTASSIUM.read(quantity(value, comparator=comparator)) is None


@pytest.mark.parametrize(("value", "read"), [(0, 0.0), (21, 21.0), (22, None), (-1, None)])
def test_an_integer_is_read_where_the_quantity_has_no_unit(value: int, read: float | None) -> None:
    assert SCORE.read({"valueInteger": value}) == read


def test_an_integer_is_unreadable_where_a_unit_is_wanted() -> None:
    assert POTASSIUM.read({"valueInteger": 4}) is None


@pytest.mark.parametrize(
    "element",
    [{}, {"valueString": "4"}, {"valueQuantity": None}, {"valueQuantity": []}, {"value": 4}],
)
def test_an_element_without_a_quantity_is_unreadable(element: dict[str, Any]) -> None:
    assert POTASSIUM.read(element) is None


def test_the_ends_of_a_reference_range_are_converted() -> None:
    assert POTASSIUM.read_bound({"value": 14, "code": "mg/dL", "system": UCUM}) == 3.5812


@pytest.mark.parametrize(
    "bound",
    [None, [], "3.5", {}, {"value": 3.5}, {"value": "3.5", "code": "mmol/L"}, {"code": "mmol/L"}],
)
def test_an_end_that_cannot_be_read_is_none(bound: object) -> None:
    assert POTASSIUM.read_bound(bound) is None


@pytest.mark.parametrize(
    ("unit", "folded"),
    [
        *(("mmol/L", "mmol/l"), ("MMOL/L", "mmol/l"), ("mmol / l", "mmol/l"), ("mval/l", "meq/l")),
        *(("m[IU]/L", "mu/l"), ("mIU/L", "mu/l"), ("mU/L", "mu/l"), ("mUI/l", "mu/l")),
        *(("u[IU]/mL", "uu/ml"), ("\u00b5IU/mL", "uu/ml"), ("mcIU/mL", "uu/ml")),
        *(
            ("[iU]/L", "u/l"),
            ("IE/l", "u/l"),
            ("U/L", "u/l"),
            ("mcg/L", "ug/l"),
            ("\u03bcg/l", "ug/l"),
        ),
        *(("%{Hb}", "%"), ("{beats}/min", "/min"), ("1/min", "/min"), ("beats per min", "/min")),
        *(("mg/100mL", "mg/dl"), ("mg/100 mL", "mg/dl"), ("mg%", "mg/dl"), ("g%", "g/dl")),
        *(("mL/min/{1.73_m2}", "ml/min/173m2"), ("ml/min/1,73m\u00b2", "ml/min/173m2")),
        *(("mL/min/1.73.m2", "ml/min/173m2"), ("mL/min/1.73m^2", "ml/min/173m2")),
        *(("mm[Hg]", "mmhg"), ("mm Hg", "mmhg"), ("\u00b0F", "degf"), ("[degF]", "degf")),
        *(("{Score}", ""), ("{points}", ""), ("score", ""), ("1", "1"), ("x" * 99, "x" * 99)),
    ],
)
def test_a_unit_is_folded_by_rule(unit: str, folded: str) -> None:
    assert UNITS.fold(unit) == folded


@pytest.mark.parametrize("unit", ["1", "{score}", "{Points}", "points", "{a}", "", "score"])
def test_a_score_counts_nothing(unit: str) -> None:
    assert SCORE.read(quantity(18, unit)) == 18.0
    assert SCORE.read({"valueQuantity": {"value": 18, "unit": unit}}) == 18.0


def test_a_score_in_another_unit_is_unreadable() -> None:
    assert SCORE.read(quantity(18, "%")) is None
    assert SCORE.read(quantity(18, "mmol/L")) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("18", 18.0), (" 18 points", 18.0), ("18/21", 18.0), ("18 / 21 points", 18.0)),
        *(("<5", Interval(-math.inf, math.nextafter(5, 0))), (">= 5", Interval(5.0, math.inf))),
    ],
)
def test_a_number_written_as_text_is_read(text: str, number: object) -> None:
    assert SCORE.read({"valueString": text}) == number
    assert is_written({"valueString": text})


@pytest.mark.parametrize(
    ("text", "number"),
    [("2.3", 2.3), ("2,3", 2.3), ("2.3 mmol/L", 2.3), ("2,35 mval/l", 2.35)],
)
def test_a_decimal_comma_is_read_where_it_parts_no_thousands(text: str, number: float) -> None:
    assert POTASSIUM.read(quantity(text)) == number
    unit = {} if "/" in text else {"unit": "mmol/L"}
    assert POTASSIUM.read({"valueQuantity": {"value": text, **unit}}) == number
    assert is_written(quantity(text))


def test_text_that_says_more_than_a_number_is_not_read() -> None:
    for text in ("18 (was 12)", "score 18", "18 or 19", "18" * 200, "2.3 mmol/L haemolysed"):
        assert SCORE.read({"valueString": text}) is None
        assert POTASSIUM.read({"valueString": text}) is None
    assert not is_written(quantity(4))
