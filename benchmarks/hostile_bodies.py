"""What hostile bodies have more and more of: 72 dimensions, each a pattern that is filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

Json = dict[str, Any]

_SNOMED, _LOINC = "http://snomed.info/sct", "http://loinc.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_DAY = "2026-11-20"


class Many(tuple[Any, ...]):
    """These, as often as it is asked for; `{n}` in a text is the number of each.

    Within a list they are among its items.
    """


@dataclass(frozen=True, slots=True)
class Long:
    """A text that is repeated as often as it is asked for, so many times each."""

    text: str
    times: int = 40
    before: str = ""
    after: str = ""


def filled(pattern: Any, count: int, first: int = 0, number: int = 0) -> Any:
    """A pattern with so many of everything that there are many of, numbered from `first`."""
    match pattern:
        case Many():
            numbers = range(first, first + count)
            return [filled(item, count, first, n) for n in numbers for item in pattern]
        case Long(text, times, before, after):
            return before + text * times * count + after
        case str() if "{" in pattern:
            last = first + count - 1
            return pattern.format(n=number, last=last, y=number % 26, m=number % 12 + 1)
        case dict() if "key-{n}" in pattern:
            return {f"key-{n}": {} for n in range(count)}
        case dict():
            return {key: filled(value, count, first, number) for key, value in pattern.items()}
        case list():
            items = (filled(item, count, first, number) for item in pattern)
            return [*chain(*(item if isinstance(item, list) else [item] for item in items))]
    return pattern


def _concept(system: str, code: Any, **text: Any) -> Json:
    return {"coding": [{"system": system, "code": code}]} | text


_ANXIETY = _concept(_SNOMED, "48694002")
_POTASSIUM = _concept(_LOINC, "2823-3")
_LORAZEPAM = _concept(_RXNORM, "6470")
_VALUE = {"value": 4.1, "unit": "mmol/L"}
_PARTS = Many([{"code": _POTASSIUM, "valueQuantity": _VALUE}])
_REACTION = {"substance": {"text": "lorazepam {n}"}, "manifestation": [{"text": "rash"}]}
_DURATION = {"timing": {"repeat": {"boundsDuration": {"value": 1, "code": "d"}}}}
_EXTENDED = _ANXIETY["coding"][0] | {"extension": Many([{"valueCoding": {"code": "G"}}])}
_NO_VALUE = {"valueQuantity": None}


def _condition(**members: Any) -> Json:
    return {"resourceType": "Condition", "code": _ANXIETY, "recordedDate": _DAY} | members


def _observation(**members: Any) -> Json:
    made = {"resourceType": "Observation", "status": "final", "code": _POTASSIUM}
    dated = {} if "effectiveTiming" in members else {"effectiveDateTime": f"{_DAY}T08:00:00Z"}
    return made | dated | {"valueQuantity": _VALUE} | members


def _panel(**members: Any) -> Json:
    return _observation(component=_PARTS, **members)


def _order(**members: Any) -> Json:
    made = {"resourceType": "MedicationRequest", "status": "active", "intent": "order"}
    named = {} if "medicationReference" in members else {"medicationCodeableConcept": _LORAZEPAM}
    return made | {"authoredOn": _DAY} | named | members


def _order_of(text: str) -> Json:
    return _order(medicationCodeableConcept={"text": text})


def _allergy(**members: Any) -> Json:
    return {"resourceType": "AllergyIntolerance", "code": _LORAZEPAM} | members


def _visit(**members: Any) -> Json:
    return {"resourceType": "Encounter", "status": "finished", "period": {"start": _DAY}} | members


def _form(codes: Any, answers: Any, **members: Any) -> Json:
    item = {"linkId": "/44250-9", "code": codes, "answer": answers}
    form = {"resourceType": "QuestionnaireResponse", "status": "completed", "authored": _DAY}
    return form | {"item": [item]} | members


def _other(kind: str, **members: Any) -> Json:
    return {"resourceType": kind} | members


def _mixture(ingredient: Json) -> list[Any]:
    mixture = _other("Medication", id="m", ingredient=Many([{"itemCodeableConcept": ingredient}]))
    orders = Many([_order(id="o{n}", medicationReference={"reference": "Medication/m"})])
    return [mixture, orders]


_CODE, _ANSWER = {"system": _LOINC, "code": "44250-9"}, {"valueInteger": 1}
_STATEMENT = {"status": "active", "medicationCodeableConcept": _LORAZEPAM, "id": "s{n}"}
_REQUEST = {"status": "active", "intent": "order", "code": _POTASSIUM, "authoredOn": _DAY}
_REFUTED = {"coding": [{"code": "refuted"}]}
_SEEN = _concept(_SNOMED, "48694002", text="seen")
_SEEN_OTHERWISE = {"coding": [*_ANXIETY["coding"], {"code": "other"}]}

OF_RESOURCES: Mapping[str, Any] = {
    "orders of text only": Many([_order_of("medicine {n}")]),
    "orders of one medicine": Many([_order(id="o{n}")]),
    "orders by a name": Many([_order_of("lorazepam {n}")]),
    "ingredients times orders": _mixture(_LORAZEPAM),
    "unknown ingredients times orders": _mixture({"text": "zzz {n}"}),
    "contained medicines": [
        _order(
            contained=Many([_other("Medication", id="m{n}")]),
            medicationReference={"reference": "#m{last}"},
        )
    ],
    "steps of a dosage": [_order(dosageInstruction=Many([_DURATION]))],
    "statements of medicines": Many([_other("MedicationStatement", **_STATEMENT)]),
    "codings in one concept": [_condition(code={"coding": Many(_ANXIETY["coding"])})],
    "displays in one concept": [_condition(code={"coding": Many([{"display": "anxiety {n}"}])})],
    "components in one panel": [_panel()],
    "components and dates in one panel": [_panel(effectiveTiming={"event": Many([_DAY])})],
    "components about a long reference": [
        _panel(subject={"reference": Long("x/", 20, "Patient/", "samuel")})
    ],
    "allergies": Many([_allergy(id="a{n}")]),
    "reactions of one allergy": [_allergy(reaction=Many([_REACTION]))],
    "allergies with reactions": Many([_allergy(reaction=[_REACTION] * 3)]),
    "reasons of one visit": [_visit(reasonCode=Many([{"text": "leg weakness {n}"}]))],
    "visits with reasons": Many([_visit(reasonCode=[{"text": "leg weakness"}] * 3, id="v{n}")]),
    "conditions of one code": Many([_condition(id="c{n}")]),
    "conditions in words": Many([_condition(code={"text": "anxiety, leg weakness {n}"})]),
    "conditions of one id": Many([_condition(id="c", onsetString="{n}")]),
    "the same condition again": Many([_condition(id="c")]),
    "conditions and refuted ones": Many(
        [_condition(code=_SEEN), _condition(code=_SEEN_OTHERWISE, verificationStatus=_REFUTED)]
    ),
    "conditions of a status in words": Many([_condition(clinicalStatus={"text": "odd {n}"})]),
    "results of one code and day": Many([_observation(id="r{n}")]),
    "results of one code, other days": Many(
        [_observation(id="r{n}", effectiveDateTime="20{y:02}-{m:02}-11")]
    ),
    "results without a value": Many([_observation(id="r{n}", **_NO_VALUE)]),
    "preliminary results": Many([_observation(id="r{n}", status="preliminary")]),
    "results in words": Many([_observation(id="r{n}", **_NO_VALUE, valueString="{n} mmol/L")]),
    "interpretations of one result": [_observation(interpretation=Many([{"text": "high"}]))],
    "ranges of one result": [_observation(referenceRange=Many([{"low": _VALUE}]))],
    "answers of one question": [_form([_CODE], Many([_ANSWER]))],
    "answers times codes": [_form(Many([_CODE]), Many([_ANSWER]))],
    "forms": Many([_form([_CODE], [_ANSWER], id="f{n}")]),
    "requests": Many([_other("ServiceRequest", **_REQUEST, id="s{n}")]),
    "notes": [_condition(note=Many([{"text": "a note"}]))],
    "extensions": [_condition(extension=Many([{"url": "u", "valueString": "a"}]))],
    "extensions of a coding": [_condition(code={"coding": [_EXTENDED]})],
    "modifier extensions": [_panel(modifierExtension=Many([{"url": "u"}]))],
    "identifiers": [_condition(identifier=Many([{"value": "a"}]))],
    "categories": [_allergy(category=Many(["medication"]))],
    "names of the patient": [_other("Patient", id="samuel", name=Many([{"family": "a"}]))],
    "other resources": Many([_other("Zebra", id="z{n}")]),
    "another FHIR version": Many([_other("MedicationOrder", id="z{n}")]),
    "of another patient": Many([_condition(subject={"reference": "Patient/{n}"})]),
    "future results": Many([_observation(id="r{n}", effectiveDateTime="2031-01-01")]),
    "a long ICD code": [
        _condition(code=_concept("http://hl7.org/fhir/sid/icd-10-cm", Long("F41")))
    ],
    "a long ATC code": [_condition(code=_concept("http://www.whocc.no/atc", Long("N05")))],
    "a long SNOMED CT expression": [_condition(code=_concept(_SNOMED, Long("48694002+")))],
    "a long SNOMED CT number": [_condition(code=_concept(_SNOMED, Long("48694002")))],
    "a long code of one letter": [_condition(code=_concept(_SNOMED, Long("|")))],
    "a long system": [_condition(code={"coding": [{"system": Long("http://a/"), "code": "1"}]})],
    "a long text": [_condition(code={"text": Long("anxiety, no leg weakness; ")})],
    "a long text without blanks": [_condition(code={"text": Long("a", 400)})],
    "a long text in Chinese": [_condition(code={"text": Long("焦虑无力")})],
    "a long status": [_condition(clinicalStatus={"text": Long("over ")})],
    "a long status of an order": [_order(status=Long("on-hold "))],
    "a long date": [_condition(onsetDateTime=Long(":00", before="2026-11-20T24"))],
    "a long onset in words": [_condition(onsetString=Long("3 weeks 2020-01 "))],
    "a long onset of digits": [_condition(onsetString=Long("1", 400))],
    "a long onset of blanks": [_condition(onsetString=Long(" ", 400, "1"))],
    "a long unit": [_observation(valueQuantity={"value": 4, "unit": Long("{x")})],
    "a long value in words": [_observation(**_NO_VALUE, valueString=Long("4 "))],
    "a long number": [_observation(valueQuantity={"value": Long("4", 400), "unit": "mmol/L"})],
    "a long reference": [_condition(subject={"reference": Long("a/_history/")})],
    "a long id": [_condition(id=Long("c", 400))],
    "a long kind": [{"resourceType": Long("C", 400)}],
}


def _bundle(entries: Any, **members: Any) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | members


def _around(bundle: Json) -> Json:
    return _bundle([{"resource": bundle}])


_CONDITIONS = _bundle(Many([{"resource": _condition(id="c{n}")}]))
_LINKED = _bundle([], link=Many([{"relation": "self", "url": "u"}]))
_EMPTY = {"resourceType": "Bundle", "entry": Many([{"fullUrl": "u"}])}

# And what there is more of in the prefetch itself.
OF_PREFETCH: Mapping[str, Json] = {
    "nested Bundles": {"encounters": _around(_around(_around(_CONDITIONS)))},
    "links of a Bundle": {"encounters": _LINKED},
    "entries without a resource": {"encounters": _EMPTY},
    "issues": {"encounters": _other("OperationOutcome", issue=Many([{"code": "x"}]))},
    "prefetch keys": {"key-{n}": {}},
}
