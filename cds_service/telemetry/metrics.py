"""Metrics for Prometheus: calls, time by stage, rules by outcome, missing facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock

from cds_service.telemetry.call_notes import CallNotes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counts of this process, or of all workers if `serve` gave them a common folder."""

    def __init__(
        self, *, is_shared: bool = False, lost_rows: Callable[[], int] = lambda: 0
    ) -> None:
        # Imported late: the library reads that folder's name once, and only workers may open it.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._is_shared = is_shared
        self._registry = CollectorRegistry()
        ours = self._registry
        self._calls = Counter(
            "cds_calls", "Calls answered", ["endpoint", "service", "status"], registry=ours
        )
        self._answers = Counter(
            "cds_answers",
            "Calls answered, by version of the knowledge",
            ["knowledge"],
            registry=ours,
        )
        self._seconds = Histogram(
            "cds_seconds", "Seconds by stage of a call", ["stage"], buckets=_SECONDS, registry=ours
        )
        rules = Counter(
            "cds_rules", "Rules by outcome", ["service", "rule", "outcome"], registry=ours
        )
        missing = Counter(
            "cds_missing",
            "Calls in whose record a fact was missing",
            ["service", "fact"],
            registry=ours,
        )
        self._fetches = Counter(
            "cds_fetches", "Prefetch keys fetched", ["key", "outcome"], registry=ours
        )
        # Their names come from the content, so their number is limited; finding one takes a while.
        self._of_rule = cache(
            lambda service, rule, outcome: rules.labels(service, f"{service}/{rule}", outcome)
        )
        self._of_fact = cache(missing.labels)
        self._lost = Counter("cds_rows_lost", "Rows that the store could not take", registry=ours)
        self._lost_rows = lost_rows
        self._lost_until_now = 0
        self._lock = Lock()

    def count(self, notes: CallNotes) -> None:
        """Count one call."""
        service = notes.service or ""
        self._calls.labels(notes.endpoint, service, str(notes.status)).inc()
        self._answers.labels(notes.knowledge).inc()
        for stage, seconds in notes.seconds.items():
            self._seconds.labels(stage).observe(seconds)
        for outcome in ("applied", "unknown", "suppressed"):
            for rule in getattr(notes, outcome):
                self._of_rule(service, rule, outcome).inc()
        for fact in notes.missing:
            self._of_fact(service, fact).inc()
        for key, outcome in notes.fetches.items():
            self._fetches.labels(key, outcome).inc()
        with self._lock:  # two calls at once would count the same rows twice
            lost = self._lost_rows()
            self._lost.inc(max(0, lost - self._lost_until_now))
            self._lost_until_now = lost

    def exposition(self) -> bytes:
        """All counts in the text format of Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if not self._is_shared:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(registry)
