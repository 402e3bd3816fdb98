"""The small knowledge of these tests, loaded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import resources

from cds_service.knowledge import CDSService, load
from cds_service.knowledge.call import Answer, Resource, Retrieval
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.record.record import PatientRecord

TINY_CARDS = Path(__file__).parents[2] / "tiny_cards"

FactsOf = Callable[..., Facts]
RecordOf = Callable[..., PatientRecord]
AnswerTo = Callable[..., Answer]


@pytest.fixture(scope="session")
def tiny() -> CDSService:
    """The service `legs` of tests/tiny_cards."""
    return load(TINY_CARDS).services["legs"]


@pytest.fixture(scope="session")
def record_of(tiny: CDSService) -> RecordOf:
    """A record of resources, whose lists came whole but for `states`."""

    def make(*given: Resource, **members: Any) -> PatientRecord:
        call = resources.call(*given, **members)
        return PatientRecord(call, tiny.terminology, tiny.statuses, tiny.lists)

    return make


@pytest.fixture(scope="session")
def facts_of(tiny: CDSService, record_of: RecordOf) -> FactsOf:
    """The facts of tests/tiny_cards on resources."""

    def make(
        *given: Resource,
        states: dict[str, Retrieval] | None = None,
        highest: bool = False,
        certain: bool = False,
        **members: Any,
    ) -> Facts:
        record = record_of(*given, states=states, **members)
        return Facts(tiny.facts, record, highest=highest, certain=certain)

    return make


@pytest.fixture(scope="session")
def answer_to(tiny: CDSService) -> AnswerTo:
    """The answer of tests/tiny_cards to a call with resources."""

    def make(*given: Resource, **members: Any) -> Answer:
        return tiny.answer(resources.call(*given, **members))

    return make
