"""Whether a service knows who calls, where it asks; and calls nobody wrong, where it does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Check, held
from cds_service.conformance.target import Target, anew

_REASONS = re.compile(
    r"expired|signature|audience|issuer|\bjti\b|\bkid\b|\balg\b|algorithm|decod|malformed|jwt",
    re.IGNORECASE,
)


def judge_open_service(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """T-1 and T-2: nobody is asked for a token, but clients send one all the same."""
    strange = {
        ("T-1", "a token of an unknown client"): f"Bearer {_unsigned(_claims(url), 'RS384')}",
        ("T-2", "another scheme"): "Basic aW52ZW50ZWQ6aW52ZW50ZWQ=",
        ("T-2", "nonsense"): "Bearer no-token",
    }
    for (rule, text), header in strange.items():
        reply = target.post(url, anew(request), Authorization=header)
        yield held(rule, reply.status == 200, f"{text}: answered with {reply.told}")


def judge_tokens(target: Target, url: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """T-3 to T-8: only a token that is right, for this address and new, opens the service."""
    if target.sign is None:
        return
    refused = []
    for method, address in (("GET", target.discovery), ("POST", url), ("POST", f"{url}/feedback")):
        body = json.dumps(request).encode() if method == "POST" else None
        reply = target.ask(address, method, body, token=None)
        refused.append(reply)
        name = address.removeprefix(target.base)
        yield held("T-3", reply.status == 401, f"{name}: answered with {reply.told}")

    def with_token(token: str) -> Reply:
        return target.ask(url, "POST", json.dumps(anew(request)).encode(), token=token)

    token = target.sign(url)
    claims = _payload(token) or _claims(url)
    forged = {
        "no algorithm": _unsigned(claims | {"jti": str(uuid4())}, "none"),
        "a shared secret": _with_secret(claims | {"jti": str(uuid4())}),
    }
    for text, each in forged.items():
        refused.append(reply := with_token(each))
        yield held("T-5", reply.status == 401, f"{text}: answered with {reply.told}")
    wrong = {
        "another signature": _other_signature(target.sign(url)),
        "a token for another address": target.sign(f"{url}/another"),
        "no token at all": "a.b.c",
    }
    for text, each in wrong.items():
        refused.append(reply := with_token(each))
        yield held("T-7", reply.status == 401, f"{text}: answered with {reply.told}")
    first = with_token(token)
    yield held("S-1", first.status == 200, f"with a right token: answered with {first.told}")
    again = with_token(token)
    yield held("T-8", again.status == 401, f"a used token is answered with {again.told}")
    for reply in refused:
        if reply.status == 401:
            found = _REASONS.search(reply.content.decode(errors="replace"))
            yield held("T-4", not found, f"it says {found[0] if found else ''}")


def _claims(url: str) -> dict[str, Any]:
    """Claims without a time: every token of this kind has to be refused for its signature."""
    return {"iss": "https://unknown.example.org", "aud": url, "jti": str(uuid4()), "exp": 1 << 32}


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _json(value: Mapping[str, Any]) -> str:
    return _part(json.dumps(value).encode())


def _unsigned(claims: Mapping[str, Any], algorithm: str) -> str:
    header = {"alg": algorithm, "kid": "invented", "typ": "JWT"}
    signature = "" if algorithm == "none" else _part(b"invented" * 48)
    return f"{_json(header)}.{_json(claims)}.{signature}"


def _with_secret(claims: Mapping[str, Any]) -> str:
    signed = f"{_json({'alg': 'HS256', 'kid': 'invented', 'typ': 'JWT'})}.{_json(claims)}"
    digest = hmac.new(b"secret", signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_part(digest)}"


def _other_signature(token: str) -> str:
    """The token with some of its signature turned around."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[::-1]}"


def _payload(token: str) -> dict[str, Any] | None:
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None
