"""The service that is tried: its addresses, and how it is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cds_service.conformance.caller import Caller, Reply
from cds_service.setting_types import is_loopback

# A new token for the call of an address.
Sign = Callable[[str], str]
_USUAL: Mapping[str, str] = {"Accept": "application/json", "Content-Type": "application/json"}


class Target:
    """A CDS Service at a base address; every reply is kept in `replies`, with what was asked.

    `sign` makes the tokens, where the service asks for them; `origin` is that of a browser.
    """

    def __init__(self, caller: Caller, base: str, *, sign: Sign | None, origin: str) -> None:
        self._caller = caller
        self.base = base.rstrip("/")
        self.discovery = f"{self.base}/cds-services"
        self.sign = sign
        self.origin = origin
        self.is_here = is_loopback(urlsplit(base).hostname or "")
        self.replies: list[tuple[str, Reply]] = []

    def url(self, service_id: str) -> str:
        """The address of one service."""
        return f"{self.discovery}/{service_id}"

    def get(self, url: str) -> Reply:
        return self.ask(url)

    def post(self, url: str, body: Any, **headers: str) -> Reply:
        """The answer to a POST; bytes are sent as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(url, "POST", content, headers)

    def ask(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = "",
    ) -> Reply:
        """The answer, with a new token unless another one, or none, is given.

        An underscore in the name of a header stands for a hyphen; an empty text leaves it out.
        """
        if token == "":
            token = self.sign(url) if self.sign and method != "OPTIONS" else None
        sent = dict(_USUAL) | {"Origin": self.origin}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        sent |= {name.replace("_", "-"): text for name, text in (headers or {}).items()}
        kept = {name: text for name, text in sent.items() if text}
        reply = self._caller.ask(url, method, headers=kept, body=body)
        self.replies.append((f"{method} {urlsplit(url).path}", reply))
        return reply


def anew(request: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """The request as a new call, with these members; `...` leaves one out."""
    changed = {**request, "hookInstance": str(uuid4()), **members}
    return {name: value for name, value in changed.items() if value is not ...}
