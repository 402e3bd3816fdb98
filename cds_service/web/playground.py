"""The playground: invented people, their cards, and why. Nothing that is sent here is kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from flask import Blueprint, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from cds_service.catalogue.edition import Edition
from cds_service.catalogue.labels import Labels
from cds_service.errors import BodyTooLarge, CDSError, InvalidRequest, NotAllowed, error_of_status
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Answer, Call, Resource
from cds_service.playground import people
from cds_service.playground.board import Board, board_of
from cds_service.playground.changes import LIST_STATES, Changed
from cds_service.playground.choices import Choices
from cds_service.playground.form import Form, read_form
from cds_service.playground.playing import MOST_RESOURCES, Played, Player, request_in, request_of
from cds_service.playground.records import text_without_credentials
from cds_service.playground.words import labels
from cds_service.settings import Settings
from cds_service.store.pseudonyms import Origin
from cds_service.web.collaborators import call_notes, collaborators, current_knowledge
from cds_service.web.languages import in_language, preferred_language
from cds_service.web.links import is_short, with_links
from cds_service.web.receiving import LARGEST_PAGE_BODY
from cds_service.web.visitors import is_from_our_page

# Only our own script and style sheet; forms and calls go to this service alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MOST_ENTRIES = 100  # of one kind that can be left out one by one
_MOST_SHOWN = 200_000  # characters of a request; those of invented people are never longer
_LONGEST_NAME = 200
_NOT_ENTERED = ("person", "language", "record")  # they have controls of their own
_TOO_LARGE = (
    f"The playground reads at most {LARGEST_PAGE_BODY // 1024**2} MiB and {MOST_RESOURCES:,}"
    " resources, and not more than the service does."
)
_HOOK = "patient-view"  # the hook of a chart that is opened: the people have charts, not orders

playground = Blueprint("playground", __name__, template_folder="templates")


@playground.before_request
def admit() -> None:
    """As often as a client may call, and never from a page of another site."""
    if request.method == "POST":
        if not is_from_our_page():
            raise NotAllowed("Only a page of this service may send this form.")
        collaborators().limit()
    most = min(LARGEST_PAGE_BODY, collaborators().settings.max_body_bytes)
    request.max_content_length = request.max_form_memory_size = most


@playground.get("/")
def home() -> Response:
    """The playground with the first person, or the one in `person`."""
    names = request.args.getlist("person") or [next(iter(people.people()))]
    return _page(Form(person=people.person_named(names[0]).name))


@playground.post("/")
def changed() -> Response:
    """The same with what was chosen, changed, pasted or uploaded."""
    upload = request.files.get("file")
    fields = {name: request.form.getlist(name) for name in request.form}
    g.form = read_form(fields, upload.read() if upload else b"")
    return _page(g.form)


@playground.after_request
def protect(response: Response) -> Response:
    """Pages run our own script only, and nobody stores them."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"  # otherwise browsers send no Origin
    return response


@playground.errorhandler(CDSError)
def say_what_is_wrong(error: CDSError) -> Response:
    """The page with a sentence for each fault, and what was entered, to be mended."""
    if isinstance(error, NotAllowed):  # what another site has entered is not repeated
        return _rendered(Form(), problem=error)
    if isinstance(error, BodyTooLarge) and "form" not in g:
        error = BodyTooLarge(_TOO_LARGE)
    entered = Form(person=_sent("person"), record=_sent("record").encode())
    return _rendered(g.get("form", entered), problem=error)


@playground.errorhandler(HTTPException)
def say_what_is_wrong_with_http(error: HTTPException) -> Response:
    """The same for what the web framework refuses, such as a form that is too large."""
    return say_what_is_wrong(error_of_status(error.code or 500))


def _page(form: Form) -> Response:
    service, settings, now = _service(), collaborators().settings, collaborators().clock()
    user = form.user or f"Practitioner/playground-{secrets.token_hex(6)}"
    player = Player(
        service=service,
        settings=settings,
        profile=collaborators().profile,
        finish=partial(_finished, service, settings),
        now=now,
        language=_language(service),
        is_short=is_short(settings, None),
    )
    request = _base(form, service, user)
    choices = Choices(service, current_knowledge().value_sets)
    board = board_of(service, choices, request, player.call(request), form.changes, form.wrong)
    if fault := form.fault():
        return _rendered(form, problem=fault, board=board, user=user)
    if board.changes:
        request = Changed(request, service.lists, choices, now).by(board.changes)
    try:
        played = player.play(request)
    except CDSError as error:
        return _rendered(form, problem=error, board=board, user=user)
    return _rendered(form, played=played, board=board, user=user)


def _finished(service: CDSService, settings: Settings, call: Call, answer: Answer) -> Answer:
    """The answer as it would be sent, but that each link leads to a rule: no card is kept here."""
    answer = collaborators().memory.pseudonyms.seal(Origin(), call, answer)
    cards = answer.cards
    if not settings.suggestions:
        cards = tuple(replace(card, suggestions=()) for card in cards)
    return replace(answer, cards=tuple(with_links(cards, service, call.language, are_kept=False)))


def _base(form: Form, service: CDSService, user: str) -> Resource:
    """The request about the person or record as it is on record."""
    if form.person:
        person = people.person_named(form.person)
        resources = list(people.resources_of(person, collaborators().clock()))
        return request_of(resources, service, user_id=user, name=person.name)
    if not form.record.strip():
        raise InvalidRequest("Choose a person, paste a record, or choose a file.")
    return request_in(form.record, service, user_id=user)


def _rendered(
    form: Form,
    *,
    problem: CDSError | None = None,
    played: Played | None = None,
    board: Board | None = None,
    user: str = "",
) -> Response:
    """The page; without a board it has what was entered in fields that are not seen."""
    if problem:
        call_notes().refused = problem
    service = _service()
    language = _language(service)
    text = render_template(
        "playground.html",
        t=labels(language),
        language=language,
        service=service,
        edition=Edition(current_knowledge(), service, Labels(language)),
        sections=people.by_section(),
        person=people.people().get(form.person),
        record=_shown_again(form.record),
        entered=_entered() if problem and problem.status != NotAllowed.status else (),
        user=user,
        problem=problem,
        played=played,
        board=board,
        states=LIST_STATES,
        most_entries=_MOST_ENTRIES,
        most_shown=_MOST_SHOWN,
        settings=collaborators().settings,
    )
    status = problem.status if problem else 200
    return in_language(Response(text, status, mimetype="text/html"), language)


def _service() -> CDSService:
    """The service that is played with: the first one for charts that are opened."""
    for service in current_knowledge().services.values():
        if service.hook == _HOOK:
            return service
    raise InvalidRequest("No service in this content answers patient-view.")


def _language(service: CDSService) -> str:
    """The language that is chosen on the page, or else that of the browser."""
    chosen = request.args.get("language") or _sent("language")
    return preferred_language(service, collaborators().settings, chosen)


def _shown_again(record: bytes) -> str:
    """The record as a text to be mended; "" for a file that is no text."""
    try:
        return text_without_credentials(record).decode()
    except UnicodeDecodeError:
        return ""


def _entered() -> list[tuple[str, str]]:
    """Every field of the form that has no control on a page without a board."""
    try:
        fields = request.form.items(multi=True)
        return [(name, value) for name, value in fields if name not in _NOT_ENTERED]
    except HTTPException:
        return []


def _sent(name: str) -> str:
    """A field of the form; "" if the form is what was refused."""
    try:
        return request.form.get(name, "")
    except HTTPException:
        return ""


@playground.app_template_filter("shortened")
def shortened(text: object) -> object:
    """A text of the record that is no longer than a line or two; other values as they are."""
    if isinstance(text, str) and len(text) > _LONGEST_NAME:
        return f"{text[:_LONGEST_NAME]}…"
    return text


@playground.app_template_filter("as_json")
def as_json(value: Mapping[str, Any]) -> str:
    """JSON as people read it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
