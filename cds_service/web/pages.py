"""What people read: about the service, how clinicians answered its cards, why a card was shown."""

from __future__ import annotations

from datetime import timedelta
from mimetypes import guess_type
from pathlib import Path
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from cds_service.errors import InvalidRequest, UnknownCard, UnknownService
from cds_service.html.markdown import as_html
from cds_service.report.catalogue import Catalogue, catalogue_of
from cds_service.report.counting import LEAST_ANSWERS, read_since, report
from cds_service.report.figures import Report
from cds_service.report.plots import plots
from cds_service.report.tables import TABLES, tables, to_csv, to_json
from cds_service.store.cards import why
from cds_service.web.cds_hooks import ask_who_calls
from cds_service.web.collaborators import (
    call_notes,
    collaborators,
    current_knowledge,
    json_response,
)
from cds_service.web.readers import is_open, known_reader, to_sign_in

# Only our own style sheet and images: no script, no frame, nothing from other addresses.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
PERIODS = {"7d": "7 days", "30d": "30 days", "90d": "90 days", "365d": "1 year"}
DEFAULT_PERIOD = "30d"

# Whole in memory: no file stays open when a browser leaves early.
_STATIC = {path.name: path.read_bytes() for path in (Path(__file__).parent / "static").iterdir()}

_DATA = {"web.report_json", "web.report_csv", "web.trace"}
_OF_CALLS = _DATA | {"web.report_page"}

web = Blueprint("web", __name__, template_folder="templates")


@web.before_request
def ask_who_reads() -> Response | None:
    """What tells of calls is for readers, and as data for clients; other pages are public.

    Raises NotSignedIn, and NotAuthenticated for a client's token that is not valid.
    """
    if request.endpoint not in _OF_CALLS or known_reader() is not None or is_open():
        return None
    if request.endpoint in _DATA and "Authorization" in request.headers:
        if collaborators().clients is not None:
            call_notes().is_reading = True
            return ask_who_calls()
    return to_sign_in()


@web.app_context_processor
def name_what_is_there() -> dict[str, bool]:
    """What the navigation of every page needs to know."""
    return {"has_playground": collaborators().settings.playground}


@web.get("/")
def home() -> str:
    """The page about the service; the playground stands here where it is on."""
    return about()


@web.get("/about")
def about() -> str:
    """What the service is, its rules, and which of them the operator has switched off."""
    return render_template("about.html", catalogue=_catalogue(), settings=collaborators().settings)


@web.get("/report")
def report_page() -> str:
    """The report on the last hours, days or weeks: `since` (12h, 30d, 4w; 30d by default)."""
    since, figures = _report()
    services = current_knowledge().services
    return render_template(
        "report.html",
        # Rules are named `service/rule`; with one service its name says nothing.
        prefix=f"{next(iter(services))}/" if len(services) == 1 else "",
        report=figures,
        least_answers=LEAST_ANSWERS,
        tables=tables(figures),
        plots=plots(figures),
        since=since,
        periods=PERIODS,
    )


@web.get("/report.json")
def report_json() -> Response:
    """The same report as JSON."""
    _, figures = _report()
    return Response(to_json(figures), mimetype="application/json")


@web.get("/report.csv")
def report_csv() -> Response:
    """One table of the report as CSV: `table`, by default the rules."""
    name = request.args.get("table", TABLES[0])
    if name not in TABLES:
        raise InvalidRequest(f"The tables are {', '.join(TABLES)}.", "table")
    _, figures = _report()
    response = Response(to_csv(tables(figures)[name]), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


@web.get("/trace/<uuid:uuid>")
def trace(uuid: UUID) -> Response:
    """Why a card was shown: names, versions, answers; values only with CDS_TRACE_VALUES.

    Raises UnknownCard, and StoreUnavailable.
    """
    call_notes().is_reading = True
    store = collaborators().memory.store
    reasons = why(store, str(uuid)) if store is not None else None
    if reasons is None:
        raise UnknownCard("There is no card with this uuid, or it is no longer stored.")
    return json_response(reasons)


@web.get("/static/<filename>", endpoint="static")
def static_file(filename: str) -> Response:
    """The style sheet or an image."""
    if filename not in _STATIC:
        raise NotFound
    response = Response(_STATIC[filename], mimetype=guess_type(filename)[0])
    response.add_etag()
    response.make_conditional(request)
    return response


@web.after_request
def protect(response: Response) -> Response:
    """Pages run no script, and neither a browser nor a proxy stores the figures."""
    response.headers["Content-Security-Policy"] = POLICY
    if request.endpoint != "web.static":
        response.headers["Cache-Control"] = "no-store"
    return response


@web.app_template_filter("markdown")
def markdown(text: str) -> Markup:
    """Words of cards/ or the detail of a card as safe HTML."""
    return Markup(as_html(text))  # noqa: S704 - cleaned


@web.app_template_filter("percent")
def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage: 0.834 is 83 %."""
    return f"{share * 100:.0f}\N{NO-BREAK SPACE}%"


def _report() -> tuple[str, Report]:
    """The period as it was asked for, and the report on it.

    Raises InvalidRequest if the period cannot be read, UnknownService if there is no store, and
    StoreUnavailable if the store does not answer.
    """
    since = request.args.get("since", DEFAULT_PERIOD)
    length, store = _length(since), collaborators().memory.store
    if store is None:
        raise UnknownService("This service has no store, so there is nothing to report.")
    return since, report(
        store, _catalogue(), collaborators().settings, collaborators().clock(), length
    )


def _length(since: str) -> timedelta:
    try:
        return read_since(since)
    except ValueError as error:
        raise InvalidRequest(f"since: {error}.", "since") from error


def _catalogue() -> Catalogue:
    return catalogue_of(current_knowledge())
