"""What a trial found, as JUnit and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cds_service.conformance.checks import Outcome, Result
from cds_service.wire.responses import CDS_HOOKS_VERSION


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many rules there are of each outcome."""
    found = dict.fromkeys((each.value for each in Outcome), 0)
    for result in results:
        found[result.outcome.value] += 1
    return found


def as_data(base: str, results: Sequence[Result]) -> dict[str, Any]:
    """The trial as plain data: the address, counts, and each result."""
    return {
        "base": base,
        "cdsHooks": CDS_HOOKS_VERSION,
        "counts": {name.lower(): count for name, count in counts(results).items()},
        "results": [
            {
                "rule": result.rule.id,
                "level": result.rule.level,
                "sentence": result.rule.sentence,
                "place": result.place,
                "outcome": result.outcome.value.lower(),
                "checks": result.tried,
                "faults": result.faults,
            }
            for result in results
        ],
    }


def junit(base: str, results: Sequence[Result]) -> bytes:
    """The trial as JUnit XML: a suite for each place, a case for each rule.

    A warning is a case that passed, with its text as output; what was not tried is skipped.
    """
    root = Element("testsuites", {"name": f"CDS Hooks {CDS_HOOKS_VERSION}"} | _totals(results))
    for place, of_place in groupby(results, key=lambda result: result.place):
        cases = list(of_place)
        suite = SubElement(root, "testsuite", {"name": _plain(place)} | _totals(cases))
        properties = SubElement(suite, "properties")
        SubElement(properties, "property", name="base", value=_plain(base))
        for result in cases:
            name = f"{result.rule.id} {result.rule.sentence}"
            case = SubElement(suite, "testcase", name=name, classname=_plain(place), time="0")
            _tell(case, result)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _tell(case: Element, result: Result) -> None:
    text = _plain(result.text)
    if result.outcome is Outcome.FAILED:
        failure = SubElement(case, "failure", message=text, type=result.rule.level)
        failure.text = _plain("\n".join(result.faults))
    elif result.outcome is Outcome.NOT_TRIED:
        SubElement(case, "skipped", message=text)
    elif result.outcome is Outcome.WARNED:
        SubElement(case, "system-out").text = f"warning: {text}"


def _totals(results: Sequence[Result]) -> dict[str, str]:
    found = counts(results)
    return {
        "tests": str(len(results)),
        "failures": str(found[Outcome.FAILED.value]),
        "errors": "0",
        "skipped": str(found[Outcome.NOT_TRIED.value]),
        "time": "0",
    }


def _plain(text: str) -> str:
    """Text of a stranger without the characters that XML cannot hold."""
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)
