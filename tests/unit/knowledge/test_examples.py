"""The examples beside rules: what follows from the facts that they tell."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.loading.examples import ExampleFacts, failures


def facts(tiny: CDSService, **told: Any) -> ExampleFacts:
    return ExampleFacts(tiny.facts, {name.replace("__", "."): each for name, each in told.items()})


def test_the_patient_of_an_example_is_an_adult_of_whom_nothing_is_recorded(
    tiny: CDSService,
) -> None:
    patient = facts(tiny)
    assert (patient["age"].value, patient["deceased"].value, patient["older"].value) == (
        *(40.0, False, False),
    )
    assert patient["problem_list"].complete is True
    assert patient["anxiety"].present is patient["anxiety"].certain is False
    assert patient["sedative"].active is patient["sedative"].recent is False
    assert patient["sedative_allergy"].present is False
    assert patient["potassium"].state == "missing"
    assert [each.name for each in patient["tests"].missing] == ["potassium", "worry_score"]


def test_true_sets_what_follows_from_it(tiny: CDSService) -> None:
    patient = facts(tiny, anxiety=True, sedative=True, sedative_allergy=True)
    assert patient["anxiety"].certain is patient["anxiety"].confirmed is patient["anxiety"].new
    assert patient["sedative"].recent is True
    assert (patient["sedative_allergy"].present, patient["sedative_allergy"].severe) == (
        *(True, False),
    )


def test_null_is_what_the_record_does_not_say(tiny: CDSService) -> None:
    told = dict.fromkeys(("anxiety", "sedative", "sedative_allergy", "potassium", "age"))
    patient = facts(tiny, **told)
    assert patient["anxiety"].present is patient["anxiety"].certain is None
    assert patient["sedative"].active is patient["sedative"].recent is None
    assert patient["sedative_allergy"].severe is None
    assert patient["potassium"].state == "not-retrieved"
    assert patient["age"].value is patient["older"].value is None


def test_a_number_is_a_usable_value(tiny: CDSService) -> None:
    patient = facts(tiny, potassium=3, worry_score=5)
    assert (patient["potassium"].state, patient["potassium"].value) == ("ok", 3.0)
    assert patient["tests"].value is True


def test_a_member_is_told_by_its_path(tiny: CDSService) -> None:
    patient = facts(tiny, anxiety=True, anxiety__onset_days=400, potassium__state="stale")
    assert patient["anxiety"].onset_days == 400.0
    assert patient["potassium"].state == "stale"


@pytest.mark.parametrize(
    ("told", "message"),
    [({"joy": True}, "no fact named joy"), ({"anxiety.joy": True}, "there is no member joy")],
)
def test_what_there_is_not_cannot_be_told(
    tiny: CDSService, told: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        list(ExampleFacts(tiny.facts, told)[name] for name in tiny.facts)


def test_every_example_of_the_small_knowledge_comes_out(tiny: CDSService) -> None:
    assert list(failures(tiny)) == []
