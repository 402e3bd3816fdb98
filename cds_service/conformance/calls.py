"""Whether a service answers calls: in every form that the hook allows, and with odd records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import median
from typing import Any

from cds_service.conformance.answers import judge_answer
from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Check, held, not_tried
from cds_service.conformance.invented import users
from cds_service.conformance.target import Target, anew

_FAST = 1.0  # seconds; the specification speaks of the order of 500 ms
_TIMES = 5


def judge_call(
    target: Target, url: str, name: str, request: Mapping[str, Any], *, is_whole: bool
) -> Iterator[Check]:
    """The rules of an answer. `name` is where the call is from; `is_whole`: it has all its data."""
    reply, again = target.post(url, request), target.post(url, request)
    if reply.status in (204, 404):
        yield held("S-3", False, f"{name}: answered with {reply.told}")
        return
    if reply.status == 412 and not is_whole:
        return
    text = " although every prefetch key was sent" if reply.status == 412 else ""
    yield held("S-1", reply.status == 200, f"{name}: answered with {reply.told}{text}")
    if reply.status != 200:
        return
    for check in judge_answer(reply.body, patient_of(request)):
        yield check.about(name)
    yield held("S-3", True, "")
    yield held("H-1", bare(reply) == bare(again), f"{name}: a second call gets other cards")


def judge_forms(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """S-6 to S-9: the same call in other words is answered too."""
    context = dict(request["context"])
    besides = {
        "an unknown member of the context": {"context": {**context, "unheardOf": 1}},
        "an unknown member": {"unheardOf": {"a": 1}},
        "an extension": {"extension": {"org.example.unheard-of": 1}},
    }
    for text, members in besides.items():
        reply = target.post(url, anew(request, **members))
        yield held("S-6", reply.status == 200, f"{text}: answered with {reply.told}")
    charset = target.post(url, anew(request), Content_Type="application/json; charset=utf-8")
    yield held("S-6", charset.status == 200, f"a charset: answered with {charset.told}")
    if request["hook"] not in ("encounter-start", "encounter-discharge"):
        without = {name: value for name, value in context.items() if name != "encounterId"}
        reply = target.post(url, anew(request, context=without))
        yield held("S-7", reply.status == 200, f"no encounterId: answered with {reply.told}")
    for type_ in users(request["hook"]):
        user = {"userId": f"{type_}/invented-user"}
        reply = target.post(url, anew(request, context=context | user))
        yield held("S-8", reply.status == 200, f"{type_}: answered with {reply.told}")
    seconds = median(target.post(url, anew(request)).seconds for _ in range(_TIMES))
    yield held("S-9", seconds <= _FAST, f"{seconds * 1000:.0f} ms")


def judge_other_patients(
    target: Target, url: str, requests: Mapping[str, Mapping[str, Any]]
) -> Iterator[Check]:
    """C-8 and H-8: what is about one patient is not about another."""
    seen: dict[str, str] = {}
    for name, request in requests.items():
        reply = target.post(url, anew(request))
        patient = patient_of(request)
        for uuid in _uuids(reply):
            is_new = seen.setdefault(uuid, patient) == patient
            yield held("C-8", is_new, f"{name}: a uuid of another patient's card")
        others = {patient_of(each) for each in requests.values()} - {patient}
        text = reply.content.decode(errors="replace")
        found = [other for other in others if len(other) > 5 and f'"{other}"' in text]
        yield held("H-8", not found, f"{name}: the id of another patient")


def judge_odd_records(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """H-2 to H-4: markup, long texts and faulty resources in each list of the request."""
    searches = [key for key, value in _prefetch(request).items() if _is_bundle(value)]
    if not searches:
        yield not_tried("H-4", "no prefetch key is a search")
        return
    subject = {"reference": f"Patient/{patient_of(request)}"}
    usual = {check.fault for check in judge_answer(target.post(url, anew(request)).body)}
    for rule, resources in _ODD.items():
        for name, members in resources.items():
            entry = [{"resource": {"id": "odd", "subject": subject, **members}}]
            bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entry}
            prefetch = _prefetch(request) | {key: bundle for key in searches}
            reply = target.post(url, anew(request, prefetch=prefetch))
            yield held(rule, reply.is_no_failure, f"{name}: answered with {reply.told}")
            if reply.status == 200:
                for check in judge_answer(reply.body):
                    if check.rule in ("H-2", "C-3", "C-9") and check.fault not in usual - {""}:
                        broken = "H-2" if check.rule == "C-9" else check.rule
                        yield replace(check, rule=broken).about(name)


_MARKUP = "<script>alert(1)</script> [a](javascript:alert(1)) <img src=x onerror=alert(1)>"
_PLAIN: Mapping[str, Any] = {"resourceType": "Condition", "clinicalStatus": "active"}
_ODD: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "H-2": {"markup": {"resourceType": "Condition", "code": {"text": _MARKUP}}},
    "H-3": {
        "a long text": {"resourceType": "Condition", "code": {"text": "long words " * 120}},
        "control characters": {"resourceType": "Condition", "code": {"text": "a\x00b\x1b\u202ec"}},
    },
    "H-4": {
        "an older FHIR": {**_PLAIN, "patient": {"reference": "Patient/1"}, "code": "x"},
        "no code": {"resourceType": "Condition"},
        "no type": {"code": {"text": "nothing"}},
        "wrong types": {"resourceType": 5, "code": [[None]], "subject": "me", "onsetDateTime": {}},
    },
}


def patient_of(request: Mapping[str, Any]) -> str:
    """The id of the patient of a request."""
    return str((request.get("context") or {}).get("patientId", ""))


def bare(reply: Reply) -> Any:
    """An answer without its uuids, to compare."""
    if reply.body is None:
        return None
    return json.loads(json.dumps(reply.body), object_hook=_without_uuid)


def _without_uuid(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "uuid"}


def _uuids(reply: Reply) -> Iterator[str]:
    cards = reply.body.get("cards") if isinstance(reply.body, dict) else None
    for card in cards if isinstance(cards, list) else ():
        if isinstance(card, dict) and isinstance(card.get("uuid"), str):
            yield card["uuid"]


def _prefetch(request: Mapping[str, Any]) -> dict[str, Any]:
    return dict(request.get("prefetch") or {})


def _is_bundle(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Bundle"
