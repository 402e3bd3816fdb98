"""The page where a reader signs in, and out."""

from __future__ import annotations

import re

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from cds_service.errors import StoreUnavailable, UnknownService
from cds_service.readers.attempts import PAUSE
from cds_service.readers.sessions import Sessions, is_cookie, new_cookie
from cds_service.web.collaborators import call_notes, collaborators
from cds_service.web.pages import POLICY
from cds_service.web.readers import cookie_name, session
from cds_service.web.visitors import address_of_visitor, is_from_our_page

_MOST_BYTES = 8 * 1024
# A page of this service, below its own address: never another place, and no step upwards.
_OURS = re.compile(r"(/[\w~-][\w.~-]*)+(\?[\w=&.~%+-]*)?", re.ASCII)

signing = Blueprint("sign_in", __name__, template_folder="templates")


@signing.get("/sign-in")
def sign_in_page() -> Response:
    """The form; for who has signed in, until when, and a button to sign out."""
    _sessions()
    return _page(request.args.get("to", ""))


@signing.post("/sign-in")
def sign_in() -> Response:
    """A token becomes a session, with a new cookie; whatever is wrong is said on the page."""
    call_notes().is_reading = True
    sessions, form = _sessions(), _form()
    to = form.get("to", "")
    if not _is_our_form(sessions, form):
        return _page(to, "The form is out of date or came from another page. Try again.", 403)
    if not collaborators().attempts.has_room(address_of_visitor()):
        response = _page(to, "Too many attempts. Wait a minute.", 429)
        response.headers["Retry-After"] = str(PAUSE)
        return response
    try:
        begun = sessions.begin(form.get("token", "").strip(), collaborators().clock())
        if begun is None:
            response = _page(to, "This token is not known, or it was revoked.", 401)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        sessions.end(request.cookies.get(cookie_name(), ""))
    except StoreUnavailable:
        return _page(to, "The store does not answer. Try again in a moment.", 503)
    call_notes().client = f"reader:{begun.name}"
    place = request.script_root + to if _OURS.fullmatch(to) else url_for("web.report_page")
    response = make_response(redirect(place, 303))
    _set_cookie(response, begun.cookie)
    return response


@signing.post("/sign-out")
def sign_out() -> Response:
    """The session ends here and now."""
    call_notes().is_reading = True
    sessions, form = _sessions(), _form()
    if not _is_our_form(sessions, form):
        return _page("", "The form is out of date or came from another page. Try again.", 403)
    if signed_in := session():
        call_notes().client = f"reader:{signed_in.name}"
    sessions.end(request.cookies.get(cookie_name(), ""))
    response = make_response(redirect(url_for("sign_in.sign_in_page"), 303))
    _set_cookie(response, new_cookie())
    return response


@signing.after_request
def protect(response: Response) -> Response:
    """As the other pages, but forms may be sent to us, and say that they come from us."""
    response.headers["Content-Security-Policy"] = POLICY.replace(
        "form-action 'none'", "form-action 'self'"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"  # otherwise browsers send no Origin
    return response


def _sessions() -> Sessions:
    if (sessions := collaborators().sessions) is None:
        raise UnknownService("This service has no store, so there is nothing to sign in to.")
    return sessions


def _form() -> dict[str, str]:
    """The fields of the form, as long as they may be; a longer body is 413."""
    request.max_content_length = _MOST_BYTES
    return request.form.to_dict()


def _is_our_form(sessions: Sessions, form: dict[str, str]) -> bool:
    cookie = request.cookies.get(cookie_name(), "")
    return is_from_our_page() and sessions.is_form_token(form.get("form", ""), cookie)


def _page(to: str, problem: str = "", status: int = 200) -> Response:
    cookie = request.cookies.get(cookie_name(), "")
    is_new = not is_cookie(cookie)
    if is_new:
        cookie = new_cookie()
    text = render_template(
        "sign_in.html",
        form_token=_sessions().form_token(cookie),
        to=to if _OURS.fullmatch(to) else "",
        problem=problem,
        session=None if status == 503 else session(),
    )
    response = make_response(text, status)
    if is_new:
        _set_cookie(response, cookie)
    return response


def _set_cookie(response: Response, value: str) -> None:
    """It lasts until the browser is closed; the session itself ends sooner or later than that."""
    response.set_cookie(
        cookie_name(),
        value,
        path=request.script_root or "/",
        secure=cookie_name().startswith("__"),
        httponly=True,
        samesite="Lax",  # a link in a mail opens the report; forms are protected by themselves
    )
