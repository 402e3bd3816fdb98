"""Judging the rules that a record touches gives what judging every rule gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from content import own_service
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call, Retrieval, Retrieved
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.outcomes import evaluation
from cds_service.knowledge.outcomes.evaluation import assess
from cds_service.knowledge.record.record import PatientRecord
from cds_service.playground.records import as_retrieved, patient_id, read_resources

from . import conversations

SERVICE = own_service()
OPTIONAL = sorted(SERVICE.prefetch.keys() - SERVICE.required_keys)


def _call(path: Path, states: Mapping[str, Retrieval] | None = None) -> Call:
    resources = read_resources(path)
    retrieved = as_retrieved(resources, SERVICE.prefetch)
    return Call(
        retrieved=Retrieved(retrieved.resources, {**retrieved.states, **(states or {})}),
        patient_id=patient_id(resources),
        user_id="Practitioner/example",
        hook_instance="example",
        now=datetime(2026, 11, 22, 12, tzinfo=UTC),
        language="en",
    )


def _agree(call: Call) -> None:
    record = PatientRecord(call, SERVICE.terminology, SERVICE.statuses, SERVICE.lists)
    baseline = SERVICE.relevance.baseline(record)
    touched = baseline.rules_to_judge(SERVICE, record)
    assert len(touched) < len(SERVICE.rules)
    facts = Facts(SERVICE.facts, record)
    for name, fact in baseline.absent_facts(record).items():
        assert fact == facts[name], name
    short = assess(SERVICE, [facts], touched, baseline.outcomes)
    long = assess(SERVICE, [facts])
    assert short.gate is long.gate
    assert {id_: (each.level, each.unknown) for id_, each in short.outcomes.items()} == {
        id_: (each.level, each.unknown) for id_, each in long.outcomes.items()
    }
    assert short.withheld == long.withheld
    assert [each.cause.id for each in short.causes] == [each.cause.id for each in long.causes]


@pytest.mark.parametrize("path", conversations.PATIENTS, ids=lambda path: path.stem)
def test_the_short_way_and_the_long_way_agree(path: Path) -> None:
    _agree(_call(path))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(conversations.PATIENTS),
    st.dictionaries(st.sampled_from(sorted(SERVICE.prefetch)), st.sampled_from(list(Retrieval))),
)
def test_they_agree_however_the_lists_came(path: Path, states: dict[str, Retrieval]) -> None:
    _agree(_call(path, states))


def test_they_agree_on_a_list_of_another_version() -> None:
    call = _call(conversations.PATIENTS[0])
    former = {"resourceType": "MedicationOrder", "id": "former"}
    old = {"resourceType": "Condition", "id": "old", "clinicalStatus": "active"}
    retrieved = replace(call.retrieved, resources=(*call.retrieved.resources, former, old))
    _agree(replace(call, retrieved=retrieved))


def _judged(monkeypatch: pytest.MonkeyPatch, service: CDSService, call: Call) -> int:
    """How many rules are judged for a call, in both looks at a record with invalid resources."""
    service.answer(call)  # the first call of its kind computes the baseline
    count = 0
    judge = evaluation.judge

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        return judge(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "judge", counted)
        service.answer(call)
    return count


@pytest.mark.parametrize("key", OPTIONAL)
def test_an_optional_list_that_does_not_come_costs_nothing(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules judged are those that the record touches, whichever list was not sent."""
    path = next(path for path in conversations.PATIENTS if path.stem.startswith("ada"))
    whole = _judged(monkeypatch, SERVICE, _call(path))
    without = _judged(monkeypatch, SERVICE, _call(path, {key: Retrieval.MISSING}))
    assert whole < len(SERVICE.rules) / 2
    assert without <= whole
