"""`cds-service demo`: the invented people, with the dates of today."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import click
import orjson
from rich.console import Console
from rich.table import Table

from cds_service.cli import echo_json, knowledge_or_stop, settings_or_stop, stop
from cds_service.cli.explanation import print_cards
from cds_service.clock import now
from cds_service.errors import UnknownPerson
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Source
from cds_service.playground import people
from cds_service.playground.loading import ODD, LoadError, call, is_address, wait_for_server
from cds_service.playground.people import Person
from cds_service.playground.playing import request_of

_HOOK = "patient-view"
_USER = "Practitioner/demo"
_JSON = "application/json"
_SECONDS = 60
_WAIT = 300  # seconds for a FHIR server to start


def _address(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not is_address(text):
        raise click.BadParameter("expected an http or https address", param=parameter)
    return text.rstrip("/") if text else text


@click.command()
@click.argument("name", required=False)
@click.option("--bundle", is_flag=True, help="Print the record, not a CDS Hooks request.")
@click.option(
    "--post", metavar="URL", callback=_address, help="Send the request to this service; show cards."
)
@click.option(
    "--load", metavar="BASE", callback=_address, help="Put the record on this FHIR R4 server."
)
def demo(name: str | None, bundle: bool, post: str | None, load: str | None) -> None:
    """Invented people: list them, print the request about NAME, post it, or load records.

    NAME is a whole name or its first part. All dates are moved, so that stories are true today.
    """
    person = _person(name) if name else None
    if load:
        _load(load, [person] if person else people.people().values())
    elif person is None:
        if post or bundle:
            stop("say who: `cds-service demo` lists the names", status=2)
        _list()
    elif bundle:
        echo_json(people.bundle_of(person, now()))
    else:
        service = _service()
        resources = list(people.resources_of(person, now()))
        request = request_of(resources, service, user_id=_USER, name=person.name)
        if post:
            _post(post, service, request)
        else:
            echo_json(request)


def _person(name: str) -> Person:
    try:
        return people.person_named(name)
    except UnknownPerson as error:
        stop(str(error))


def _list() -> None:
    for section, group in people.by_section().items():
        table = Table("name", "story", title=section, title_justify="left", width=110)
        for person in group:
            table.add_row(person.name, person.story)
        Console().print(table)


def _service() -> CDSService:
    for service in knowledge_or_stop(settings_or_stop()).services.values():
        if service.hook == _HOOK:
            return service
    stop(f"no service in this content answers {_HOOK}")


def _post(url: str, service: CDSService, request: dict[str, Any]) -> None:
    """Send the request to the service at an address, or to this service below a base address."""
    is_base = "/cds-services/" not in urlsplit(url).path
    address = f"{url}/cds-services/{service.id}" if is_base else url
    try:
        answer = call(address, orjson.dumps(request), timeout=_SECONDS, media_type=_JSON)
        cards = [_card(card) for card in answer["cards"]]
    except LoadError as error:
        stop(f"{address}: {error}")
    except (LookupError, TypeError):
        stop(f"{address}: the answer has no cards")
    print_cards(Console(), cards)


def _card(card: dict[str, Any]) -> Card:
    source = Source(str(card["source"]["label"]))
    return Card("", str(card["summary"]), str(card["indicator"]), card.get("detail", ""), source)


def _load(base: str, group: Iterable[Person]) -> None:
    try:
        wait_for_server(base, seconds=_WAIT)
    except LoadError as error:
        stop(str(error))
    refused = set()
    for person in group:
        try:
            call(base, orjson.dumps(people.bundle_of(person, now())), timeout=_SECONDS)
            click.echo(f"{person.name}: loaded")
        except LoadError as error:
            refused.add(person.name)
            click.echo(f"{person.name}: refused, {error}", err=True)
    if refused - ODD:
        stop(f"{len(refused)} refused")
