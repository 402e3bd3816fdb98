"""Whether feedback is taken in every form, and nonsense refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from cds_service.conformance.checks import Check, held
from cds_service.conformance.target import Target

_AT = "2026-01-02T03:04:05.678Z"
_REASON = {"code": "invented", "system": "https://codes.example.org", "display": "Invented"}
_NONSENSE: tuple[Any, ...] = (
    *(b"{", [], None, {}, {"feedback": None}, {"feedback": "text"}, {"feedback": {}}),
    {"feedback": ["text"]},
)


def _entry(**members: Any) -> dict[str, Any]:
    """Feedback on a card that was never shown."""
    entry = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": _AT, **members}
    return {name: value for name, value in entry.items() if value is not ...}


def _accepted(**members: Any) -> dict[str, Any]:
    taken = {"outcome": "accepted", "acceptedSuggestions": [{"id": str(uuid4())}]}
    return _entry(**taken | members)


def judge_feedback(target: Target, url: str) -> Iterator[Check]:
    """F-1 to F-7. A service without feedback answers 404, and nothing else is tried."""
    address = f"{url}/feedback"
    first = target.post(address, {"feedback": [_entry()]})
    if not first.is_success and first.status != 400:
        yield held("F-1", first.status == 404, f"answered with {first.told}")
        return
    forms = {
        "overridden": [_entry()],
        "an accepted suggestion": [_accepted()],
        "two accepted suggestions": [_accepted(acceptedSuggestions=[{"id": "a"}, {"id": "b"}])],
        "a reason": [_entry(overrideReason={"reason": _REASON})],
        "a reason and a comment": [
            _entry(overrideReason={"reason": _REASON, "userComment": "invented"})
        ],
        "a comment": [_entry(overrideReason={"userComment": "invented"})],
        "no milliseconds": [_entry(outcomeTimestamp="2026-01-02T03:04:05Z")],
        "several entries": [_entry(), _accepted(), _entry()],
        "an extension": [_entry(extension={"org.example.invented": 1})],
    }
    for text, entries in forms.items():
        reply = target.post(address, {"feedback": entries})
        yield held("F-2", reply.is_success, f"{text}: answered with {reply.told}")
    reason = {key: value for key, value in _REASON.items() if key == "code"}
    reply = target.post(address, {"feedback": [_entry(overrideReason={"reason": reason})]})
    text = f"a reason without system: answered with {reply.told}"
    yield held("F-2", reply.is_success, text, only_warns=True)
    for unknown in ([_entry(card="never-shown")], []):
        reply = target.post(address, {"feedback": unknown})
        yield held("F-3", reply.is_no_failure, f"answered with {reply.told}")
    for body in _NONSENSE:
        reply = target.post(address, body)
        yield held("F-4", reply.is_refusal, f"{body!r}: answered with {reply.told}")
    lacking = {
        "no card": _entry(card=...),
        "no outcome": _entry(outcome=...),
        "an unknown outcome": _entry(outcome="ignored"),
        "no time": _entry(outcomeTimestamp=...),
        "no suggestions": _accepted(acceptedSuggestions=...),
    }
    for text, entry in lacking.items():
        reply = target.post(address, {"feedback": [entry]})
        fault = f"{text}: answered with {reply.told}"
        yield held("F-5", reply.is_refusal, fault, only_warns=reply.status < 500)
    unknown_service = target.post(f"{url}-unheard-of/feedback", {"feedback": [_entry()]})
    is_404 = unknown_service.status == 404
    yield held("F-6", is_404, f"answered with {unknown_service.told}")
    got = target.get(address)
    yield held("F-7", got.status == 405, f"answered with {got.told}")
