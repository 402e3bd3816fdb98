"""Facts of kind order: FHIR ServiceRequests that are active, meant as orders, and recent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from resources import ANXIETY, POTASSIUM, concept, days_ago

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.order import OrderDefinition, OrderFact, read_order

from .conftest import RecordOf

ORDER = OrderDefinition(("potassium",), timedelta(days=14))
WHOLE = {"ServiceRequest": Retrieval.COMPLETE}


def _order(**members: Any) -> Resource:
    whole = {
        "resourceType": "ServiceRequest",
        "id": "o1",
        "status": "active",
        "intent": "order",
        "code": concept(POTASSIUM),
        "subject": {"reference": "Patient/ada"},
        "authoredOn": days_ago(2),
    }
    return {name: value for name, value in (whole | members).items() if value is not ...}


def _read(record_of: RecordOf, *given: Resource, states: Any = WHOLE) -> OrderFact:
    return read_order(ORDER, record_of(*given, states=states))


def test_a_recent_order_that_is_active_is_there_with_its_resource(record_of: RecordOf) -> None:
    order = _order()
    assert _read(record_of, order) == OrderFact(True, (order,))
    assert _read(record_of, order).value is True


@pytest.mark.parametrize("intent", ["order", "original-order", "filler-order", "instance-order"])
@pytest.mark.parametrize("day", [0, 14])
def test_it_counts_up_to_its_window(record_of: RecordOf, intent: str, day: int) -> None:
    assert _read(record_of, _order(intent=intent, authoredOn=days_ago(day))).present is True


@pytest.mark.parametrize(
    "members",
    [
        {"status": "completed"},
        {"status": "draft"},
        {"status": "revoked"},
        {"status": ...},
        {"status": ["active"]},
        {"intent": "proposal"},
        {"intent": "plan"},
        {"intent": ...},
        {"doNotPerform": True},
        {"authoredOn": days_ago(16)},
        {"authoredOn": days_ago(-2)},
        {"authoredOn": "some day"},
        {"authoredOn": ...},
        {"code": concept(ANXIETY)},
        {"code": {"text": "Potassium"}},
        {"code": ...},
        {"subject": {"reference": "Patient/boris"}},
    ],
)
def test_anything_else_is_no_order(record_of: RecordOf, members: dict[str, Any]) -> None:
    assert _read(record_of, _order(**members)).present is False


@pytest.mark.parametrize("state", [each for each in Retrieval if each is not Retrieval.COMPLETE])
def test_without_the_whole_list_absence_is_unknown(record_of: RecordOf, state: Retrieval) -> None:
    states = {"ServiceRequest": state}
    assert _read(record_of, states=states).present is None
    assert _read(record_of, _order(), states=states).present is True
