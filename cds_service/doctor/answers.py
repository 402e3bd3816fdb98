"""Whether discovery and answers are as CDS Hooks wants them, judged from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from cds_service.fhir.profiles import LONGEST
from cds_service.knowledge.record.fhir_json import listed
from cds_service.wire.hooks import HOOKS
from cds_service.wire.responses import SUMMARY_UNITS

_TOKEN = re.compile(r"\{\{ *([^{}]*?) *\}\}")
_INDICATORS = ("info", "warning", "critical")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def invented_call(templates: Mapping[str, str]) -> dict[str, Any]:
    """A call with the chart of an invented adult with nothing on record."""
    person = {"resourceType": "Patient", "id": "invented", "birthDate": "1980-01-01"}
    nothing = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/doctor", "patientId": "invented"},
        "prefetch": {
            key: person if template.startswith("Patient/") else nothing
            for key, template in templates.items()
        },
    }


def faults_of_entry(entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one service of discovery."""
    for member in ("id", "hook", "description"):
        if not isinstance(entry.get(member), str) or not entry[member]:
            yield f"{member} is missing"
    if isinstance(entry.get("hook"), str) and entry["hook"] not in HOOKS:
        yield f"the hook {entry['hook']} is not in the library"
    templates = entry.get("prefetch") or {}
    for key, template in templates.items():
        if not isinstance(template, str):
            yield f"the template of {key} is no text"
        elif len(template) >= LONGEST:
            yield f"the template of {key} has {len(template)} characters"
        elif not all(name.startswith("context.") for name in _TOKEN.findall(template)):
            yield f"the template of {key} has a token that clients cannot fill"


def faults_of_answer(answer: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of an answer."""
    if not isinstance(answer.get("cards"), list):
        return ["it has no list of cards"]
    cards = list(listed(answer["cards"]))
    found = [text for card in cards for text in _faults_of_card(card)]
    uuids = [card.get("uuid") for card in cards]
    if len(set(map(str, uuids))) < len(uuids):
        found.append("two cards have one uuid")
    if "systemActions" in answer:
        found.append("it has systemActions, which this service never sends")
    return found


def _faults_of_card(card: Mapping[str, Any]) -> Iterator[str]:
    summary = card.get("summary")
    if not isinstance(summary, str) or not summary:
        yield "a card has no summary"
    elif len(summary.encode("utf-16-le", "replace")) // 2 > SUMMARY_UNITS:
        yield "a summary is longer than clients show"
    if card.get("indicator") not in _INDICATORS:
        yield "a card has no indicator that clients know"
    source = card.get("source")
    if not isinstance(source, dict) or not source.get("label"):
        yield "a card has no source"
    if not _UUID.fullmatch(str(card.get("uuid"))):
        yield "a card has no uuid"
