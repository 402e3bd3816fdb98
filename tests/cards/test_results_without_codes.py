"""Results that came without any code: they may warn, and never count as normal."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import resources as made

from cds_service.knowledge import CDSService
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Call, Resource
from cds_service.knowledge.loading.library import Problems, load_record_text
from cds_service.knowledge.record.named_results import NamedResults

CARDS = Path(__file__).parents[2] / "cards"


@cache
def names() -> list[tuple[str, str]]:
    text = load_record_text(CARDS / "record-text.yaml", {}, Problems(CARDS))
    return [(set_id, name) for set_id, listed in text.results.items() for name in listed]


@cache
def reader() -> NamedResults:
    text = load_record_text(CARDS / "record-text.yaml", {}, Problems(CARDS))
    return NamedResults.of(text.results)


@pytest.mark.parametrize("frame", ["{}", "{} 2.3 mmol/l", "{}: 2,3 mmol/L", "{} = <2.3", " {} 2 "])
def test_a_result_is_known_by_its_whole_name_with_any_value(frame: str) -> None:
    read = {name: reader().read({"code": {"text": frame.format(name)}}) for _, name in names()}
    assert {name for set_id, name in names() if not (it := read[name]) or it[0] != set_id} == set()


@pytest.mark.parametrize("frame", ["Urine {} 2.3", "{} supplement", "{} and {} 2.3", "Low {}"])
def test_a_name_inside_a_text_is_not_enough(frame: str) -> None:
    read = {
        name for _, name in names() if reader().read({"code": {"text": frame.format(name, name)}})
    }
    assert read == set()


def test_a_result_with_a_code_is_read_by_its_code_alone() -> None:
    coded = {"coding": [{"system": "urn:local", "code": "1"}], "text": "Potassium"}
    assert reader().read({"code": coded}) is None


def _result(text: str, **members: object) -> Resource:
    return made.observation(..., {"text": text}, **members)


def _call(service: CDSService, *results: Resource) -> Call:
    states = dict.fromkeys(service.prefetch, made.Retrieval.COMPLETE)
    record = [made.patient(), made.condition(), made.condition(made.WEAKNESS), *results]
    return made.call(*record, states=states)


DANGERS = {
    "Kalium 2.3 mmol/l": "R30",
    "K 6.9 mmol/L": "R31",
    "Potasio: 2,3 mEq/L": "R30",
    "血钾2.3mmol/L": "R30",
    "Na+ 118 mmol/L": "R32",
    "Hb 62 g/L": "R36",
}


@pytest.mark.parametrize("text", DANGERS)
def test_a_dangerous_one_gives_its_card(service: CDSService, text: str) -> None:
    (card, *_) = service.answer(_call(service, _result(text, valueQuantity=...))).cards
    assert card.indicator == "critical" and DANGERS[text] in card.rules


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Kalium 4.3 mmol/l", "uncertain"),
        ("Potassium 4.3", "unreadable"),
        ("Potassium", "unreadable"),
        ("Urine potassium 4.3 mmol/l", "missing"),
    ],
)
def test_a_usual_one_is_never_sure(service: CDSService, text: str, state: str) -> None:
    call = _call(service, _result(text, valueQuantity=...))
    assert decide(service, call).facts["potassium"].state == state
    (card,) = service.answer(call).cards
    assert card.indicator == "info" and "potassium" in card.detail.lower()
