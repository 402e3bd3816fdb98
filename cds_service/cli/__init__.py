"""The command line. Each command is a thin layer over functions of the service."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cds_service import __version__
from cds_service.errors import StartError
from cds_service.garbage import uncollected

if TYPE_CHECKING:
    from cds_service.knowledge import Knowledge
    from cds_service.settings import Settings

# Where each command is. It is imported when it is run, because most need only a part of the code.
_COMMANDS = {
    "serve": "serving:serve",
    "healthcheck": "healthcheck:healthcheck",
    "reload": "knowledge:reload",
    "check": "knowledge:check",
    "new": "new:new",
    "export": "export:export",
    "safety-case": "knowledge:safety_case",
    "cards": "knowledge:cards",
    "explain": "knowledge:explain",
    "diff": "difference:diff",
    "demo": "demo:demo",
    "settings": "settings:settings",
    "why": "store:why_command",
    "report": "report:report_command",
    "simulate": "simulation:simulate",
    "shadow": "shadow:shadow",
    "review": "review:review",
    "store": "store:store_commands",
    "reader": "reader:reader",
    "audit": "audit:audit",
    "doctor": "doctor:doctor",
    "conformance": "conformance:conformance",
    "keys": "keys:keys",
    "token": "keys:token",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name].partition(":")
        with uncollected():
            command: click.Command = getattr(import_module(f"{__name__}.{module}"), attribute)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """A CDS Hooks service: advice from the content of cards/. It never prescribes."""


def settings_or_stop() -> Settings:
    """The settings from the environment; wrong ones end the command with status 2."""
    from cds_service.environment import from_environment  # late: a health check needs none

    try:
        return from_environment()
    except StartError as error:
        stop(str(error), status=2)


def knowledge_or_stop(settings: Settings) -> Knowledge:
    """The content as it is served with these settings; what is wrong with it ends the command."""
    from cds_service.current_knowledge import knowledge_of  # late: a health check needs none

    try:
        return knowledge_of(settings)
    except StartError as error:
        stop(str(error))


def echo_json(value: Any) -> None:
    """Print a value as JSON that people can read, too."""
    import orjson  # late: a health check needs none

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def stop(message: str, *, status: int = 1) -> NoReturn:
    """End with a sentence on standard error; status 2 is for wrong usage or settings."""
    click.echo(message, err=True)
    sys.exit(status)
