"""Spans of a call: names and nothing else, sent where the operator says."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from builders import NOW, TOY, ToyKnowledge, ToyService, cds_request
from listeners import Listener
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cds_service import create_app
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.telemetry.spans import Tracing, no_span, tracing_to

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "patient=ada"}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What the application sends, kept here in place of being sent."""
    exporter = InMemorySpanExporter()
    made = Tracing(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("cds_service.factory.tracing_to", lambda url: made)
    return exporter


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


def test_a_call_is_a_span_in_the_trace_of_its_caller(
    spans: InMemorySpanExporter, knowledge: ToyKnowledge
) -> None:
    client = create_app(Settings(store_url="none"), knowledge, lambda: NOW).test_client()
    assert client.post(TOY, json=cds_request(), headers=CALLER).status_code == 200
    finished = spans.get_finished_spans()
    names = [span.name for span in finished]
    assert names == ["authenticate", "prefetch", "evaluate", "suppress", "dump", "request"]
    assert {f"{span.context.trace_id:032x}" for span in finished if span.context} == {TRACE}
    assert {bool(span.attributes or span.events) for span in finished} == {False}


def test_a_fault_of_ours_leaves_no_text_in_a_span(
    spans: InMemorySpanExporter, knowledge: ToyKnowledge, toy: ToyService
) -> None:
    toy.answered_by = None  # type: ignore[assignment]
    client = create_app(Settings(store_url="none"), knowledge, lambda: NOW).test_client()
    assert client.post(TOY, json=cds_request()).status_code == 500
    for span in spans.get_finished_spans():
        assert not span.events and not span.attributes and not span.status.description


def test_spans_are_sent_to_the_address_in_the_settings(listener: Listener) -> None:
    made = tracing_to(listener.address + "/v1/traces")
    assert made is not None
    with made.span("evaluate"):
        pass
    made.close()
    assert any(b"evaluate" in body for body in listener.posted)


def test_without_an_address_there_are_no_spans() -> None:
    assert tracing_to("") is None
    with no_span("evaluate"):
        pass


def test_an_address_without_the_library_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(SettingsError, match="^CDS_OTLP_ENDPOINT: .*otel"):
        tracing_to("http://127.0.0.1:9")
