"""`cds-service doctor`: looks at a FHIR server or at an installation, and says what to mend."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from textwrap import fill as wrapped
from typing import IO

import click
import orjson

from cds_service.cli import echo_json, knowledge_or_stop, settings_or_stop, stop
from cds_service.cli.knowledge import as_json_option
from cds_service.clock import now
from cds_service.conformance.caller import Caller
from cds_service.conformance.target import Sign
from cds_service.doctor.fhir_server import FHIRExamination
from cds_service.doctor.findings import Finding, Level
from cds_service.doctor.service import ServiceExamination
from cds_service.fhir.addresses import Base

_WIDTH = 80
_LIFE = timedelta(minutes=5)
_COLOURS = {Level.WELL: "green", Level.NOTE: "yellow", Level.FAULT: "red"}


@click.group()
def doctor() -> None:
    """Look at a FHIR server or an installation; the status is 1 if something has to be mended."""


@doctor.command("fhir")
@click.argument("base")
@click.option("--patient", "patient_id", help="Id of a patient to ask for (default: any).")
@click.option("--token", help="Bearer token for the server.")
@click.option("--token-file", type=click.File(), help="The file with it; - is standard input.")
@click.option("--service", "service_id", help="Id of the service (default: the first).")
@as_json_option
def fhir(
    base: str,
    patient_id: str | None,
    token: str | None,
    token_file: IO[str] | None,
    service_id: str | None,
    as_json: bool,
) -> None:
    """Run every template on the FHIR server at BASE, as the settings adapt it.

    Prints counts, never a value of a record.
    """
    settings = settings_or_stop()
    address = Base.read(base)
    if address is None:
        stop(f"{base}: expected an address such as https://fhir.example.org/r4", status=2)
    services = knowledge_or_stop(settings).services
    service = services.get(service_id or next(iter(services), ""))
    if service is None:
        stop(f"there is no service {service_id}", status=2)
    if token_file:
        token = token_file.readline().strip()
    caller = Caller(authorities=settings.fhir_ca_bundle)
    examination = FHIRExamination(caller, address, service, settings, token=token, now=now())
    _tell(examination.findings(patient_id), as_json=as_json)


@doctor.command("service")
@click.argument("base")
@click.argument("requests", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--keys", type=click.Path(file_okay=False, path_type=Path), help="Folder of `cds-service keys`."
)
@click.option("--issuer", default="https://ehr.example.org", show_default=True, help="Who signs.")
@as_json_option
def service(
    base: str, requests: tuple[Path, ...], keys: Path | None, issuer: str, as_json: bool
) -> None:
    """Call the service at BASE as a CDS Client would, with the invented people in REQUESTS.

    A file is the JSON of one call. Never use a real patient.
    """
    calls = {path.stem: orjson.loads(path.read_bytes()) for path in requests}
    sign = _signer(keys, issuer) if keys else None
    examination = ServiceExamination(Caller(), base, calls, sign=sign, now=now())
    _tell(examination.findings(), as_json=as_json)


def _signer(folder: Path, issuer: str) -> Sign:
    from cds_service.cli.keys import private_key  # late: its cryptography is large
    from cds_service.clients.signing import signed_token

    private = private_key(folder)
    return lambda url: signed_token(private, issuer, url, now(), _LIFE)


def _tell(findings: Iterable[Finding], *, as_json: bool) -> None:
    """Print each finding as it is made, then how many; end with 1 if there are faults."""
    if as_json:
        found = [asdict(finding) for finding in findings]
        echo_json({"findings": found})
        sys.exit(1 if any(each["level"] is Level.FAULT for each in found) else 0)
    counts = dict.fromkeys(Level, 0)
    for finding in findings:
        counts[finding.level] += 1
        label = click.style(f"{finding.level:<6}", fg=_COLOURS[finding.level])
        text = wrapped(f"{finding.about}: {finding.text}", _WIDTH - 7, subsequent_indent=" " * 9)
        click.echo(f"{label} {text}")
        if finding.mend:
            click.echo(
                wrapped(finding.mend, _WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9)
            )
    click.echo(f"{counts[Level.FAULT]} to mend, {counts[Level.NOTE]} to know.")
    sys.exit(1 if counts[Level.FAULT] else 0)
