"""`cds-service conformance`: tries any CDS Service against the rules of CDS Hooks."""

from __future__ import annotations

import shlex
import subprocess  # the user's own command makes the tokens
import sys
from pathlib import Path
from textwrap import fill as wrapped

import click
import orjson

from cds_service.cli import echo_json, stop
from cds_service.conformance.caller import Caller
from cds_service.conformance.checks import Outcome, Result
from cds_service.conformance.examination import examine
from cds_service.conformance.reports import as_data, counts, junit
from cds_service.conformance.rules import RULES
from cds_service.conformance.target import Sign, Target

_WIDTH = 80
_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.WARNED: "yellow",
    Outcome.FAILED: "red",
    Outcome.NOT_TRIED: "yellow",
}
_SECONDS = 30


@click.command()
@click.argument("base")
@click.argument("requests", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--token-cmd", help="A command that prints a token; the address called is added.")
@click.option(
    "--origin",
    default="https://sandbox.cds-hooks.org",
    show_default=True,
    help="The page from which a browser would call.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authorities (PEM) to trust.",
)
@click.option("--shall", "only_shall", is_flag=True, help="Only rules of level SHALL can fail.")
@click.option("--all", "show_all", is_flag=True, help="Print the rules that hold, too.")
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JUnit XML to this file.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def conformance(
    base: str,
    requests: tuple[Path, ...],
    token_cmd: str | None,
    origin: str,
    ca_file: Path | None,
    only_shall: bool,
    show_all: bool,
    junit_file: Path | None,
    is_json: bool,
) -> None:
    """Try the CDS Service at BASE, which has BASE/cds-services, against CDS Hooks 2.0.1.

    REQUESTS are files with calls about invented people, who should get cards. Status 0: no rule
    is broken; 1: one is, or nothing answers; 2: wrong usage. It calls some hundred times, also
    with nonsense and feedback: never try a service that is in use with patients.
    """
    if not base.startswith(("http://", "https://")):
        stop(f"{base}: expected an address such as https://cds.example.org", status=2)
    calls = {path.stem: _request(path) for path in requests}
    sign = _signer(token_cmd) if token_cmd else None
    target = Target(Caller(authorities=ca_file), base, sign=sign, origin=origin)
    first = target.get(target.discovery)
    if not first.status:
        stop(f"{target.discovery}: {first.trouble}; is the service running?")
    found = []
    for result in examine(target, calls):
        if only_shall and result.rule.level != "SHALL" and result.outcome is Outcome.FAILED:
            result.outcome = Outcome.WARNED
        found.append(result)
        if not is_json and (show_all or result.outcome is not Outcome.PASSED):
            _tell(result)
        elif not is_json and sys.stderr.isatty():
            click.echo(f"\r{len(target.replies)} calls\r", nl=False, err=True)
    if junit_file:
        junit_file.write_bytes(junit(target.base, found))
    if is_json:
        data = as_data(target.base, found)
        echo_json(data)
    else:
        _sum_up(found, target)
    sys.exit(1 if counts(found)[Outcome.FAILED.value] else 0)


def _tell(result: Result) -> None:
    label = click.style(f"{result.outcome.value:<9}", fg=_COLOURS[result.outcome])
    rule = result.rule
    head = f"{rule.id:<5}{rule.level:<7}{rule.sentence}"
    click.echo(f"{label} " + wrapped(head, _WIDTH - 10, subsequent_indent=" " * 22))
    if result.outcome is not Outcome.PASSED:
        text = f"{result.place}: {result.text}"
        margin = " " * 22
        click.echo(wrapped(text, _WIDTH, initial_indent=margin, subsequent_indent=margin))


def _sum_up(found: list[Result], target: Target) -> None:
    if target.sign is None and target.replies[0][1].status == 401:
        click.echo("It asks for a token: name a command that prints one with --token-cmd.")
    found_counts = counts(found)
    texts = [f"{found_counts[each.value]} {each.value}" for each in Outcome]
    click.echo(f"{', '.join(texts)}; {len(target.replies)} calls, {len(RULES)} rules.")


def _request(path: Path) -> dict[str, object]:
    try:
        request = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        stop(f"{path.name} is not JSON: {error}", status=2)
    if not isinstance(request, dict) or not isinstance(request.get("context"), dict):
        stop(f"{path.name} is no CDS Hooks request: it has no context", status=2)
    return request


def _signer(command: str) -> Sign:
    try:
        words = shlex.split(command)
    except ValueError as error:
        stop(f"--token-cmd: {error}", status=2)

    def sign(url: str) -> str:
        try:
            ended = subprocess.run(  # noqa: S603 - the user's own words, and no shell
                [*words, url], capture_output=True, text=True, timeout=_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", "") or getattr(error, "strerror", "") or "it failed"
            stop(f"--token-cmd: {str(reason).strip().splitlines()[-1]}")
        if not ended.stdout.strip():
            stop("--token-cmd: it printed nothing; it has to print a token")
        return ended.stdout.strip()

    return sign
