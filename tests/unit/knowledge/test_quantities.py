"""Numbers with their units: converted where the table says so, never guessed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cds_service.knowledge.record.quantities import Conversion, Interval, Quantity

UCUM = "http://unitsofmeasure.org"
POTASSIUM = Quantity(
    unit="mmol/L",
    plausible=(1.0, 10.0),
    conversions={"meq/L": Conversion(1.0), "mg/dL": Conversion(0.2558)},
    spellings={"mmol/l": "mmol/L", "mEq/L": "meq/L"},
)
TEMPERATURE = Quantity("Cel", (25.0, 45.0), {"[degF]": Conversion(5 / 9, -160 / 9)}, {})
SCORE = Quantity("{score}", (0.0, 21.0), {}, {}, unitless=True)


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


@pytest.mark.parametrize("unit", ["ug/L", "MMOL/L", "mmol", "%", "mmol/L/h"])
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
        *(None, True, False, "4", "4.0", "> 4", [], {}, [4]),
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
