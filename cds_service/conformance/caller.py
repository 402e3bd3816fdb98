"""The HTTP with which a server is looked at from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; without one, `status` is 0 and `trouble` says why. `body` is its JSON, or None.

    `headers` are found in capitals and in small letters.
    """

    status: int
    seconds: float
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict)
    trouble: str = ""
    content: bytes = field(default=b"", repr=False)

    @property
    def resource_type(self) -> str:
        """The type of the FHIR resource in the body; "" if it is none."""
        found = self.body.get("resourceType") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def kind(self) -> str:
        """The media type."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_success(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether the server says that what was asked is wrong."""
        return 400 <= self.status < 500

    @property
    def is_no_failure(self) -> bool:
        """Whether the server answered, and did not fail: done, led elsewhere or refused."""
        return 200 <= self.status < 500

    @property
    def told(self) -> str:
        """The status, or why there is none."""
        return str(self.status) if self.status else self.trouble

    def skew(self, now: datetime) -> float:
        """The seconds by which the clock of the server differs from `now`; 0 if it says nothing."""
        try:
            return abs((parsedate_to_datetime(self.headers["Date"]) - now).total_seconds())
        except (KeyError, TypeError, ValueError):
            return 0.0


class Caller:
    """Asks one server, with no redirects and no proxies, `seconds` at most for each answer."""

    def __init__(self, *, seconds: float = 30.0, authorities: Path | None = None) -> None:
        self._seconds = seconds
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(authorities) if authorities else True

    def ask(
        self,
        url: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """What the server answers; no error of the network raises."""
        began = perf_counter()
        try:
            response = self._session.request(
                method,
                url,
                headers=dict(headers or {}),
                data=body,
                timeout=self._seconds,
                allow_redirects=False,
                stream=True,
            )
            content = response.raw.read(_MOST_BYTES, decode_content=True)
        except requests.exceptions.SSLError:
            return Reply(0, perf_counter() - began, trouble="its certificate is not trusted")
        except requests.exceptions.Timeout:
            return Reply(0, perf_counter() - began, trouble=f"no answer in {self._seconds:.0f} s")
        except (requests.RequestException, OSError):
            return Reply(0, perf_counter() - began, trouble="no connection, or it was lost")
        seconds = perf_counter() - began
        status, headers_ = response.status_code, response.headers
        return Reply(status, seconds, _json(content), headers_, content=content)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
