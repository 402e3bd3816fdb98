"""The environment variables of this process. No other module reads or writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from cds_service.errors import SettingsError
from cds_service.settings import PREFIX, Settings

NOT_SET = ("none", "generated")  # the README's words for an empty default
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_FILE = "_FILE"  # a secret may be in a file, as containers get it


def variable_of(name: str) -> str:
    """The name of the environment variable of a setting."""
    return PREFIX + name.upper()


_VARIABLES = {variable_of(name): name for name in Settings.model_fields}
_FILES = {
    variable_of(name) + _FILE: variable_of(name)
    for name, field in Settings.model_fields.items()
    if field.annotation is SecretStr
}
_PLAINLY = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "path_not_directory": "there is no such folder",
    "path_not_file": "there is no such file",
}
_RENAMED = {
    "CDS_FHIR_AUTHORITIES": "CDS_FHIR_CA_BUNDLE",
    "CDS_FHIR_BYTES": "CDS_FHIR_MAX_BYTES",
    "CDS_FHIR_CONNECTIONS": "CDS_FHIR_MAX_CONNECTIONS",
    "CDS_FHIR_MILLISECONDS": "CDS_FHIR_TIMEOUT_MS",
    "CDS_FHIR_PAGES": "CDS_FHIR_MAX_PAGES",
    "CDS_FHIR_RESOURCES": "CDS_FHIR_MAX_RESOURCES",
    "CDS_TOKEN_SECONDS": "CDS_TOKEN_MAX_LIFETIME_S",
    "CDS_TRACES_URL": "CDS_OTLP_ENDPOINT",
}


def known_variables() -> frozenset[str]:
    """The names of all environment variables that the service reads."""
    return frozenset({*_VARIABLES, *_FILES})


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; an empty variable counts as not set.

    Raises SettingsError, one line for each variable that is wrong or unknown.
    """
    ours = {
        name.upper(): text.strip()
        for name, text in environ.items()
        if name.upper().startswith(PREFIX)
    }
    problems = {name: _unknown(name) for name in ours if name not in {**_VARIABLES, **_FILES}}
    for file, variable in _FILES.items():
        if not ours.get(file):
            continue
        if ours.get(variable):
            problems[file] = f"{variable} is set too; set only one of them"
        try:
            ours[variable] = Path(ours[file]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            problems[file] = "there is no such file, or it cannot be read"
    try:
        settings = Settings(**_read(ours))
    except ValidationError as error:
        problems |= _wrong(error)
    if problems:
        raise SettingsError("\n".join(f"{name}: {text}" for name, text in problems.items()))
    return settings


def _read(variables: Mapping[str, str]) -> dict[str, Any]:
    """The text of each setting that is set, by its name."""
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): text for name, text in variables.items() if text}
    return {
        name: text
        for name, text in source().items()
        if text not in NOT_SET or Settings.model_fields[name].default
    }


def _wrong(error: ValidationError) -> dict[str, str]:
    """What is wrong with each variable. The value is left out: it may be a secret."""
    problems: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        cause = fault.get("ctx", {}).get("error")
        if fault["loc"]:
            text = _PLAINLY.get(fault["type"]) or str(cause or fault["msg"])
            variable = variable_of(str(fault["loc"][0]))
            problems.setdefault(variable, text.replace("Input should be", "must be"))
        else:  # several settings together: the text names them
            problems |= dict(line.split(": ", 1) for line in str(cause).splitlines())
    return problems


def _unknown(name: str) -> str:
    if name in _RENAMED:
        return f"is called {_RENAMED[name]} now"
    near = get_close_matches(name, [*_VARIABLES, *_FILES], n=1)
    hint = f"did you mean {near[0]}?" if near else "`cds-service settings` lists them all"
    return f"there is no such setting; {hint}"


def share_metrics(folder: str) -> None:
    """Let the workers that are started from now on count in one folder (prometheus-client)."""
    os.environ[_METRICS_FOLDER] = folder


def share_hash_key(key: str) -> None:
    """Let the workers that are started from now on hash under one key."""
    os.environ[variable_of("hash_key")] = key


def metrics_are_shared() -> bool:
    """Whether several workers count in one folder."""
    return _METRICS_FOLDER in os.environ
