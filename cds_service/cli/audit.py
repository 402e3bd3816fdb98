"""The command line: the audit, for whoever has to look into it."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cds_service.environment import from_environment
from cds_service.errors import StartError, StoreUnavailable
from cds_service.store import open_store
from cds_service.store.calls import calls
from cds_service.telemetry.audit import audit_events


@click.group()
def audit() -> None:
    """Who called, and which rules applied; never what is in a record."""


@audit.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only calls of this day (UTC) and later."
)
def export(since: datetime | None) -> None:
    """Write the audit as FHIR R4 AuditEvents, one a line (NDJSON)."""
    try:
        store = open_store(from_environment().store_url.get_secret_value())
        if store is None:
            raise click.ClickException("CDS_STORE_URL is none: nothing was kept")
        for event in audit_events(calls(store, since.replace(tzinfo=UTC) if since else None)):
            click.echo(event)
    except (StartError, StoreUnavailable) as error:
        raise click.ClickException(str(error)) from None
