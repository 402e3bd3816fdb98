"""`cds-service serve`: the first process, which looks after the workers and does no work itself."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import click
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from cds_service.cli import settings_or_stop
from cds_service.environment import share_metrics
from cds_service.reload_requests import Stamp, renew_on_hangup

_MOST_CONNECTIONS = 8192
_SECONDS_TO_STOP = 8  # containers are given ten


@click.command()
@click.option("--host", default=None, help="Address to listen on (default: CDS_HOST).")
@click.option("--port", type=int, default=None, help="Port (default: CDS_PORT or 8000).")
@click.option("--workers", type=int, default=None, help="Processes (default: CDS_WORKERS or 1).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve over HTTP with granian."""
    settings = settings_or_stop()
    address, number = host or settings.host, port or settings.port
    processes = workers or settings.workers
    click.echo(f"Discovery: http://{address}:{number}/cds-services")
    server = Server(
        "cds_service.factory:receiver",
        factory=True,
        interface=Interfaces.RSGI,
        address=address,
        port=number,
        workers=processes,
        respawn_failed_workers=True,
        # One that is told to stop while it starts does not hear it.
        workers_kill_timeout=_SECONDS_TO_STOP,
        log_access=False,
        # Connections are no work: a proxy's pool keeps thousands of them open.
        backlog=_MOST_CONNECTIONS,
        backpressure=_MOST_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=settings.request_timeout_ms),
    )
    # In place of granian's own answer to SIGHUP, which starts every worker anew.
    stamp = Stamp(settings.runtime_dir, settings.cards_dir)
    server.on_startup(lambda: renew_on_hangup(stamp))
    with TemporaryDirectory(prefix="cds-service-metrics-") as folder:
        if processes > 1:
            share_metrics(folder)
        server.serve()
