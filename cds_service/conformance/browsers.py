"""Whether pages in a browser may call: CORS."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Check, held
from cds_service.conformance.target import Target

_FOREIGN = "https://foreign.example.com"


def _lets(reply: Reply, origin: str) -> bool:
    return reply.headers.get("access-control-allow-origin") in ("*", origin)


def judge_preflight(target: Target, url: str, method: str) -> Iterator[Check]:
    """X-1 to X-3 for one address."""
    asks = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    reply = target.ask(url, "OPTIONS", headers=asks)
    name = url.removeprefix(target.base)
    yield held("X-1", reply.is_success, f"{name}: answered with {reply.told}")
    if not reply.is_success:
        return
    yield held("X-2", _lets(reply, target.origin), f"{name}: {target.origin} may not call")
    methods = reply.headers.get("access-control-allow-methods", "").upper()
    # GET, HEAD and POST are always allowed to a browser.
    yield held("X-2", method in methods or not methods, f"{name}: {method} is not allowed")
    headers = reply.headers.get("access-control-allow-headers", "").lower()
    for header in ("authorization", "content-type"):
        is_allowed = header in headers or (headers == "*" and header != "authorization")
        yield held("X-3", is_allowed, f"{name}: {header} is not allowed")


def judge_answers_to_pages(target: Target, sound: Reply, error: Reply) -> Iterator[Check]:
    """X-4 to X-7: what comes with answers and with errors."""
    yield held("X-4", _lets(sound, target.origin), f"{target.origin} may not read it")
    yield held("X-5", _lets(error, target.origin), f"{target.origin} may not read it")
    origin = sound.headers.get("access-control-allow-origin")
    vary = sound.headers.get("vary", "").lower()
    is_said = origin != target.origin or "origin" in vary or vary == "*"
    yield held("X-6", is_said, "Vary does not name Origin")
    foreign = target.ask(target.discovery, headers={"Origin": _FOREIGN}).headers
    may_send = foreign.get("access-control-allow-credentials", "").lower() == "true"
    is_open = foreign.get("access-control-allow-origin") == _FOREIGN
    yield held("X-7", not (may_send and is_open), "any origin may send credentials")
