"""What granian serves in a measurement: `python -m benchmarks.applications NAME PORT WORKERS`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from flask import Flask

import cds_service
from benchmarks import floor as floor_application
from cds_service.factory import received
from cds_service.web.receiving import Receiver

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)  # the day of the fixtures


def service() -> Receiver:
    """The service as `cds-service serve` runs it, on the day of the fixtures."""
    return received(cds_service.create_app(clock=lambda: NOW))


def floor() -> Flask:
    """The application that does nothing."""
    return floor_application.create_app()


def main(name: str, port: int, workers: int) -> None:
    """Serve one of them with the options of `cds-service serve`."""
    from granian.constants import Interfaces
    from granian.server import Server

    Server(
        f"benchmarks.applications:{name}",
        factory=True,
        interface=Interfaces.RSGI if name == "service" else Interfaces.WSGI,
        address="127.0.0.1",
        port=port,
        workers=workers,
        respawn_failed_workers=False,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
