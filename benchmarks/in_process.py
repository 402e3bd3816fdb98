"""Where the time of a call goes: its steps one by one, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import orjson

from benchmarks.applications import NOW
from benchmarks.bodies import Body
from cds_service.fhir.prefetch import complete
from cds_service.knowledge import CDSService
from cds_service.knowledge.answering import decide
from cds_service.knowledge.call import Call
from cds_service.knowledge.cards.rendering import render
from cds_service.knowledge.outcomes.evaluation import evaluate
from cds_service.knowledge.record.record import PatientRecord
from cds_service.wire.hooks import call_of as call_from
from cds_service.wire.hooks import load_context
from cds_service.wire.requests import load_request
from cds_service.wire.responses import dump_response

# `decide` contains `record` and `evaluate`, and the validation of what cards rest on.
STEPS = ("parse", "request", "record", "evaluate", "decide", "render", "dump")
ABOVE_PARSING = ("request", "decide", "render", "dump")


def milliseconds(service: CDSService, body: Body, seconds: float) -> dict[str, float]:
    """The median CPU time of each step, over as many runs as fit into `seconds`."""
    runs: list[list[float]] = []
    until = time.perf_counter() + seconds
    while len(runs) < 3 or time.perf_counter() < until:
        moments = list(_moments(service, body))
        pairs = zip(moments, moments[1:], strict=False)
        runs.append([(after - before) * 1000 for before, after in pairs])
    return {step: median(run[at] for run in runs) for at, step in enumerate(STEPS)}


def call_of(service: CDSService, content: Any) -> Call:
    """The call in a body of CDS Hooks, on the day of the fixtures."""
    request = load_request(content)
    context = load_context(request.hook, request.context)
    retrieved = complete(service, request, most_resources=1_000_000)
    return call_from(request, context, retrieved, now=NOW, language=service.default_language)


def _moments(service: CDSService, body: Body) -> Iterator[float]:
    """The CPU clock before the first step and after each."""
    yield time.process_time()
    content = orjson.loads(body.content)
    yield time.process_time()
    call = call_of(service, content)
    yield time.process_time()
    record = PatientRecord(call, service.terminology, service.statuses, service.lists)
    yield time.process_time()
    evaluate(service, record, service.relevance)
    yield time.process_time()
    evaluation = decide(service, call)
    yield time.process_time()
    cards = render(service, evaluation, call)
    yield time.process_time()
    orjson.dumps(dump_response(cards))
    yield time.process_time()
