"""What a look at a server finds, and the HTTP with which it looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Any

import requests

MOST_SKEW = 60  # seconds between two clocks, as for tokens
_MOST_BYTES = 64 * 1024 * 1024


class Level(StrEnum):
    """How much a finding matters."""

    WELL = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; `about` is a prefetch key or a part, `mend` what to do."""

    level: Level
    about: str
    text: str
    mend: str = ""


def well(about: str, text: str) -> Finding:
    return Finding(Level.WELL, about, text)


def note(about: str, text: str, mend: str = "") -> Finding:
    return Finding(Level.NOTE, about, text, mend)


def fault(about: str, text: str, mend: str) -> Finding:
    return Finding(Level.FAULT, about, text, mend)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; without one, `status` is 0 and `trouble` says why. `body` is its JSON, or None."""

    status: int
    seconds: float
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""

    @property
    def resource_type(self) -> str:
        """The type of the FHIR resource in the body; "" if it is none."""
        found = self.body.get("resourceType") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def kind(self) -> str:
        """The media type."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

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
        return Reply(response.status_code, seconds, _json(content), response.headers)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
