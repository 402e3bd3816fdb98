"""`cds-service settings`: the table of settings, made from their model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from cds_service.environment import variable_of
from cds_service.settings import Settings

_HEAD = "| variable | type | default | what it does |\n|---|---|---|---|\n"
_TABLE = re.compile(re.escape(_HEAD) + r"(\|.*\n)*")
# Defaults that depend on the machine.
_DEFAULTS = {"cards_dir": "cards", "runtime_dir": "temporary", "hash_key": "generated"}
_FORMATS = {
    "directory-path": "folder",
    "path": "folder",
    "file-path": "file",
    "password": "secret",
}


@click.command("settings")
@click.option(
    "--write",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Update the table of settings in this Markdown file.",
)
def settings(write: Path | None) -> None:
    """List the settings: variable, type, default and what each does."""
    if write is None:
        click.echo(table(), nl=False)
        return
    text = write.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise click.ClickException(f"there is no table of settings in {write}")
    write.write_text(_TABLE.sub(lambda _: table(), text), encoding="utf-8")


def table() -> str:
    """The settings as a table in Markdown."""
    schemas = Settings.model_json_schema()["properties"]
    rows = [
        f"| `{variable_of(name)}` | {_type(schemas[name])} | `{_default(name, field.default)}` |"
        f" {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + "".join(rows)


def _type(schema: Mapping[str, Any]) -> str:
    """The allowed values, from the JSON Schema of a setting."""
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}"
    kinds = {
        "integer": f"{schema.get('minimum')} to {schema.get('maximum')}",
        "boolean": "true or false",
        "array": "list, separated by commas",
    }
    [kind, *_] = schema.get("anyOf", [schema])
    return kinds.get(kind["type"]) or _FORMATS.get(kind.get("format", ""), "text")


def _default(name: str, default: Any) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = ", ".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    return _DEFAULTS.get(name) or str(default or "none")
