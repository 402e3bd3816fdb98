"""Which reader sends a request, and what is open without one."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from flask import Response, g, redirect, request, url_for

from cds_service.errors import NotSignedIn
from cds_service.readers import proxies
from cds_service.store.readers import SessionRow, has_readers
from cds_service.web.collaborators import call_notes, collaborators
from cds_service.web.visitors import is_from_this_machine, is_to_this_machine


def cookie_name() -> str:
    """The name of the cookie; browsers hold to what its prefix promises."""
    public = urlsplit(collaborators().settings.public_url)
    if public.scheme != "https":
        return "cds-reader"
    return "__Secure-cds-reader" if public.path else "__Host-cds-reader"


def session() -> SessionRow | None:
    """The session of whoever has signed in. Raises StoreUnavailable."""
    if "session" not in g:
        sessions, cookie = collaborators().sessions, request.cookies.get(cookie_name(), "")
        now = collaborators().clock()
        g.session = sessions.of(cookie, now) if sessions and cookie else None
    return cast(SessionRow | None, g.session)


def known_reader() -> str | None:
    """The name of the reader: as a trusted proxy says, or of the session. Notes it for the audit.

    Raises StoreUnavailable.
    """
    settings, name = collaborators().settings, None
    if settings.reader_header:
        header = request.headers.get(settings.reader_header)
        name = proxies.reader_named(header, request.remote_addr or "", settings.trusted_proxies)
    if name is None and (signed_in := session()):
        name = signed_in.name
    if name is not None:
        call_notes().is_reading = True
        call_notes().client = f"reader:{name}"
    return name


def is_open() -> bool:
    """Whether anybody on this machine may read figures: only until readers or clients are named.

    In development the request may come through the port of a container. Raises StoreUnavailable.
    """
    settings, store = collaborators().settings, collaborators().memory.store
    if settings.issuers or settings.reader_header or (store and has_readers(store)):
        return False
    return is_to_this_machine() if settings.development else is_from_this_machine()


def to_sign_in() -> Response:
    """To the page where one signs in, for a browser. Raises NotSignedIn for a program."""
    if "text/html" not in request.headers.get("Accept", ""):
        raise NotSignedIn("This is for readers who have signed in; programs send a client's token.")
    asked_for = request.full_path.rstrip("?")
    return cast(Response, redirect(url_for("sign_in.sign_in_page", to=asked_for), 303))
