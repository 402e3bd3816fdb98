"""The command line: one command a name, each a thin edge over the functions of the service."""

from __future__ import annotations

from importlib import import_module

import click

from cds_service import __version__

# Where each command stands. It is imported when it is run: few need all that the service needs.
_COMMANDS = {
    "serve": "serving:serve",
    "reload": "knowledge:reload",
    "check": "knowledge:check",
    "safety-case": "knowledge:safety_case",
    "cards": "knowledge:cards",
    "explain": "knowledge:explain",
    "why": "store:why_command",
    "report": "report:report_command",
    "store": "store:store_commands",
    "audit": "audit:audit",
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
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), attribute)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """A CDS Hooks service for anxiety with leg weakness or fatigue. It never prescribes."""
