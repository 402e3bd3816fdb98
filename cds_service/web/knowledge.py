"""The pages of the knowledge, and of the cards that rest on it: for everybody, without a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cds_service.catalogue.attributes import attributes_document
from cds_service.catalogue.cards import StoredCard, StoredRule, card_document
from cds_service.catalogue.contents import contents_document, facts_document, search_document
from cds_service.catalogue.document import SOURCES, VALUE_SETS, Address, Document
from cds_service.catalogue.documents import document_at, edition_of, editions_of, in_force
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.labels import LANGUAGES, Labels
from cds_service.catalogue.shared import sources_document, value_sets_document
from cds_service.errors import StoreUnavailable, UnknownService
from cds_service.store.cards import trace_of
from cds_service.web.collaborators import call_notes, collaborators, current_knowledge
from cds_service.web.languages import in_language, language_among, looked_up
from cds_service.web.pages import POLICY

# As on the other pages; besides, the search form may be sent to this service.
_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")
_LONGEST_SEARCH = 100
_OF_NO_SERVICE = {VALUE_SETS: "value_set_page", SOURCES: "source_page"}

knowledge = Blueprint("knowledge", __name__)


class Missing(Exception):
    """There is no page: the label of the sentence that says so, and where one is in force."""

    def __init__(self, label: str, loaded: Address | None = None, version: str = "") -> None:
        super().__init__(label)
        self.label, self.loaded, self.version = label, loaded, version


@knowledge.get("/knowledge")
def contents() -> str:
    """The contents of every service, or what a search (`q`) finds in them."""
    wanted = " ".join(request.args.get("q", "")[:_LONGEST_SEARCH].split())
    editions = _editions()
    documents = (
        [search_document(editions, wanted)] if wanted else [*map(contents_document, editions)]
    )
    return render_template(
        "contents.html", documents=documents, wanted=wanted, editions=editions, **_around()
    )


@knowledge.get("/knowledge/<service>")
def service_page(service: str) -> str:
    """The contents of one service."""
    return _page(contents_document(_edition(service)))


@knowledge.get("/knowledge/<service>/facts")
def facts_page(service: str) -> str:
    """Every fact of a service."""
    return _page(facts_document(_edition(service)))


@knowledge.get("/knowledge/<service>/source-attributes")
def attributes_page(service: str) -> str:
    """The thirteen source attributes of evidence-based decision support."""
    return _page(attributes_document(_edition(service)))


@knowledge.get("/knowledge/value-sets")
def value_sets_page() -> str:
    """Every value set."""
    return _page(value_sets_document(_editions()))


@knowledge.get("/knowledge/sources")
def sources_page() -> str:
    """Every source."""
    return _page(sources_document(_editions()))


@knowledge.get("/knowledge/value-sets/<id_>")
@knowledge.get("/knowledge/value-sets/<id_>/<version>")
def value_set_page(id_: str, version: str = "") -> str | AnyResponse:
    """A value set in a version, or in the one that is in force."""
    return _document(Address(VALUE_SETS, id_, version=version))


@knowledge.get("/knowledge/sources/<id_>")
def source_page(id_: str) -> str | AnyResponse:
    """A source."""
    return _document(Address(SOURCES, id_))


@knowledge.get("/knowledge/<service>/<kind>/<id_>")
@knowledge.get("/knowledge/<service>/<kind>/<id_>/<version>")
def item_page(service: str, kind: str, id_: str, version: str = "") -> str | AnyResponse:
    """A rule, cause, measure, drug class, drug, suggestion or fact, in a version or in force."""
    return _document(Address(kind, id_, service, version))


@knowledge.get("/cards/<uuid>")
def card_page(uuid: str) -> Response:
    """What a card rests on, in full words and without anything of the patient."""
    store = collaborators().memory.store
    if store is None:
        raise Missing("no store")
    stored = trace_of(store, uuid.lower()) if _is_uuid(uuid) else None
    if stored is None or stored[0]["service"] not in current_knowledge().services:
        raise Missing("no card")
    row, _ = stored
    rules = [StoredRule(**rule) for rule in row["rules"]]
    card = StoredCard(row["knowledge_version"], row["slot"], row["indicator"], rules)
    response = Response(_page(card_document(_edition(row["service"]), card)))
    response.headers["Cache-Control"] = "no-store"
    return response


@knowledge.errorhandler(Missing)
def missing(error: Missing) -> tuple[str, int]:
    """A sentence, with a link to what is in force, if there is anything."""
    call_notes().refused = UnknownService(error.label)
    labels, loaded = _labels(), error.loaded
    said = labels.say(
        error.label,
        **({"version": error.version, "id": loaded.id, "loaded": loaded.version} if loaded else {}),
    )
    return render_template("missing.html", said=said, loaded=loaded, **_around()), 404


@knowledge.errorhandler(StoreUnavailable)
def unavailable(error: StoreUnavailable) -> tuple[str, int, Mapping[str, str]]:
    """A sentence, and when to come again."""
    call_notes().refused = error
    said = _labels().say("store away")
    return render_template("missing.html", said=said, loaded=None, **_around()), 503, error.headers


@knowledge.after_request
def protect(response: Response) -> Response:
    """Pages run no script; a cache asks again, because a reload may have changed them."""
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers.setdefault("Cache-Control", "no-cache")
    return in_language(response, _labels().language)


@knowledge.app_template_global("href")
def href(address: Address) -> str:
    """The link to a document, in the language that the reader has chosen."""
    parts = {"id_": address.id} | ({"version": address.version} if address.version else {})
    if address.kind in _OF_NO_SERVICE:
        return _link(_OF_NO_SERVICE[address.kind], **parts)
    return _link("item_page", service=address.service, kind=address.kind, **parts)


def _page(document: Document) -> str:
    return render_template("document.html", document=document, **_around())


def _around() -> dict[str, object]:
    """What stands around every document: its labels, and links that keep the language."""

    others: dict[str, Any] = dict(request.view_args or {})
    if "q" in request.args:
        others["q"] = request.args["q"]
    languages = [
        (
            language,
            Labels(language).say("language"),
            url_for(str(request.endpoint), **others, lang=language),
        )
        for language in LANGUAGES
    ]
    return {"labels": _labels(), "page": _link, "languages": languages}


def _link(endpoint: str, **parts: Any) -> str:
    """The link to a page of the knowledge, in the language that the reader has chosen."""
    if chosen := looked_up(request.args.get("lang", ""), LANGUAGES):
        parts["lang"] = chosen
    return url_for(f"knowledge.{endpoint}", **parts)


def _document(address: Address) -> str | AnyResponse:
    """The page of an address in its version; a redirection if it names none."""
    editions = _editions()
    try:
        loaded = in_force(editions, address)
    except KeyError:
        raise Missing("no document") from None
    if address.version == loaded.version:
        return _page(document_at(editions, loaded))
    if address.version:
        raise Missing("no version", loaded, address.version)
    return redirect(href(loaded))


def _labels() -> Labels:
    """The labels in the language of the reader: as chosen by `lang`, else as the browser asks."""
    if "labels" not in g:
        chosen = request.args.get("lang", "")
        g.labels = Labels(language_among(LANGUAGES, collaborators().settings, chosen))
    labels: Labels = g.labels
    return labels


def _editions() -> list[Edition]:
    editions = editions_of(current_knowledge(), _labels().language)
    if not editions:
        raise Missing("no document")
    return editions


def _edition(service: str) -> Edition:
    try:
        return edition_of(_editions(), service)
    except KeyError:
        raise Missing("no document") from None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
