"""Numbers with their units: read from a FHIR element, converted, never guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.record.units import Units

_UCUM = ("http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")
_LONGEST_TEXT = 60
# "<2.5", "2,3 mmol/L", "18/21 points". A comma before three digits may separate thousands, so it is
# not read.
_WRITTEN = re.compile(
    r"\s*(<=|>=|<|>)?\s*([+-]?\d{1,9}(?:\.\d{1,9}|,\d{1,2}(?!\d))?)(?![\d.,]*\d)\s*(?:/\s*\d+)?(.*)",
    re.ASCII | re.DOTALL,
)
_COMPARATORS = {"\u2264": "<=", "\u2265": ">=", "\u2212": "-"}


@dataclass(frozen=True, slots=True)
class Interval:
    """A number of which only the bounds are known; both are possible: "> 1000", a birth year."""

    low: float
    high: float


Number = float | Interval


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a value in another UCUM unit becomes ours: value * factor + offset."""

    factor: float
    offset: float = 0.0

    def apply(self, number: Number) -> Number:
        """The number in our unit; factors are positive, so bounds keep their order."""
        if isinstance(number, Interval):
            low, high = (bound * self.factor + self.offset for bound in (number.low, number.high))
            return Interval(low, high)
        # Seven digits: far below any laboratory's precision, far above binary rounding.
        return float(f"{number * self.factor + self.offset:.7g}")


_AS_IT_IS = Conversion(1.0)


@dataclass(frozen=True, slots=True)
class Quantity:
    """How values of an analyte are read: our unit, the plausible range, the units we convert.

    `units` reduces spellings to one, so that each spelling needs no entry.
    """

    unit: str
    plausible: tuple[float, float]
    conversions: Mapping[str, Conversion]
    units: Units
    unitless: bool = False

    def read(self, element: Mapping[str, Any]) -> Number | None:
        """The value of an Observation or one of its components in our unit.

        None when there is no number, no unit or another unit, or when the value lies outside the
        plausible range: such a value is unreadable and must not be compared.
        """
        number, unit = _number_and_unit(element)
        if number is None:
            return None
        conversion = self._conversion(unit)
        if conversion is None:
            return None
        number = conversion.apply(number)
        return number if self._is_plausible(number) else None

    def is_converted(self, element: Mapping[str, Any]) -> bool:
        """Whether the value of an Observation stands there in another unit, with another number."""
        conversion = self._conversion(_number_and_unit(element)[1])
        return conversion is not None and conversion != _AS_IT_IS

    def read_bound(self, bound: object) -> float | None:
        """One end of an Observation's reference range in our unit, or None."""
        if not isinstance(bound, dict):
            return None
        number = _plain(bound.get("value"))
        conversion = self._conversion(_unit(bound))
        if number is None or conversion is None:
            return None
        converted = conversion.apply(number)
        return converted if isinstance(converted, float) else None

    def _conversion(self, unit: str | None) -> Conversion | None:
        folded = self.units.fold(unit) if unit else ""
        if self.unitless and self.units.counts_nothing(folded):
            return _AS_IT_IS
        if not folded:
            return None
        if folded == self.units.fold(self.unit):
            return _AS_IT_IS
        return self.conversions.get(folded)

    def _is_plausible(self, number: Number) -> bool:
        lowest, highest = self.plausible
        if isinstance(number, Interval):
            bounds = [bound for bound in (number.low, number.high) if not math.isinf(bound)]
            return all(lowest <= bound <= highest for bound in bounds)
        return lowest <= number <= highest


def is_written(element: Mapping[str, Any]) -> bool:
    """Whether the value is a text with a number: sure enough to warn, not to reassure."""
    quantity = element.get("valueQuantity")
    text = quantity.get("value") if isinstance(quantity, dict) else element.get("valueString")
    return isinstance(text, str) and _from_text(text)[0] is not None


def _number_and_unit(element: Mapping[str, Any]) -> tuple[Number | None, str | None]:
    quantity = element.get("valueQuantity")
    if isinstance(quantity, dict):
        value, comparator, unit = quantity.get("value"), quantity.get("comparator"), _unit(quantity)
        if isinstance(value, str):
            value, stated, behind = _from_text(value)
            comparator, unit = comparator or stated, behind or unit
        number = _plain(value)
        return (None, None) if number is None else (_bounded(number, comparator), unit)
    if "valueInteger" in element:
        return _plain(element["valueInteger"]), None
    if "valueDecimal" in element:  # not a value of R4's Observation, but seen in records
        return _plain(element["valueDecimal"]), None
    text = element.get("valueString")
    if isinstance(text, str):
        number, comparator, unit = _from_text(text)
        return (None if number is None else _bounded(number, comparator)), unit
    return None, None


def _from_text(text: str) -> tuple[float | None, str | None, str | None]:
    """Number, comparator and unit in a text; nothing if it contains more than that."""
    for sign, plain in _COMPARATORS.items():
        text = text.replace(sign, plain)
    found = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if found is None:
        return None, None, None
    comparator, number, unit = found.groups()
    return float(number.replace(",", ".")), comparator, unit.strip() or None


def _plain(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _bounded(number: float, comparator: object) -> Number | None:
    match comparator:
        case None:
            return number
        case "<":
            return Interval(-math.inf, math.nextafter(number, -math.inf))
        case "<=":
            return Interval(-math.inf, number)
        case ">":
            return Interval(math.nextafter(number, math.inf), math.inf)
        case ">=":
            return Interval(number, math.inf)
    return None


def _unit(quantity: Mapping[str, Any]) -> str | None:
    # The code counts if it is UCUM; a unit without a code is read as written.
    code, unit = quantity.get("code"), quantity.get("unit")
    if isinstance(code, str) and code.strip() and _is_ucum(quantity.get("system")):
        return code.strip()
    return unit.strip() if isinstance(unit, str) and unit.strip() else None


def _is_ucum(system: object) -> bool:
    if not isinstance(system, str) or not system:
        return system is None or system == ""
    if system in _UCUM:
        return True
    return system.strip().lower().replace("https://", "http://").rstrip("/") in _UCUM


def number_text(number: float | Interval) -> str:
    """A number as a clinician reads it: at most four significant digits, bounds as < and >."""
    if isinstance(number, Interval):
        if number.low == float("-inf"):
            return f"<{number_text(float(f'{number.high:.12g}'))}"
        if number.high == float("inf"):
            return f">{number_text(float(f'{number.low:.12g}'))}"
        return f"{number_text(number.low)}–{number_text(number.high)}"
    if abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.4g}"


def middle(number: Number | None) -> float:
    """A number to sort by: for an interval its middle."""
    if isinstance(number, Interval):
        return (max(number.low, -1e12) + min(number.high, 1e12)) / 2
    return number if number is not None else 0.0


def is_below(number: Number | None, bound: float) -> bool:
    """Whether a number is surely below a bound."""
    if isinstance(number, Interval):
        return number.high < bound
    return number is not None and number < bound
