"""How a command ends that cannot do its work: a sentence on standard error, and status 1."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from cds_service.errors import StartError
from cds_service.settings import Settings, from_environment


def settings_or_stop() -> Settings:
    """The settings of the environment; what is wrong with them ends the command."""
    try:
        return from_environment()
    except StartError as error:
        stop(str(error))


def stop(message: str) -> NoReturn:
    """End with status 1 and a sentence."""
    click.echo(message, err=True)
    sys.exit(1)
