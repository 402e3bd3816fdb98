"""`cds-service reader`: the people who may read the report."""

from __future__ import annotations

import re

import click

from cds_service.cli import settings_or_stop, stop
from cds_service.cli.store import opened_store
from cds_service.clock import now
from cds_service.readers.sessions import hash_of, new_token
from cds_service.store.readers import add_reader, all_readers, revoke_reader

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@click.group()
def reader() -> None:
    """The people who may read the report: each signs in with a token of their own."""


@reader.command()
@click.argument("name")
def add(name: str) -> None:
    """Make a token for NAME, such as ann or ann@example.org. It is shown once.

    The store keeps a hash of it. Until the first reader is added, the report is open on this
    machine if CDS_ISSUERS is not set; afterwards it is for readers only.
    """
    if not _NAME.fullmatch(name):
        stop("a name has letters, digits and . _ @ -, and at most 64 of them", status=2)
    token = new_token()
    with opened_store(settings_or_stop()) as store:
        if not add_reader(store, name, hash_of(token), now()):
            stop(f"{name} has a token; to make a new one, first: cds-service reader revoke {name}")
    click.echo(f"The token of {name}, shown only now; it is for the page /sign-in:", err=True)
    click.echo(token)


@reader.command("list")
def list_readers() -> None:
    """Who has a token, and whose was revoked."""
    with opened_store(settings_or_stop()) as store:
        rows = all_readers(store)
    for row in rows:
        state = f"revoked {row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else "may read"
        click.echo(f"{row.name}: added {row.added_at:%Y-%m-%d %H:%M} UTC, {state}")
    if not rows:
        click.echo("no readers")


@reader.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make the token of NAME worthless, and sign NAME out everywhere, at once."""
    with opened_store(settings_or_stop()) as store:
        if not revoke_reader(store, name, now()):
            stop(f"{name} has no token")
    click.echo(f"{name} can no longer read")
