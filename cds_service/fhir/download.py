"""Downloads one address of a FHIR server: all its pages, with one retry and the call's limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum
from threading import Lock
from time import sleep
from typing import Any, cast
from urllib.parse import urljoin

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cds_service.errors import UnreadableBody
from cds_service.fhir.addresses import Base
from cds_service.fhir.connections import AddressBarred
from cds_service.fhir.prefetch import entries_of, next_page
from cds_service.knowledge.call import Resource
from cds_service.wire.json_text import read_json

_CHUNK = 64 * 1024
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json(\+fhir)?", re.IGNORECASE)
_TRY_LATER = (429, 503)


class Outcome(StrEnum):
    """The outcome of fetching one prefetch key."""

    FETCHED = "fetched"
    IN_PART = "in-part"  # some pages; the rest is missing because of a limit or an error
    LATE = "late"  # the call had no time left
    UNREACHABLE = "unreachable"  # no connection, or lost twice
    REFUSED = "refused"  # a status other than 200 and 404
    ABSENT = "absent"  # 404: the server has no such resources
    UNREADABLE = "unreadable"  # not FHIR JSON, not what was asked for, or too much
    BARRED = "barred"  # the operator does not allow this address
    SUSPENDED = "suspended"  # the server failed several calls and is not called for a while


class NotFetched(Exception):
    """Why an answer of the FHIR server is missing or cannot be used."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class _Again(NotFetched):
    """The same, but it is worth trying again after some seconds."""

    def __init__(self, outcome: Outcome, after: float) -> None:
        super().__init__(outcome)
        self.after = after


class Allowance:
    """The time, bytes and resources that a call has left; its downloads share them."""

    def __init__(
        self, *, deadline: float, size: int, resources: int, timer: Callable[[], float]
    ) -> None:
        self._deadline = deadline
        self._bytes = size
        self._resources = resources
        self.timer = timer
        self._lock = Lock()

    @property
    def seconds(self) -> float:
        """How long the call may still wait; 0 if there is no time left."""
        return max(0.0, self._deadline - self.timer())

    def seconds_left(self) -> float:
        """The same; raises NotFetched if there is no time left."""
        seconds = self.seconds
        if not seconds:
            raise NotFetched(Outcome.LATE)
        return seconds

    def take_bytes(self, count: int) -> None:
        """Count bytes that were read. Raises NotFetched if the call has read too many."""
        with self._lock:
            self._bytes -= count
            if self._bytes < 0:
                raise NotFetched(Outcome.UNREADABLE)

    def take_resources(self, count: int) -> int:
        """Count resources; returns how many of them may be kept."""
        with self._lock:
            taken = min(count, self._resources)
            self._resources -= taken
            return taken


class Download:
    """One address of the server of `base`, read by `run` in its own thread.

    `value` can be read at any time. It is a resource, or the Bundle of all pages so far, with a
    `next` link as long as pages are missing; None if there is no data.
    """

    def __init__(
        self,
        session: requests.Session,
        base: Base,
        address: str,
        *,
        headers: Mapping[str, str],
        allowance: Allowance,
        pages: int,
        bundle: Resource | None = None,
    ) -> None:
        self._session = session
        self._base = base
        self._headers = headers
        self._allowance = allowance
        self._pages = pages
        self._first = bundle
        self._entries: list[Any] = list(entries_of(bundle or {}) or ())
        self._links: Any = None  # of the last page, exactly as received
        self._next: str | None = address
        self._fault: Outcome | None = Outcome.LATE
        self._began: float | None = None
        self._ended: float | None = None
        self.requests = 0
        self.answered = False

    @property
    def value(self) -> Any:
        if self._first is None or self._first.get("resourceType") != "Bundle":
            return self._first
        links = [{"relation": "next"}] if self._next else self._links
        return self._first | {"entry": self._entries.copy(), "link": links}

    @property
    def outcome(self) -> Outcome:
        """FETCHED if the data is complete, IN_PART if some of it is there; otherwise the error."""
        if self._next is None:
            return Outcome.FETCHED
        if self._first is None:
            return self._fault or Outcome.IN_PART
        return Outcome.IN_PART

    @property
    def seconds(self) -> float:
        """How long the server has had so far, without the time in our own queue."""
        if self._began is None:
            return 0.0
        return (self._ended or self._allowance.timer()) - self._began

    def run(self) -> None:
        """Read all pages, within the limits. Errors of the server do not raise."""
        self._began = self._allowance.timer()
        try:
            while self._next and self._pages:
                self._pages -= 1
                self._read_page(self._next)
            self._fault = None
        except NotFetched as error:
            self._fault = error.outcome
        self._ended = self._allowance.timer()

    def _read_page(self, address: str) -> None:
        page = self._get(address)
        resource_type = page.get("resourceType")
        is_more = resource_type == "Bundle" if self._first else isinstance(resource_type, str)
        if resource_type == "OperationOutcome" or not is_more:
            raise NotFetched(Outcome.UNREADABLE)
        entries = entries_of(page)
        if entries is None:
            raise NotFetched(Outcome.UNREADABLE)
        self._first = self._first or page
        kept = self._allowance.take_resources(len(entries))
        self._entries.extend(entries[:kept])
        if kept < len(entries):
            raise NotFetched(Outcome.IN_PART)
        following, self._links = next_page(page), page.get("link")
        self._next = resolve(address, following) if following is not None else None

    def _get(self, address: str) -> Resource:
        """The JSON object at an address; tries twice if the connection was lost or it was busy."""
        try:
            return self._try(address)
        except _Again as error:
            if error.after >= self._allowance.seconds:
                raise NotFetched(error.outcome) from None
            sleep(error.after)
        return self._try(address)

    def _try(self, address: str) -> Resource:
        if not self._base.holds(address):
            raise NotFetched(Outcome.BARRED)
        seconds = self._allowance.seconds_left()
        self.requests += 1
        try:
            with self._session.get(
                address,
                headers=self._headers,
                timeout=cast(Any, Timeout(total=seconds)),
                stream=True,
                allow_redirects=False,
            ) as response:
                return self._read(response)
        except (requests.Timeout, ReadTimeoutError):
            raise NotFetched(Outcome.LATE) from None
        except AddressBarred:
            raise NotFetched(Outcome.BARRED) from None
        except (requests.RequestException, HTTPError, OSError):
            raise _Again(Outcome.UNREACHABLE, after=0) from None

    def _read(self, response: requests.Response) -> Resource:
        if response.status_code == 404:
            self.answered = True
            raise NotFetched(Outcome.ABSENT)
        if response.status_code != 200:
            self.answered |= response.status_code < 500
            after = _retry_after(response) if response.status_code in _TRY_LATER else None
            raise NotFetched(Outcome.REFUSED) if after is None else _Again(Outcome.REFUSED, after)
        body = self._body(response) if _is_plain_json(response) else b""
        self.answered = True
        try:
            value = read_json(body)
        except UnreadableBody:
            raise NotFetched(Outcome.UNREADABLE) from None
        if not isinstance(value, dict):
            raise NotFetched(Outcome.UNREADABLE)
        return value

    def _body(self, response: requests.Response) -> bytes:
        chunks: list[bytes] = []
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            self._allowance.take_bytes(len(chunk))
            self._allowance.seconds_left()
            chunks.append(chunk)
        return b"".join(chunks)


def resolve(address: str, link: str) -> str:
    """The absolute address of a link in the page at `address`.

    Text that is not a link is returned unchanged; it belongs to no server.
    """
    try:
        return urljoin(address, link)
    except ValueError:
        return link


def _is_plain_json(response: requests.Response) -> bool:
    """Whether it is JSON without compression: a compressed body may unpack to a huge one."""
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return bool(_JSON.fullmatch(content_type)) and encoding == "identity"


def _retry_after(response: requests.Response) -> float | None:
    """The Retry-After header (RFC 9110) in seconds; a date is compared with the server's clock."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,6}", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
        return max(0.0, (then - parsedate_to_datetime(response.headers["Date"])).total_seconds())
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
