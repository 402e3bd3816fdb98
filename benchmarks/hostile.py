"""`python -m benchmarks.hostile`: what hostile bodies cost, each dimension at 1, 2, 4, 8 times.

A body is a person in danger, and more and more of one thing. Whatever that is, the work must grow
with the bytes: 8 times of it cost at most 1.2 times its share of one time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.applications import NOW
from cds_service.environment import from_environment
from cds_service.fhir.prefetch import complete
from cds_service.knowledge import CDSService, load
from cds_service.knowledge.call import Call
from cds_service.wire.hooks import load_context
from cds_service.wire.json_text import read_json
from cds_service.wire.requests import load_request
from cds_service.wire.responses import dump_response

SERVICE = "anxiety-leg-weakness"
TIMES = (1, 2, 4, 8)
_PERSON = Path(__file__).parent.parent / "fixtures/requests/samuel-potassium-2-3.json"
_SNOMED, _LOINC = "http://snomed.info/sct", "http://loinc.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_DAY = "2026-11-20"

Json = dict[str, Any]
Resources = Iterable[Json]


def _concept(system: str, code: str, text: str = "") -> Json:
    return {"coding": [{"system": system, "code": code}]} | ({"text": text} if text else {})


_ANXIETY = _concept(_SNOMED, "48694002")
_POTASSIUM = _concept(_LOINC, "2823-3")
_LORAZEPAM = _concept(_RXNORM, "6470")
_VALUE = {"value": 4.1, "unit": "mmol/L"}


def _condition(**members: Any) -> Json:
    return {"resourceType": "Condition", "code": _ANXIETY, "recordedDate": _DAY} | members


def _observation(**members: Any) -> Json:
    made = {"resourceType": "Observation", "status": "final", "code": _POTASSIUM}
    return made | {"effectiveDateTime": f"{_DAY}T08:00:00Z", "valueQuantity": _VALUE} | members


def _order(**members: Any) -> Json:
    made = {"resourceType": "MedicationRequest", "status": "active", "intent": "order"}
    named = {} if "medicationReference" in members else {"medicationCodeableConcept": _LORAZEPAM}
    return made | {"authoredOn": _DAY} | named | members


def _allergy(**members: Any) -> Json:
    return {"resourceType": "AllergyIntolerance", "code": _LORAZEPAM} | members


def _encounter(**members: Any) -> Json:
    made = {"resourceType": "Encounter", "status": "finished", "period": {"start": _DAY}}
    return made | members


def _panel(count: int, **members: Any) -> Json:
    parts = [{"code": _POTASSIUM, "valueQuantity": _VALUE} for _ in range(count)]
    return _observation(component=parts, **members)


def _reaction(number: int) -> Json:
    return {"substance": {"text": f"lorazepam {number}"}, "manifestation": [{"text": "rash"}]}


def _ingredients_and_orders(count: int) -> Resources:
    ingredients = [{"itemCodeableConcept": _LORAZEPAM} for _ in range(count)]
    yield {"resourceType": "Medication", "id": "m", "ingredient": ingredients}
    for number in range(count):
        yield _order(id=f"o{number}", medicationReference={"reference": "Medication/m"})


def _unknown_ingredients_and_orders(count: int) -> Resources:
    ingredients = [{"itemCodeableConcept": {"text": f"zzz {number}"}} for number in range(count)]
    yield {"resourceType": "Medication", "id": "m", "ingredient": ingredients}
    for number in range(count):
        yield _order(id=f"o{number}", medicationReference={"reference": "Medication/m"})


def _contained(count: int) -> Resources:
    inside = [{"resourceType": "Medication", "id": f"m{n}"} for n in range(count)]
    yield _order(contained=inside, medicationReference={"reference": f"#m{count - 1}"})


def _form(count: int, codes: int) -> Json:
    item = {
        "linkId": "/44250-9",
        "code": [{"system": _LOINC, "code": "44250-9"} for _ in range(codes)],
        "answer": [{"valueInteger": 1} for _ in range(count)],
    }
    form = {"resourceType": "QuestionnaireResponse", "status": "completed", "authored": _DAY}
    return form | {"item": [item]}


def _refuted(count: int) -> Resources:
    refuted = {"coding": [{"code": "refuted"}]}
    for _ in range(count):
        yield _condition(code=_concept(_SNOMED, "48694002", "seen"))
        other = {"coding": [*_ANXIETY["coding"], {"code": "other"}]}
        yield _condition(code=other, verificationStatus=refuted)


def _steps(count: int) -> Json:
    bounds = {"boundsDuration": {"value": 1, "code": "d"}}
    return _order(dosageInstruction=[{"timing": {"repeat": bounds}} for _ in range(count)])


def _events_and_components(count: int) -> Json:
    panel = _panel(count, effectiveTiming={"event": [_DAY] * count})
    del panel["effectiveDateTime"]
    return panel


def _panel_about(count: int) -> Json:
    return _panel(count, subject={"reference": "Patient/" + "x/" * 20 * count + "samuel"})


def _each(make: Callable[[int], Json]) -> Callable[[int], Resources]:
    return lambda count: (make(number) for number in range(count))


def _one(make: Callable[[int], Json]) -> Callable[[int], Resources]:
    return lambda count: [make(count)]


def _long(text: str) -> Callable[[int], str]:
    return lambda count: text * (40 * count)


def _coded(system: str, text: str) -> Callable[[int], Resources]:
    return _one(lambda count: _condition(code=_concept(system, text * 40 * count)))


# What there is more and more of, each as resources from a count.
# ruff: noqa: E501
OF_RESOURCES: Mapping[str, Callable[[int], Resources]] = {
    "orders of text only": _each(
        lambda number: _order(medicationCodeableConcept={"text": f"medicine {number}"})
    ),
    "orders of one medicine": _each(lambda number: _order(id=f"o{number}")),
    "orders by a name": _each(
        lambda number: _order(medicationCodeableConcept={"text": f"lorazepam {number}"})
    ),
    "ingredients times orders": _ingredients_and_orders,
    "unknown ingredients times orders": _unknown_ingredients_and_orders,
    "contained medicines": _contained,
    "steps of a dosage": _one(_steps),
    "statements of medicines": _each(
        lambda number: {
            "resourceType": "MedicationStatement",
            "status": "active",
            "medicationCodeableConcept": _LORAZEPAM,
            "id": f"s{number}",
        }
    ),
    "codings in one concept": _one(
        lambda count: _condition(code={"coding": _ANXIETY["coding"] * count})
    ),
    "displays in one concept": _one(
        lambda count: _condition(
            code={"coding": [{"display": f"anxiety {n}"} for n in range(count)]}
        )
    ),
    "components in one panel": _one(_panel),
    "components and dates in one panel": _one(_events_and_components),
    "components about a long reference": _one(_panel_about),
    "allergies": _each(lambda number: _allergy(id=f"a{number}")),
    "reactions of one allergy": _one(
        lambda count: _allergy(reaction=[_reaction(n) for n in range(count)])
    ),
    "allergies with reactions": _each(lambda number: _allergy(reaction=[_reaction(number)] * 3)),
    "reasons of one visit": _one(
        lambda count: _encounter(reasonCode=[{"text": f"leg weakness {n}"} for n in range(count)])
    ),
    "visits with reasons": _each(
        lambda number: _encounter(reasonCode=[{"text": "leg weakness"}] * 3, id=f"v{number}")
    ),
    "conditions of one code": _each(lambda number: _condition(id=f"c{number}")),
    "conditions in words": _each(
        lambda number: _condition(code={"text": f"anxiety, leg weakness {number}"})
    ),
    "conditions of one id": _each(lambda number: _condition(id="c", onsetString=f"{number}")),
    "the same condition again": _each(lambda _: _condition(id="c")),
    "conditions and refuted ones": _refuted,
    "conditions of a status in words": _each(
        lambda number: _condition(clinicalStatus={"text": f"odd {number}"})
    ),
    "results of one code and day": _each(lambda number: _observation(id=f"r{number}")),
    "results of one code, other days": _each(
        lambda number: _observation(
            id=f"r{number}", effectiveDateTime=f"20{number % 26:02}-{number % 12 + 1:02}-11"
        )
    ),
    "results without a value": _each(
        lambda number: _observation(id=f"r{number}", valueQuantity=None)
    ),
    "preliminary results": _each(
        lambda number: _observation(id=f"r{number}", status="preliminary")
    ),
    "results in words": _each(
        lambda number: _observation(
            id=f"r{number}", valueQuantity=None, valueString=f"{number} mmol/L"
        )
    ),
    "interpretations of one result": _one(
        lambda count: _observation(interpretation=[{"text": "high"}] * count)
    ),
    "ranges of one result": _one(
        lambda count: _observation(referenceRange=[{"low": _VALUE}] * count)
    ),
    "answers of one question": _one(lambda count: _form(count, 1)),
    "answers times codes": _one(lambda count: _form(count, count)),
    "forms": _each(lambda number: _form(1, 1) | {"id": f"f{number}"}),
    "requests": _each(
        lambda number: {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "code": _POTASSIUM,
            "authoredOn": _DAY,
            "id": f"s{number}",
        }
    ),
    "notes": _one(lambda count: _condition(note=[{"text": "a note"}] * count)),
    "extensions": _one(
        lambda count: _condition(extension=[{"url": "u", "valueString": "a"}] * count)
    ),
    "extensions of a coding": _one(
        lambda count: _condition(
            code={
                "coding": [
                    _ANXIETY["coding"][0] | {"extension": [{"valueCoding": {"code": "G"}}] * count}
                ]
            }
        )
    ),
    "modifier extensions": _one(
        lambda count: _panel(count, modifierExtension=[{"url": "u"}] * count)
    ),
    "identifiers": _one(lambda count: _condition(identifier=[{"value": "a"}] * count)),
    "categories": _one(lambda count: _allergy(category=["medication"] * count)),
    "names of the patient": _one(
        lambda count: {"resourceType": "Patient", "id": "samuel", "name": [{"family": "a"}] * count}
    ),
    "other resources": _each(lambda number: {"resourceType": "Zebra", "id": f"z{number}"}),
    "another FHIR version": _each(
        lambda number: {"resourceType": "MedicationOrder", "id": f"z{number}"}
    ),
    "of another patient": _each(
        lambda number: _condition(subject={"reference": f"Patient/{number}"})
    ),
    "future results": _each(
        lambda number: _observation(id=f"r{number}", effectiveDateTime="2031-01-01")
    ),
    "a long ICD code": _coded("http://hl7.org/fhir/sid/icd-10-cm", "F41"),
    "a long ATC code": _coded("http://www.whocc.no/atc", "N05"),
    "a long SNOMED CT expression": _coded(_SNOMED, "48694002+"),
    "a long SNOMED CT number": _coded(_SNOMED, "48694002"),
    "a long code of one letter": _coded(_SNOMED, "|"),
    "a long system": _one(lambda count: _condition(code=_concept("http://a/" * 40 * count, "1"))),
    "a long text": _one(
        lambda count: _condition(code={"text": "anxiety, no leg weakness; " * 40 * count})
    ),
    "a long text without blanks": _one(lambda count: _condition(code={"text": "a" * 400 * count})),
    "a long text in Chinese": _one(
        lambda count: _condition(code={"text": "焦虑无力" * 40 * count})
    ),
    "a long status": _one(lambda count: _condition(clinicalStatus={"text": "over " * 40 * count})),
    "a long status of an order": _one(lambda count: _order(status="on-hold " * 40 * count)),
    "a long date": _one(
        lambda count: _condition(onsetDateTime="2026-11-20T24" + ":00" * 40 * count)
    ),
    "a long onset in words": _one(
        lambda count: _condition(onsetString="3 weeks 2020-01 " * 40 * count)
    ),
    "a long onset of digits": _one(lambda count: _condition(onsetString="1" * 400 * count)),
    "a long onset of blanks": _one(lambda count: _condition(onsetString="1" + " " * 400 * count)),
    "a long unit": _one(
        lambda count: _observation(valueQuantity={"value": 4, "unit": "{x" * 40 * count})
    ),
    "a long value in words": _one(
        lambda count: _observation(valueQuantity=None, valueString="4 " * 40 * count)
    ),
    "a long number": _one(
        lambda count: _observation(valueQuantity={"value": "4" * 400 * count, "unit": "mmol/L"})
    ),
    "a long reference": _one(
        lambda count: _condition(subject={"reference": "a/_history/" * 40 * count})
    ),
    "a long id": _one(lambda count: _condition(id="c" * 400 * count)),
    "a long kind": _one(lambda count: {"resourceType": "C" * 400 * count}),
}


def _nested(count: int) -> Json:
    inner = _searchset(_condition(id=f"c{n}") for n in range(count))
    return _searchset([_searchset([_searchset([inner])])])


def _searchset(resources: Resources) -> Json:
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


# And what there is more of in the prefetch itself.
OF_PREFETCH: Mapping[str, Callable[[int], Json]] = {
    "nested Bundles": lambda count: {"encounters": _nested(count)},
    "links of a Bundle": lambda count: {
        "encounters": _searchset([]) | {"link": [{"relation": "self", "url": "u"}] * count}
    },
    "entries without a resource": lambda count: {
        "encounters": {"resourceType": "Bundle", "entry": [{"fullUrl": "u"}] * count}
    },
    "issues": lambda count: {
        "encounters": {"resourceType": "OperationOutcome", "issue": [{"code": "x"}] * count}
    },
    "prefetch keys": lambda count: {f"key-{number}": {} for number in range(count)},
}

DIMENSIONS = (*OF_RESOURCES, *OF_PREFETCH)


def body(dimension: str, count: int) -> bytes:
    """A person in danger, and so many of something."""
    request: Json = orjson.loads(_PERSON.read_bytes())
    prefetch = request["prefetch"]
    if dimension in OF_PREFETCH:
        prefetch |= OF_PREFETCH[dimension](count)
    elif count:
        bundle = prefetch["conditions"]
        resources = OF_RESOURCES[dimension](count)
        bundle["entry"] = [*bundle.get("entry", ()), *_searchset(resources)["entry"]]
        bundle.pop("total", None)
    return orjson.dumps(request)


def answer(service: CDSService, content: bytes) -> bytes:
    """The answer to a body, without HTTP."""
    request = load_request(read_json(content))
    context = load_context(request.hook, request.context)
    call = Call(
        retrieved=complete(service, request, most_resources=1_000_000),
        patient_id=context.patient_id,
        user_id=context.user_id,
        hook_instance=request.hook_instance,
        now=NOW,
        language=service.default_language,
        encounter_id=context.encounter_id,
        context=context.others,
    )
    given = service.answer(call)
    return orjson.dumps(dump_response(given.cards, call.retrieved.states, given.unread))


def growth(
    work: Callable[[bytes], float], dimension: str, count: int
) -> tuple[list[float], list[int]]:
    """The work above that of the person alone at each of TIMES, and the bytes above theirs."""
    alone = body(dimension, 0)
    bodies = [body(dimension, times * count) for times in TIMES]
    least = work(alone)
    return [work(each) - least for each in bodies], [len(each) - len(alone) for each in bodies]


def seconds(service: CDSService, content: bytes, rounds: int = 3) -> float:
    """The least CPU time of some answers."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        answer(service, content)
        times.append(time.thread_time() - began)
    return min(times)


@click.command()
@click.option("--count", default=500, show_default=True, help="How many are one time.")
@click.option("--only", default="", help="A part of the names of dimensions.")
def main(count: int, only: str) -> None:
    """CPU of hostile bodies at 1, 2, 4 and 8 times, and by how much they exceed their share."""
    service = load(from_environment().cards_dir).services[SERVICE]
    click.echo(_row("body", "bytes", *(f"{times}x, ms" for times in TIMES), "share"))
    for dimension in DIMENSIONS:
        if only not in dimension:
            continue
        costs, sizes = growth(lambda content: seconds(service, content), dimension, count)
        share = (costs[-1] / sizes[-1]) / (max(costs[0], 1e-6) / sizes[0])
        figures = (f"{cost * 1000:,.1f}" for cost in costs)
        click.echo(_row(dimension, f"{sizes[-1]:,}", *figures, f"{share:.2f}"))


def _row(name: str, *figures: str) -> str:
    return f"{name:36}" + "".join(f"{figure:>12}" for figure in figures)


if __name__ == "__main__":
    main()
