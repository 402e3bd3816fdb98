"""Facts of kind procedure: what was done, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from resources import WEAKNESS, concept, days_ago

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.facts.procedure import (
    ProcedureDefinition,
    ProcedureFact,
    read_procedure,
)

from .conftest import RecordOf

# The small cards have no procedures; any code of theirs will do.
DONE = ProcedureDefinition(("weakness",), "procedures", timedelta(days=90))
WHOLE = {"procedures": Retrieval.COMPLETE}


def _procedure(**members: Any) -> Resource:
    whole = {
        "resourceType": "Procedure",
        "id": "p1",
        "status": "completed",
        "code": concept(WEAKNESS),
        "subject": {"reference": "Patient/ada"},
        "performedDateTime": days_ago(12),
    }
    return {name: value for name, value in (whole | members).items() if value is not ...}


def _read(record_of: RecordOf, *given: Resource, states: Any = WHOLE) -> ProcedureFact:
    return read_procedure(DONE, record_of(*given, states=states))


def test_what_was_done_has_its_date_and_its_resource(record_of: RecordOf) -> None:
    procedure = _procedure()
    fact = _read(record_of, procedure)
    assert (fact.present, fact.value, fact.date, fact.days) == (True, True, days_ago(12), 12.0)
    assert fact.names == (WEAKNESS[2],) and fact.resources == (procedure,)


def test_the_latest_tells_the_date(record_of: RecordOf) -> None:
    period = {"start": days_ago(5), "end": days_ago(3)}
    later = _procedure(id="p2", performedDateTime=..., performedPeriod=period)
    assert _read(record_of, _procedure(), later).days == 3.0


@pytest.mark.parametrize("status", ["in-progress", "stopped", "unknown", ["completed"], ...])
def test_any_other_status_does_not_say_that_it_was_not_done(
    record_of: RecordOf, status: Any
) -> None:
    assert _read(record_of, _procedure(status=status)).present is True


@pytest.mark.parametrize(
    "members",
    [
        {"status": "not-done"},
        {"status": "preparation"},
        {"status": "entered-in-error"},
        {"performedDateTime": days_ago(91)},
        {"performedDateTime": days_ago(-3)},
        {"subject": {"reference": "Patient/bert"}},
    ],
)
def test_what_was_not_done_or_long_ago_is_absent(
    record_of: RecordOf, members: dict[str, Any]
) -> None:
    assert _read(record_of, _procedure(**members)).present is False


def test_without_a_date_it_counts_and_without_the_list_nothing_is_known(
    record_of: RecordOf,
) -> None:
    undated = _read(record_of, _procedure(performedDateTime="last year"))
    assert (undated.present, undated.date, undated.days) == (True, None, None)
    assert _read(record_of, states={"procedures": Retrieval.FAILED}).present is None
