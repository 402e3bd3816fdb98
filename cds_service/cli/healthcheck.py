"""`cds-service healthcheck`: whether the service here answers, as container runtimes ask it."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection, HTTPException

import click

from cds_service.cli import stop

_SECONDS = 2.0  # less than the three that a container runtime usually gives


@click.command()
@click.option("--host", envvar="CDS_HOST", default="127.0.0.1", help="Address (default: CDS_HOST).")
@click.option(
    "--port",
    envvar="CDS_PORT",
    type=click.IntRange(1, 65535),
    default=8000,
    help="Port (default: CDS_PORT or 8000).",
)
@click.option("--ready", is_flag=True, help="Ask whether calls can be answered now.")
def healthcheck(host: str, port: int, ready: bool) -> None:
    """Whether the service on this machine is alive, or with --ready, can answer calls.

    The exit code is 0 if it is, and 1 if it is not.
    """
    state = "ready" if ready else "live"
    try:
        # Not through a proxy of the environment. On Linux, 0.0.0.0 and :: lead to this machine.
        with closing(HTTPConnection(host, port, timeout=_SECONDS)) as connection:
            connection.request("GET", f"/health/{state}")
            status = connection.getresponse().status
    except (OSError, HTTPException):
        stop(f"not {state}: nothing answers on port {port}")
    if status != 200:
        stop(f"not {state}: the answer on port {port} has status {status}")
    click.echo(f"{state} on port {port}")
