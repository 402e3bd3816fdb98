"""Downloads one address of a FHIR server: all its pages, with one retry and the call's limits."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from threading import Lock
from time import sleep
from typing import Any, cast

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cds_service.errors import UnreadableBody
from cds_service.fhir.addresses import Base
from cds_service.fhir.connections import AddressBarred
from cds_service.fhir.outcomes import NotFetched, Outcome, TryAgain
from cds_service.fhir.received import entries_of, has_none, next_page
from cds_service.knowledge.call import Resource
from cds_service.wire.json_text import read_json

_CHUNK = 64 * 1024
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json(\+fhir)?", re.IGNORECASE)
_TRY_LATER = (429, 503)
_INFLATED = ("gzip", "x-gzip", "deflate")
_ANY_WINDOW = 32 + zlib.MAX_WBITS  # zlib: the format is found out from its first bytes


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
    `next` link as long as pages are missing; None if there is no data. A read gives nothing but the
    resource with the `expected` reference.
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
        resource_type: str,
        expected: str | None = None,
        bundle: Resource | None = None,
        led_away: bool = False,
    ) -> None:
        self.address = address
        self._session = session
        self._base = base
        self._headers = headers
        self._allowance = allowance
        self._pages = pages
        self._type = resource_type
        self._expected = expected
        self._first = bundle
        self._entries: list[Any] = list(entries_of(bundle or {}) or ())
        self._links: Any = None  # of the last page, exactly as received
        self._next: str | None = address
        self._asked: set[str] = set()
        self._fault: NotFetched | None = NotFetched(Outcome.LATE)
        self._led_away = led_away
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
            return Outcome.NEXT_ELSEWHERE if self._led_away else Outcome.FETCHED
        if self._first is None and self._fault:
            return self._fault.outcome
        return Outcome.IN_PART

    @property
    def status(self) -> int | None:
        """The HTTP status with which nothing came."""
        return self._fault.status if self._fault and self._first is None else None

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
            self._fault = error
        self._ended = self._allowance.timer()

    def _read_page(self, address: str) -> None:
        if address in self._asked:  # its pages go in a circle
            raise NotFetched(Outcome.IN_PART)
        self._asked.add(address)
        page = self._get(address)
        if self._first is None and has_none(page):
            raise NotFetched(Outcome.NOT_SUPPORTED)
        resource_type = page.get("resourceType")
        is_more = resource_type == "Bundle" if self._first else isinstance(resource_type, str)
        if resource_type == "OperationOutcome" or not is_more:
            raise NotFetched(Outcome.UNREADABLE)
        entries = entries_of(page)
        if entries is None:
            raise NotFetched(Outcome.UNREADABLE)
        if self._expected not in (None, f"{resource_type}/{page.get('id')}"):
            raise NotFetched(Outcome.UNREADABLE)
        self._first = self._first or page
        kept = self._allowance.take_resources(len(entries))
        self._entries.extend(entries[:kept])
        if kept < len(entries):
            raise NotFetched(Outcome.IN_PART)
        following, self._links = next_page(page), page.get("link")
        if following is None:
            self._next = None
            return
        self._next, led_away = self._base.next_page(address, following, self._type)
        self._led_away |= led_away

    def _get(self, address: str) -> Resource:
        """The JSON object at an address; tries twice if the connection was lost or it was busy."""
        try:
            return self._try(address)
        except TryAgain as error:
            if error.after >= self._allowance.seconds:
                raise NotFetched(error.outcome, error.status) from None
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
            raise TryAgain(Outcome.UNREACHABLE, after=0) from None

    def _read(self, response: requests.Response) -> Resource:
        if response.status_code == 404:
            self.answered = True
            raise NotFetched(Outcome.NOT_SUPPORTED, 404)
        if (status := response.status_code) != 200:
            self.answered |= status < 500
            after = _retry_after(response) if status in _TRY_LATER else None
            if after is None:
                raise NotFetched(Outcome.REFUSED, status)
            raise TryAgain(Outcome.REFUSED, after, status)
        body = self._body(response) if _is_json(response) else b""
        self.answered = True
        try:
            value = read_json(body)
        except UnreadableBody:
            raise NotFetched(Outcome.UNREADABLE) from None
        if not isinstance(value, dict):
            raise NotFetched(Outcome.UNREADABLE)
        return value

    def _body(self, response: requests.Response) -> bytes:
        chunks = self._chunks(response)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding == "identity":
            return b"".join(chunks)
        if encoding not in _INFLATED:
            raise NotFetched(Outcome.UNREADABLE)
        try:
            return b"".join(self._inflated(chunks))
        except zlib.error:
            raise NotFetched(Outcome.UNREADABLE) from None

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            self._allowance.take_bytes(len(chunk))
            self._allowance.seconds_left()
            yield chunk

    def _inflated(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes of a body that is compressed although nobody asked for it, counted piecewise:
        a small body may unpack to a huge one."""
        inflater = zlib.decompressobj(_ANY_WINDOW)
        for chunk in chunks:
            while piece := inflater.decompress(chunk, _CHUNK):
                self._allowance.take_bytes(len(piece))
                yield piece
                chunk = inflater.unconsumed_tail


def _is_json(response: requests.Response) -> bool:
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return bool(_JSON.fullmatch(content_type))


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
