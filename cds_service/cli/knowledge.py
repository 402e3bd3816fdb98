"""The command line of the knowledge: check, safety-case, reload, explain, cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cds_service.cli import echo_json, explanation, knowledge_or_stop, settings_or_stop, stop
from cds_service.cli.charts import read_chart
from cds_service.cli.safety_case import Hazard, load_hazards, write_safety_case
from cds_service.cli.watching import changes, waiting
from cds_service.clock import now
from cds_service.errors import CDSError, KnowledgeError, StartError, StoreUnavailable
from cds_service.fhir.profiles import load_profiles, profile_of, too_long
from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.knowledge.call import Call
from cds_service.knowledge.loading.problems import Problems
from cds_service.reload_requests import Stamp
from cds_service.settings import Settings
from cds_service.store.replicas import replicas_in
from cds_service.wire.hooks import TOKENS
from cds_service.wire.responses import dump_response

_DAY = "%Y-%m-%d"
today_option = click.option(
    "--today",
    type=click.DateTime([_DAY]),
    help="Answer as if today were this day (default: today).",
)
_language = click.option("--language", default=None, help="Language of the cards (default: en).")
_service = click.option(
    "--service",
    "service_id",
    default=None,
    help="Id of the service (default: the one for the hook).",
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
_file = click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command()
def reload() -> None:
    """Ask workers to reload cards/; content with problems is not loaded.

    It asks the workers on this machine, or with a store on PostgreSQL, those of all machines.
    """
    settings = settings_or_stop()
    try:
        if replicas := replicas_in(settings.store_url.get_secret_value()):
            with closing(replicas.store):
                replicas.ask_for_reload()
        else:
            Stamp(settings.runtime_dir, settings.cards_dir).renew()
    except StartError as error:
        stop(str(error), status=2)
    except OSError as error:
        stop(f"CDS_RUNTIME_DIR: {error.strerror or error}")
    except StoreUnavailable:
        stop("CDS_STORE_URL: the database does not answer; SIGHUP reaches the workers here alone")
    # The workers check it too, but here the user sees the problems.
    knowledge = knowledge_or_stop(settings)
    click.echo(f"Asked to reload: {knowledge.version}")


@click.command()
@click.option("--coverage", "show_coverage", is_flag=True, help="Print rules by examples.")
@click.option("--watch", is_flag=True, help="Check again after each change, until Ctrl-C.")
@as_json_option
def check(show_coverage: bool, watch: bool, as_json: bool) -> None:
    """Check everything in cards/, and list all problems with file, line and key.

    Status 0: sound; 1: there are problems.
    """
    settings = settings_or_stop()
    if not watch:
        _check(settings, show_coverage, as_json=as_json)
        return
    with suppress(KeyboardInterrupt):
        for _ in changes(settings.cards_dir):
            click.echo(f"-- {now():%H:%M:%S} UTC, {settings.cards_dir}")
            with suppress(SystemExit):
                _check(settings, show_coverage, as_json=as_json)


def _check(settings: Settings, show_coverage: bool, *, as_json: bool) -> None:
    try:
        with waiting("Checking"):
            knowledge = load(settings.cards_dir, hooks=TOKENS, thorough_on=now().date())
    except KnowledgeError as error:
        if as_json:
            echo_json({"problems": error.problems})
            raise SystemExit(1) from error
        for problem in error.problems:
            click.echo(problem, err=True)
        count = len(error.problems)
        stop(f"{count} problem{'s' * (count > 1)} in {settings.cards_dir.name}/")
    _check_templates(knowledge, settings)
    services: dict[str, Any] = {}
    for service in knowledge.services.values():
        _hazards(_safety_folder(settings, service), service)
        if show_coverage:
            Console().print(explanation.coverage(service))
        services[service.id] = {
            "version": service.version,
            "rules": len(service.rules),
            "causes": len(service.causes),
            "examples": sum(map(len, service.examples.values())),
            "languages": {tag: len(service.words[tag].borrowed) for tag in service.languages},
        }
    if as_json:
        body = {"problems": [], "services": services}
        echo_json(body)
        return
    for id_, about in services.items():
        languages = ", ".join(_languages(about["languages"]))
        click.echo(
            f"{id_} {about['version']}: {about['rules']} rules, {about['causes']} causes, "
            f"{about['examples']} examples, languages {languages}: sound"
        )


def _check_templates(knowledge: Knowledge, settings: Settings) -> None:
    """Stop if a template is too long once it is adapted to a site: to this one, or to any maker."""
    try:
        profiles = {"CDS_FHIR_EXTRA": profile_of(settings)} | load_profiles()
        profiles["CDS_FHIR_EXTRA"].of_site(knowledge)
    except (StartError, ValueError) as error:
        stop(str(error))
    for service in knowledge.services.values():
        for name, profile in profiles.items():
            for key in too_long(profile.adapted(service.prefetch)):
                stop(f"{service.id}: the template of {key} is too long with {name}")


@click.command("safety-case")
@click.option("--check", "only_check", is_flag=True, help="Only check that the page is current.")
def safety_case(only_check: bool) -> None:
    """Write safety/safety-case.md of each service with a hazard log, from the log and the rules."""
    settings = settings_or_stop()
    for service in knowledge_or_stop(settings).services.values():
        folder = _safety_folder(settings, service)
        if not folder.is_dir():
            continue
        hazards = _hazards(folder, service)
        questions = (folder / "open-questions.md").read_text(encoding="utf-8")
        page = write_safety_case(service, hazards, questions)
        path = folder / "safety-case.md"
        if not only_check:
            path.write_text(page, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != page:
            stop(f"{service.id}: safety-case.md is not current: run `cds-service safety-case`")


@click.command()
@_file
@_service
@today_option
@_language
@as_json_option
def explain(
    path: Path,
    service_id: str | None,
    today: datetime | None,
    language: str | None,
    as_json: bool,
) -> None:
    """Explain the cards for a patient in a file: facts, outcomes and reasons, then the cards.

    The file is a CDS Hooks request, an R4 Bundle or NDJSON.
    """
    service, call = _call(path, service_id, today, language)
    explained = explanation.explain(service, call)
    if as_json:
        echo_json(explained)
        return
    console = Console()
    console.print(explanation.tree(explained))
    explanation.print_cards(console, service.answer(call).cards)


@click.command()
@_file
@_service
@today_option
@_language
@as_json_option
def cards(
    path: Path,
    service_id: str | None,
    today: datetime | None,
    language: str | None,
    as_json: bool,
) -> None:
    """The cards for a patient in a file: a CDS Hooks request, an R4 Bundle or NDJSON."""
    service, call = _call(path, service_id, today, language)
    answer = service.answer(call)
    if as_json:
        echo_json(dump_response(answer.cards))
    else:
        explanation.print_cards(Console(), answer.cards)


def _call(
    path: Path, service_id: str | None, today: datetime | None, language: str | None
) -> tuple[CDSService, Call]:
    """The call that a file holds, and the service that answers it."""
    knowledge = knowledge_or_stop(settings_or_stop())
    try:
        chart = read_chart(path)
        service = _service_of(knowledge, chart.hook, service_id)
        return service, chart.call(service, at(today), _known(language, service))
    except CDSError as error:
        stop(f"{path.name}: {error}")


def _languages(languages: Mapping[str, int]) -> Iterable[str]:
    """The languages, each with how many of its texts are not translated yet."""
    for language, count in languages.items():
        yield f"{language} (not translated: {count})" if count else language


def _safety_folder(settings: Settings, service: CDSService) -> Path:
    """Where the hazard log and the safety case of a service are, if it has them."""
    return settings.cards_dir / service.id / "safety"


def _hazards(folder: Path, service: CDSService) -> tuple[Hazard, ...]:
    if not folder.is_dir():
        return ()
    problems = Problems(folder)
    hazards = load_hazards(folder / "hazards.yaml", service, problems)
    if problems.found:
        stop("\n".join(problems.found))
    return hazards


def _service_of(knowledge: Knowledge, hook: str, service_id: str | None) -> CDSService:
    """The service with this id, or the only one that answers the hook."""
    services = [service for service in knowledge.services.values() if service.hook == hook]
    chosen = [service for service in services if service_id in (None, service.id)]
    if len(chosen) == 1:
        return chosen[0]
    answering = ", ".join(service.id for service in services) or "no service"
    if service_id is None and services:
        stop(f"several services answer {hook}; choose one with --service: {answering}")
    stop(f"no such service answers {hook}; these do: {answering}")


def _known(language: str | None, service: CDSService) -> str:
    if language is not None and language not in service.languages:
        stop(f"there are no words in {language}; available: {', '.join(service.languages)}")
    return language or service.default_language


def at(today: datetime | None) -> datetime:
    """The moment to answer at: noon of a day, or now."""
    if today is None:
        return now()
    return today.replace(hour=12, tzinfo=UTC)
