"""`cds-service audit`: the audit, for people who have to check it."""

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
    """Who called and which rules applied, without any data of a record."""


@audit.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only calls on or after this day (UTC)."
)
def export(since: datetime | None) -> None:
    """Write the audit as FHIR R4 AuditEvents, one per line (NDJSON)."""
    try:
        store = open_store(from_environment().store_url.get_secret_value())
        if store is None:
            raise click.ClickException("there is no audit without a store: CDS_STORE_URL is none")
        for event in audit_events(calls(store, since.replace(tzinfo=UTC) if since else None)):
            click.echo(event)
    except (StartError, StoreUnavailable) as error:
        raise click.ClickException(str(error)) from None
