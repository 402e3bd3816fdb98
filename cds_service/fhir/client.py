"""Fetches missing data from the FHIR server of a call, within the time of the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from time import perf_counter
from typing import Any
from urllib.parse import quote

from cds_service.errors import TooManyFetches
from cds_service.fhir import connections as transport
from cds_service.fhir.addresses import AllowList, Base
from cds_service.fhir.circuit_breaker import CircuitBreaker
from cds_service.fhir.download import Allowance, Download
from cds_service.fhir.outcomes import Outcome
from cds_service.fhir.prefetch import Wanted
from cds_service.fhir.query import Query
from cds_service.fhir.received import next_page
from cds_service.settings import Settings
from cds_service.wire.hooks import HookContext
from cds_service.wire.requests import CDSRequest

# The rest of the time is for making the cards.
_SHARE_FOR_FETCHING = 0.8
# About as many as the lists that a service asks for. Without a limit, calls would wait in our own
# queue, and the server would seem slow.
_REQUESTS_OF_A_CALL = 10
_TOKEN = re.compile(r"\{\{ *([^{}]*?) *\}\}")
_SEPARATORS = re.compile(r"([\\,|$])")
_BEARER = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The requests that one call made, their time, and the outcome for each prefetch key."""

    requests: int
    milliseconds: float
    outcomes: Mapping[str, str]


class FHIRClient:
    """The FHIR servers that the operator allows, over one pool of connections and threads.

    `timer` returns seconds that only increase; `started` of a call is read from it.
    """

    def __init__(self, settings: Settings, timer: Callable[[], float] = perf_counter) -> None:
        self.settings = settings
        self.timer = timer
        self.allow_list = AllowList(
            settings.fhir_servers, settings.fhir_networks, settings.development
        )
        self.session = transport.session(
            self.allow_list.permits,
            connections=settings.fhir_max_connections,
            authorities=settings.fhir_ca_bundle,
        )
        self.threads = ThreadPoolExecutor(settings.fhir_max_connections, thread_name_prefix="fhir")
        self.calls = BoundedSemaphore(max(1, settings.fhir_max_connections // _REQUESTS_OF_A_CALL))
        self.circuit_breaker = CircuitBreaker(timer)

    def fetch_for(
        self, request: CDSRequest, context: HookContext, *, started: float
    ) -> Fetching | None:
        """The fetching of one call, for prefetch.complete; None if it names no FHIR server."""
        if request.fhir_server is None:
            return None
        return Fetching(self, request, context, started)

    def close(self) -> None:
        """Stop the threads and close the connections."""
        self.threads.shutdown(cancel_futures=True)
        self.session.close()


class Fetching:
    """Fetches the missing data of one call (prefetch.Fetch); `fetched` then has the outcomes."""

    def __init__(
        self,
        client: FHIRClient,
        request: CDSRequest,
        context: HookContext,
        started: float,
    ) -> None:
        self._client = client
        self._server = str(request.fhir_server).rstrip("/")
        self._headers = _headers(request)
        self._tokens = context.tokens
        settings = client.settings
        self._allowance = Allowance(
            deadline=started + settings.fhir_timeout_ms / 1000 * _SHARE_FOR_FETCHING,
            size=settings.fhir_max_bytes,
            resources=settings.fhir_max_resources,
            timer=client.timer,
        )
        self.fetched = Fetched(0, 0.0, {})

    def __call__(self, needed: Mapping[str, Wanted]) -> Mapping[str, Any] | None:
        """The data that could be fetched, by prefetch key; see prefetch.Fetch.

        Raises TooManyFetches if no connection becomes free in time.
        """
        begun = self._client.timer()
        base = self._client.allow_list.find(self._server)
        if base is None or self._headers is None:
            self._not_tried(needed, Outcome.BARRED)
            return None
        if not self._client.circuit_breaker.allows(base):
            self._not_tried(needed, Outcome.SUSPENDED)
            return {}
        queries = self._queries(base, needed)
        if not self._client.calls.acquire(timeout=self._allowance.seconds / 2):
            raise TooManyFetches("Too many calls are fetching; send it again later.")
        try:
            self._run(dict.fromkeys(queries.values()))  # in the order of the service
        finally:
            self._client.calls.release()
        values = {key: query.value for key, query in queries.items()}
        self._report(base, needed, queries, begun)
        return {key: value for key, value in values.items() if value is not None}

    def _queries(self, base: Base, needed: Mapping[str, Wanted]) -> Mapping[str, Query]:
        """The query of each key that the context can fill; equal templates share one."""
        by_templates: dict[tuple[str, ...], Query] = {}
        by_key: dict[str, Query] = {}
        for key, wanted in needed.items():
            if wanted.bundle is not None:  # its first pages are already there
                by_key[key] = self._query(base, wanted)
            elif self._can_fill(wanted):
                if wanted.templates not in by_templates:
                    by_templates[wanted.templates] = self._query(base, wanted)
                by_key[key] = by_templates[wanted.templates]
        return by_key

    def _can_fill(self, wanted: Wanted) -> bool:
        return all(fill(template, self._tokens) is not None for template in wanted.templates)

    def _query(self, base: Base, wanted: Wanted) -> Query:
        is_search = "?" in wanted.templates[0]
        resource_type = wanted.templates[0].partition("?")[0].partition("/")[0]

        def download(address: str, **members: Any) -> Download:
            return Download(
                self._client.session,
                base,
                address,
                headers=self._headers or {},
                allowance=self._allowance,
                pages=self._client.settings.fhir_max_pages,
                resource_type=resource_type,
                **members,
            )

        if wanted.bundle is not None:
            first = f"{self._server}/{resource_type}"
            link = next_page(wanted.bundle) or ""
            address, led_away = base.next_page(first, link, resource_type)
            downloads = [download(address, bundle=wanted.bundle, led_away=led_away)]
        else:
            downloads = [
                download(
                    f"{self._server}/{fill(template, self._tokens)}",
                    expected=None if is_search else fill(template, self._tokens, quoted=False),
                )
                for template in wanted.templates
            ]
        return Query(download, downloads, searches=is_search)

    def _run(self, queries: Iterable[Query]) -> None:
        """Run all in parallel, and wait no longer than the call may take."""
        lanes = [lane for query in queries for lane in query.lanes(_REQUESTS_OF_A_CALL)]
        futures = [self._client.threads.submit(lane) for lane in lanes]
        done, late = wait(futures, timeout=self._allowance.seconds)
        for future in late:
            future.cancel()
        for future in done:
            future.result()  # raises our own errors

    def _report(
        self, base: Base, needed: Iterable[str], queries: Mapping[str, Query], begun: float
    ) -> None:
        outcomes = {
            key: queries[key].label if key in queries else Outcome.BARRED.value for key in needed
        }
        different = set(queries.values())
        requests = sum(query.requests for query in different)
        answered = any(query.answered for query in different)
        # A request that had little time does not show that the server is slow.
        fair_time = self._client.settings.fhir_timeout_ms / 2000
        had_time = any(query.seconds >= fair_time for query in different)
        failed = any(query.outcome is Outcome.UNREACHABLE for query in different)
        if requests and (answered or had_time or failed):
            self._client.circuit_breaker.report(base, answered=answered)
        milliseconds = (self._client.timer() - begun) * 1000
        before = self.fetched
        self.fetched = Fetched(
            requests=before.requests + requests,
            milliseconds=before.milliseconds + milliseconds,
            outcomes={**before.outcomes, **outcomes},
        )

    def _not_tried(self, needed: Iterable[str], outcome: Outcome) -> None:
        outcomes = dict.fromkeys(needed, outcome.value)
        self.fetched = replace(self.fetched, outcomes={**self.fetched.outcomes, **outcomes})


def fill(template: str, tokens: Mapping[str, str], *, quoted: bool = True) -> str | None:
    """CDS Hooks "Prefetch tokens": the template as a relative address; None without a value.

    The value of a token is escaped: it stays one segment of the path, or one value of the search
    (FHIR R4, "Escaping Search Parameters").
    """
    path, mark, query = template.partition("?")
    if any(name not in tokens for name in _TOKEN.findall(template)):
        return None
    if not quoted:
        return _TOKEN.sub(lambda token: tokens[token[1]], template)
    path = _TOKEN.sub(lambda token: quote(tokens[token[1]], safe="/"), path)
    query = _TOKEN.sub(
        lambda token: quote(_SEPARATORS.sub(r"\\\1", tokens[token[1]]), safe=""), query
    )
    return path + mark + query


def _headers(request: CDSRequest) -> Mapping[str, str] | None:
    """The headers of every request; None if the token cannot be written in a header."""
    headers = {
        "Accept": "application/fhir+json",
        # Nothing compressed: a small body could unpack to a huge one before we can measure it.
        "Accept-Encoding": "identity",
    }
    authorization = request.fhir_authorization
    if authorization is None:
        return headers
    if not _BEARER.fullmatch(authorization.access_token):
        return None
    return headers | {"Authorization": f"Bearer {authorization.access_token}"}
