"""`cds-service new`: begins a service, a rule or a language."""

from __future__ import annotations

from collections.abc import Callable

import click

from cds_service.authoring.drafts import Draft, DraftRefused, new_language, new_rule, new_service
from cds_service.cli import settings_or_stop, stop
from cds_service.clock import now
from cds_service.errors import KnowledgeError
from cds_service.knowledge import CDSService, load
from cds_service.settings import Settings
from cds_service.wire.hooks import TOKENS

_service = click.option("--service", "service_id", help="Id of the service (default: the first).")


@click.group()
def new() -> None:
    """Begin a service, a rule or a language in CDS_CARDS_DIR: a draft that `check` accepts."""


@new.command("service")
@click.argument("id_", metavar="ID")
def service(id_: str) -> None:
    """A service of three files: service.yaml, rules/first.yaml, words/<language>/first.md."""
    settings = settings_or_stop()
    if (settings.cards_dir / id_).exists():
        stop(f"{settings.cards_dir / id_} exists already; choose another id")
    _write(settings, lambda: new_service(id_, settings.language, now().date()))


@new.command("rule")
@click.argument("id_", metavar="ID")
@_service
@click.option("--topic", default="new", show_default=True, help="The file of rules and of words.")
@click.option("--fact", default="age", show_default=True, help="The fact of its condition.")
def rule(id_: str, service_id: str | None, topic: str, fact: str) -> None:
    """A rule with its words and examples, at the end of rules/<topic>.yaml."""
    settings = settings_or_stop()
    chosen = _chosen(settings, service_id)
    _write(settings, lambda: new_rule(id_, chosen, topic, fact, now().date()))


@new.command("language")
@click.argument("tag", metavar="ID")
@_service
def language(tag: str, service_id: str | None) -> None:
    """The texts that a language such as pt-BR needs for itself, still to be translated."""
    settings = settings_or_stop()
    chosen = _chosen(settings, service_id)
    folder = settings.cards_dir / chosen.id / "words" / chosen.default_language
    texts = {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("**/*.md"))
    }
    _write(settings, lambda: new_language(tag, chosen, texts))
    click.echo("Translate them, and list the verbs of orders in guards.yaml, `orders`.")


def _chosen(settings: Settings, service_id: str | None) -> CDSService:
    try:
        services = load(settings.cards_dir, hooks=TOKENS).services
    except KnowledgeError as error:
        first, count = error.problems[0], len(error.problems)
        stop(f"{first}\nMend this first ({count} in all): `cds-service check` lists them.")
    if service_id is not None and service_id not in services:
        stop(f"there is no service {service_id}; there are: {', '.join(services)}", status=2)
    return services[service_id or next(iter(services))]


def _write(settings: Settings, draft: Callable[[], Draft]) -> None:
    """Add the texts of a draft to its files, and say where they are."""
    try:
        files = draft()
    except DraftRefused as error:
        stop(str(error), status=2)
    for name, text in files.items():
        path = settings.cards_dir / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(before + (text if before else text.lstrip("\n")), encoding="utf-8")
        except OSError as error:
            stop(f"{path}: {error.strerror}")
        line = before.count("\n") + 2 if before else 1
        click.echo(f"{path}:{line}")
    click.echo("Fill in what they say, then run `cds-service check`.")
