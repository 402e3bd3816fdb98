"""Whether discovery and answers are as CDS Hooks wants them, in sentences for an operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service.conformance.answers import judge_answer
from cds_service.conformance.checks import Check
from cds_service.conformance.discovery import judge_entry
from cds_service.conformance.rules import RULES
from cds_service.fhir.profiles import LONGEST


def faults_of_entry(entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one service of discovery."""
    yield from _told(judge_entry(entry))
    for key, template in templates_of(entry).items():
        if isinstance(template, str) and len(template) >= LONGEST:
            yield f"the template of {key} has {len(template)} characters"


def templates_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The prefetch templates of one service of discovery; none if they have another shape."""
    prefetch = entry.get("prefetch")
    return prefetch if isinstance(prefetch, dict) else {}


def faults_of_answer(answer: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of an answer."""
    return list(_told(judge_answer(answer)))


def _told(checks: Iterable[Check]) -> Iterator[str]:
    for check in checks:
        if check.fault:
            rule = RULES[check.rule]
            yield f"{check.fault} ({rule.id}: {rule.sentence.removesuffix('.')})"
