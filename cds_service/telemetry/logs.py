"""The log: lines of JSON on standard output, one for each call and for other events."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any, TextIO

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from cds_service.telemetry.call_notes import CallNotes

ROOT = "cds_service"
_log = structlog.get_logger(ROOT)


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Looks up standard output for each line, because it may change after logging is set up."""

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, stream: TextIO) -> None: ...


def configure(level: str, clock: Callable[[], datetime], *, for_people: bool) -> None:
    """Send all logs of the service to standard output, as JSON or as text `for_people`."""

    def stamp(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
        at = clock().isoformat(timespec="milliseconds")
        return {"at": at, "level": level, "event": event.pop("event"), **event}

    shared: list[Processor] = [structlog.contextvars.merge_contextvars, stamp]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer()
        if for_people
        else structlog.processors.JSONRenderer(serializer=_dumps)
    )
    handler = _StandardOutput()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(level)


def log_call(notes: CallNotes) -> None:
    """Log one call: answered, refused, or failed, with the place of the error."""
    if notes.failed is not None:
        # The text of an error may hold patient data, so only its type and place are logged.
        places = "".join(traceback.format_tb(notes.failed.__traceback__))
        _log.error("failed", error=type(notes.failed).__name__, traceback=places, **notes.line())
    elif notes.status >= 400:
        _log.info("refused", **notes.line())
    else:
        _log.info("answered", **notes.line())


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
