"""Other ways to ask for the same, after a FHIR server has refused a search.

Servers refuse a search for its order, for the size of its pages, for a missing intent, or for its
length. None of these changes which resources we read.
"""

from __future__ import annotations

from urllib.parse import urlsplit

# FHIR R4, "RequestIntent" without `proposal` and `option`, which are not orders.
INTENT = "intent=order,plan,original-order,reflex-order,filler-order,instance-order"
_TOO_LONG = 414
_REFUSED = (400, 422)
_ORDER = ("_sort", "_count")
_LISTS = ("code", "_id")  # parameters with lists of values that can be asked in parts


def other_ways(address: str, status: int | None) -> tuple[str, ...]:
    """The addresses that together ask for the same in another way; none if there is none."""
    place, mark, query = address.partition("?")
    if not mark or (status not in _REFUSED and status != _TOO_LONG):
        return ()
    parameters = query.split("&")
    if status == _TOO_LONG:
        return tuple(f"{place}?{'&'.join(half)}" for half in _halves(parameters))
    simpler = [parameter for parameter in parameters if _name(parameter) not in _ORDER]
    if simpler != parameters:
        return (f"{place}?{'&'.join(simpler)}",) if simpler else ()
    is_order = urlsplit(place).path.endswith("/MedicationRequest")
    if is_order and "intent" not in map(_name, parameters):
        return (f"{address}&{INTENT}",)
    return ()


def _halves(parameters: list[str]) -> list[list[str]]:
    """The search with the first and with the second half of its longest list of values."""
    lists = [
        parameter for parameter in parameters if _name(parameter) in _LISTS and "," in parameter
    ]
    if not lists:
        return []
    longest = max(lists, key=len)
    name, _, text = longest.partition("=")
    values = text.split(",")
    middle = len(values) // 2
    return [
        [
            f"{name}={','.join(half)}" if parameter is longest else parameter
            for parameter in parameters
        ]
        for half in (values[:middle], values[middle:])
    ]


def _name(parameter: str) -> str:
    return parameter.partition("=")[0].partition(":")[0]
