"""Whether wrong calls are refused, and hostile ones survived."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Check, held
from cds_service.conformance.invented import required_members
from cds_service.conformance.target import Target, anew

_SEVERITIES = ("fatal", "error", "warning", "information")
_INSIDE = re.compile(
    r"Traceback \(most recent|File \"[^\"]+\", line \d+|\bat [\w$.]+\([\w$]+\.java:\d+\)"
    r"|^\s+at .+:\d+:\d+|/(home|usr|opt|var|app|srv)/[\w/.-]+|[A-Z]:\\\\",
    re.MULTILINE,
)
_NO_JSON = (b"", b"{", b"no json", b"{'hook': 1}", b'{"a": 1,}', b"\xff\xfe", b"<a/>")
_NO_OBJECT = (b"[]", b"null", b"7", b'"text"')
_DEEP = 60_000
_LONG = 8 * 1024 * 1024


def judge_wrong_calls(
    target: Target, url: str, request: Mapping[str, Any], other_hook: str | None
) -> Iterator[Check]:
    """N-1 to N-13: what is wrong is answered with 4xx."""

    def refused(rule: str, text: str, reply: Reply, *, accepting_warns: bool = False) -> Check:
        only_warns = accepting_warns and reply.status == 200
        fault = f"{text}: answered with {reply.told}"
        return held(rule, reply.is_refusal, fault, only_warns=only_warns)

    for body in _NO_JSON:
        yield refused("N-1", f"{body[:12]!r}", target.post(url, body))
    for body in _NO_OBJECT:
        yield refused("N-2", f"{body[:12]!r}", target.post(url, body))
    if other_hook:
        yield refused("N-3", other_hook, target.post(url, anew(request, hook=other_hook)))
    for hook in ("unheard-of", ...):
        text = "no hook" if hook is ... else "an unknown hook"
        yield refused("N-4", text, target.post(url, anew(request, hook=hook)))
    without = target.post(url, anew(request, hookInstance=...))
    yield refused("N-5", "no hookInstance", without, accepting_warns=True)
    odd = target.post(url, anew(request, hookInstance="no-uuid"))
    yield held("N-6", odd.is_no_failure, f"answered with {odd.told}")
    nothing: Any
    for nothing in (..., None, [], "text"):
        text = "no context" if nothing is ... else f"the context {nothing!r}"
        yield refused("N-7", text, target.post(url, anew(request, context=nothing)))
    context = request["context"]
    for name in ("patientId", *required_members(str(request["hook"]))):
        bare = {key: value for key, value in context.items() if key != name}
        reply = target.post(url, anew(request, context=bare))
        yield refused("N-8", f"no {name}", reply, accepting_warns=name != "patientId")
    wrong: Mapping[str, Any] = {
        "hook": 7,
        "context": {**context, "patientId": {"a": 1}},
        "prefetch": "text",
        "fhirServer": ["text"],
    }
    for name, value in wrong.items():
        reply = target.post(url, anew(request, **{name: value}))
        is_loose = name in ("prefetch", "fhirServer")
        yield refused("N-9", f"a wrong {name}", reply, accepting_warns=is_loose)
    token = {"access_token": "none", "token_type": "Bearer", "expires_in": 1, "scope": "none"}
    reply = target.post(url, anew(request, fhirServer=..., fhirAuthorization=token))
    yield refused("N-10", "fhirAuthorization alone", reply, accepting_warns=True)
    unknown = target.post(f"{url}-unheard-of", request)
    yield held("N-11", unknown.status == 404, f"an unknown id: answered with {unknown.told}")
    for method in ("GET", "PUT", "DELETE"):
        reply = target.ask(url, method)
        allowed = reply.headers.get("allow", "")
        yield held("N-12", reply.status == 405, f"{method} is answered with {reply.told}")
        if reply.status == 405:
            yield held("N-12", "POST" in allowed, f"{method}: Allow says {allowed or 'nothing'}")
    foreign = target.post(url, anew(request), Content_Type="text/plain")
    yield refused("N-13", "text/plain", foreign, accepting_warns=True)
    none = target.post(url, anew(request), Content_Type="")
    yield held("N-13", none.is_no_failure, f"no media type: answered with {none.told}")


def judge_hostile_calls(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """N-14 to N-20: nothing makes the service fail."""
    bodies = {
        ("N-14", "NaN"): b'{"hook": NaN}',
        ("N-14", "a lone surrogate"): b'{"hook": "\\ud800", "context": {"patientId": "\\udfff"}}',
        ("N-14", "5000 digits"): b'{"hook": ' + b"9" * 5000 + b"}",
        ("N-15", "nesting"): b'{"hook":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        ("N-16", "8 MiB"): b'{"hook": "' + b"x" * _LONG + b'"}',
    }
    for (rule, text), body in bodies.items():
        reply = target.post(url, body)
        # A server may close the connection of a body that is too long for it.
        is_well = reply.is_no_failure or (rule == "N-16" and not reply.status)
        yield held(rule, is_well, f"{text}: answered with {reply.told}")
    alive = target.post(url, anew(request))
    yield held("N-20", alive.status == 200, f"answered with {alive.told}")


def judge_errors(replies: list[tuple[str, Reply]]) -> Iterator[Check]:
    """E-1 to E-3 for every answer that was no success; a 401 may be empty."""
    for asked, reply in replies:
        if reply.status < 400:
            continue
        text = f"{asked}: the {reply.status}"
        if reply.status != 401 or reply.content:
            is_outcome = reply.resource_type == "OperationOutcome"
            yield held("E-1", is_outcome, f"{text} is no OperationOutcome")
        inside = _INSIDE.search(reply.content.decode(errors="replace"))
        yield held("E-2", not inside, f"{text} shows something from inside")
        if reply.resource_type == "OperationOutcome":
            issues = reply.body.get("issue")
            are_sound = isinstance(issues, list) and issues and all(map(_is_issue, issues))
            yield held("E-3", are_sound, f"{text} has an issue without severity or code")


def _is_issue(issue: Any) -> bool:
    if not isinstance(issue, dict) or issue.get("severity") not in _SEVERITIES:
        return False
    return isinstance(issue.get("code"), str) and bool(issue["code"])
