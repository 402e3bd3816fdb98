"""The whole trial of a service: every check, place by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.conformance.browsers import judge_answers_to_pages, judge_preflight
from cds_service.conformance.calls import (
    judge_call,
    judge_forms,
    judge_odd_records,
    judge_other_patients,
)
from cds_service.conformance.checks import Check, Result, not_tried, results
from cds_service.conformance.discovery import judge_discovery, judge_entry
from cds_service.conformance.errors import judge_errors, judge_hostile_calls, judge_wrong_calls
from cds_service.conformance.feedback import judge_feedback
from cds_service.conformance.invented import invented_call
from cds_service.conformance.json_text import judge_body
from cds_service.conformance.prefetch import has_all, judge_prefetch
from cds_service.conformance.target import Target, anew
from cds_service.conformance.trust import judge_open_service, judge_tokens
from cds_service.wire.hooks import HOOKS

DISCOVERY = "discovery"
EVERY_ANSWER = "every answer"


def examine(target: Target, requests: Mapping[str, Mapping[str, Any]]) -> Iterator[Result]:
    """What came of each rule, place by place, as it is known.

    `requests` are calls of CDS Hooks about invented people, by name; each service also gets one
    about an invented adult with nothing on record. Places are `discovery`, the id of each service,
    and `every answer`.
    """
    yield from results(DISCOVERY, judge_discovery(target))
    body = target.replies[0][1].body
    services = body.get("services") if isinstance(body, dict) else None
    entries = [each for each in services or () if isinstance(each, dict)]
    hooks = {entry.get("hook") for entry in entries}
    for entry in entries:
        place = str(entry.get("id"))
        others = sorted(map(str, hooks - {entry.get("hook"), None}))
        other_hook = (others or [_another(entry.get("hook"))])[0]
        yield from results(place, _service(target, entry, requests, other_hook))
    yield from results(EVERY_ANSWER, _every_answer(target))


def _service(
    target: Target,
    entry: Mapping[str, Any],
    requests: Mapping[str, Mapping[str, Any]],
    other_hook: str,
) -> Iterator[Check]:
    yield from judge_entry(entry)
    id_, hook = entry.get("id"), entry.get("hook")
    if not isinstance(id_, str) or not isinstance(hook, str):
        return
    url = target.url(id_)
    calls = {name: call for name, call in requests.items() if call.get("hook") == hook}
    found = entry.get("prefetch")
    templates = found if isinstance(found, dict) else {}
    templates = {key: each for key, each in templates.items() if isinstance(each, str)}
    if hook in HOOKS:
        calls = {"an invented adult": invented_call(hook, templates)} | calls
    if not calls:
        yield not_tried("S-1", f"no request has the hook {hook}; name a file with one")
        return
    for name, call in calls.items():
        is_whole = has_all(templates, call)
        yield from judge_call(target, url, name, call, is_whole=is_whole)
    first = next(iter(calls.values()))
    sound = target.post(url, anew(first))
    if sound.status != 200:  # everything else would be that fault again
        return
    yield from judge_forms(target, url, first)
    yield from judge_other_patients(target, url, calls)
    yield from judge_prefetch(target, url, first)
    yield from judge_odd_records(target, url, first)
    yield from judge_wrong_calls(target, url, first, other_hook)
    yield from judge_feedback(target, url)
    addresses = ((target.discovery, "GET"), (url, "POST"), (f"{url}/feedback", "POST"))
    for address, method in addresses:
        yield from judge_preflight(target, address, method)
    yield from judge_answers_to_pages(target, sound, target.post(url, b"{"))
    if target.sign is None:
        yield from judge_open_service(target, url, first)
    yield from judge_tokens(target, url, first)
    yield from judge_hostile_calls(target, url, first)


def _every_answer(target: Target) -> Iterator[Check]:
    for asked, reply in target.replies:
        if reply.status == 200 and not asked.startswith("OPTIONS"):
            for check in judge_body(reply):
                yield check.about(asked)
    yield from judge_errors(target.replies)


def _another(hook: Any) -> str:
    return "order-sign" if hook == "patient-view" else "patient-view"
