"""OpenTelemetry spans of a call and of its stages; without CDS_OTLP_ENDPOINT there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Span = Callable[[str], AbstractContextManager[Any]]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
_NAME = "anxiety-cds-service"
_NOTHING = nullcontext()


def no_span(name: str) -> AbstractContextManager[Any]:
    """No span at all, at no cost."""
    return _NOTHING


class Tracing:
    """Spans that hold only a name: attributes and error texts could hold patient data."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        provider = TracerProvider(resource=Resource.create({"service.name": _NAME}))
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer(_NAME)
        self._provider = provider
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str) -> AbstractContextManager[Any]:
        """A new span inside the current one."""
        return self._span(name, None)

    def around(self, application: WSGI) -> WSGI:
        """The application with a span around each request, in the trace of the caller."""

        def traced(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            # W3C Trace Context without its tracestate, which may hold anything.
            caller = {"traceparent": environ.get("HTTP_TRACEPARENT", "")}
            with self._span("request", self._propagator.extract(caller)):
                return application(environ, start_response)

        return traced

    def close(self) -> None:
        """Send the spans that are waiting; the library also does so when the process ends."""
        self._provider.shutdown()

    def _span(self, name: str, context: Any) -> AbstractContextManager[Any]:
        return self._tracer.start_as_current_span(
            name, context=context, record_exception=False, set_status_on_exception=False
        )


def tracing_to(url: str) -> Tracing | None:
    """Spans sent to `url` in batches; None if it is empty. SettingsError without the SDK."""
    if not url:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "CDS_OTLP_ENDPOINT: needs the extra otel: pip install 'anxiety-cds-service[otel]'"
        ) from None
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
