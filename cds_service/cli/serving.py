"""`cds-service serve`: the first process. It checks everything, then starts and stops workers."""

from __future__ import annotations

import errno
import socket
from secrets import token_hex
from tempfile import TemporaryDirectory

import click
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from cds_service.cli import settings_or_stop, stop
from cds_service.environment import share_hash_key, share_metrics
from cds_service.errors import StartError
from cds_service.garbage import uncollected
from cds_service.reload_requests import Stamp, renew_on_hangup
from cds_service.settings import STATELESS, Settings

_MOST_CONNECTIONS = 8192
SECONDS_TO_STOP = 8  # container runtimes wait ten


@click.command()
@click.option("--host", default=None, help="Address to listen on (default: CDS_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port (default: CDS_PORT or 8000).")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes (default: CDS_WORKERS or 1)."
)
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve over HTTP with granian."""
    settings = settings_or_stop()
    host, port, workers = (
        host or settings.host,
        port or settings.port,
        workers or settings.workers,
    )
    address = _free_address(host, port)
    with TemporaryDirectory(prefix="cds-service-metrics-") as folder:
        if workers > 1:
            share_metrics(folder)
            url, key = settings.store_url.get_secret_value(), settings.hash_key.get_secret_value()
            if url == STATELESS and not key:
                share_hash_key(token_hex())  # a call has the same uuids at every worker
        _prepare(settings)
        server = Server(
            "cds_service.factory:receiver",
            factory=True,
            interface=Interfaces.RSGI,
            address=address,
            port=port,
            workers=workers,
            respawn_failed_workers=True,
            # A worker that is told to stop while it starts misses the signal.
            workers_kill_timeout=SECONDS_TO_STOP,
            log_access=False,
            # Open connections cost little: the pool of a proxy keeps thousands of them.
            backlog=_MOST_CONNECTIONS,
            backpressure=_MOST_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=settings.request_timeout_ms),
        )
        # Replaces granian's own reaction to SIGHUP, which restarts every worker.
        stamp = Stamp(settings.runtime_dir, settings.cards_dir)
        server.on_startup(lambda: renew_on_hangup(stamp))
        name = f"[{host}]" if ":" in host else host
        server.on_startup(lambda: click.echo(f"Discovery: http://{name}:{port}/cds-services"))
        server.serve()


def _prepare(settings: Settings) -> None:
    """Find problems that would stop a worker from starting, once and before anything listens."""
    with uncollected():
        # after share_metrics, because its imports read that
        from cds_service.factory import prepare

    try:
        prepare(settings)
    except StartError as error:
        stop(str(error), status=2)


def _free_address(host: str, port: int) -> str:
    """The IP address of a host name on this machine, if the port is free there.

    granian would share the port with another server of the same user, without a message.
    """
    try:
        [(family, _, _, _, (address, *_)), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
    except OSError as error:
        stop(_reason(error, host, port), status=2)
    return str(address)


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken: stop the program that listens there, or choose"
            " another port with --port or CDS_PORT."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights: choose one above 1023 with --port or CDS_PORT."
    return f"{host} is not an address of this machine: choose another with --host or CDS_HOST."
