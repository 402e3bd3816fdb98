"""Whether a service lives with everything that clients send as prefetch, and with a dead server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.conformance.checks import Check, held, not_tried
from cds_service.conformance.target import Target, anew

_OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden"}],
}
_NOTHING = {"resourceType": "Bundle", "type": "searchset"}
# No server ever has this name.
_NOBODY = "https://fhir.example.invalid/r4"
_SECRET = "an-access-token-that-must-not-come-back"  # noqa: S105 - it opens nothing
_LONGEST = 10.0


def has_all(templates: Mapping[str, str], request: Mapping[str, Any]) -> bool:
    """Whether a call brings what each template asks for, and no error in its place."""
    sent = request.get("prefetch") or {}
    found = [sent.get(key) for key in templates]
    return all(isinstance(each, dict) and _is_data(each) for each in found)


def _is_data(value: Mapping[str, Any]) -> bool:
    return value.get("resourceType") not in (None, "OperationOutcome")


def judge_prefetch(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """PR-1 to PR-7, T-6, FA-1 and FA-4."""
    prefetch = dict(request.get("prefetch") or {})
    if not prefetch:
        yield not_tried("PR-1", "the service has no prefetch templates")
        yield from _dead_server(target, url, request, {})
        return
    patient = {"reference": f"Patient/{request['context'].get('patientId')}"}
    entry = [{"resource": {"resourceType": "Basic", "id": "invented", "subject": patient}}]
    paged = {
        **_NOTHING,
        "entry": entry,
        "link": [{"relation": "next", "url": f"{_NOBODY}/Condition?page=2"}],
    }
    with_outcome = {**_NOTHING, "entry": [{"resource": _OUTCOME, "search": {"mode": "outcome"}}]}
    for key, value in prefetch.items():
        is_search = isinstance(value, dict) and value.get("resourceType") == "Bundle"
        states: list[tuple[str, str, Any]] = [
            ("PR-1", "null", None),
            ("PR-2", "an OperationOutcome", _OUTCOME),
            ("PR-3", "missing", ...),
        ]
        if is_search:
            states += [
                ("PR-5", "an empty Bundle", _NOTHING),
                ("PR-5", "a Bundle with an OperationOutcome", with_outcome),
                ("PR-6", "more pages", paged),
            ]
        for rule, text, sent in states:
            changed = {name: each for name, each in prefetch.items() if name != key}
            if sent is not ...:
                changed[key] = sent
            status = target.post(url, anew(request, prefetch=changed)).status
            expected = (200,) if rule == "PR-5" and text == "an empty Bundle" else (200, 412)
            yield held(rule, status in expected, f"{key} as {text}: answered with {status}")
        for odd in ("text", [value], 7, {"resourceType": "Binary"}):
            status = target.post(url, anew(request, prefetch={**prefetch, key: odd})).status
            is_well = status in (200, 400, 412, 422)
            yield held("PR-7", is_well, f"{key} as {type(odd).__name__}: answered with {status}")
    nothing: Any
    for nothing in (..., {}, None):
        without = target.post(url, anew(request, fhirServer=..., prefetch=nothing))
        is_answer = without.status in (200, 412)
        yield held("PR-4", is_answer, f"no prefetch: answered with {without.told}")
        if without.status == 200:
            text = "no prefetch: answered with 200"
            yield held("PR-4", False, text, only_warns=True)
    yield from _dead_server(target, url, request, prefetch)


def _dead_server(
    target: Target, url: str, request: Mapping[str, Any], prefetch: Mapping[str, Any]
) -> Iterator[Check]:
    authorization = {
        "access_token": _SECRET,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "invented",
    }
    whole = anew(request, fhirServer=_NOBODY, fhirAuthorization=authorization)
    for call in (whole, anew(whole, prefetch={})) if prefetch else (whole,):
        reply = target.post(url, call)
        yield held("FA-1", reply.status in (200, 412), f"answered with {reply.told}")
        yield held("FA-4", reply.seconds <= _LONGEST, f"{reply.seconds:.0f} s")
        headers = " ".join(map(str, reply.headers.values()))
        is_kept = _SECRET.encode() not in reply.content and _SECRET not in headers
        yield held("T-6", is_kept, "the access token is in the answer")
