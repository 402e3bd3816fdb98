"""Judging the rules that a record touches gives what judging every rule gives."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.cli.patient_files import as_retrieved, patient_id, read_resources
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Call
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.outcomes.evaluation import assess
from cds_service.knowledge.record.record import PatientRecord

from . import conversations


@pytest.mark.parametrize("path", conversations.PATIENTS, ids=lambda path: path.stem)
def test_the_short_way_and_the_long_way_agree(path: Path, service: CDSService) -> None:
    resources = read_resources(path)
    call = Call(
        retrieved=as_retrieved(resources, service.prefetch),
        patient_id=patient_id(resources),
        user_id="Practitioner/example",
        hook_instance="example",
        now=datetime(2026, 11, 22, 12, tzinfo=UTC),
        language="en",
    )
    record = PatientRecord(call, service.terminology)
    touched = service.relevance.rules_to_judge(service, record)
    assert len(touched) < len(service.rules) or not record.is_complete("conditions")
    facts = Facts(service.facts, record)
    short = assess(service, [facts], touched, service.relevance.baseline)
    long = assess(service, [facts])
    assert short.gate is long.gate
    assert {id_: (each.level, each.unknown) for id_, each in short.outcomes.items()} == {
        id_: (each.level, each.unknown) for id_, each in long.outcomes.items()
    }
    assert short.withheld == long.withheld
    assert [each.cause.id for each in short.causes] == [each.cause.id for each in long.causes]
