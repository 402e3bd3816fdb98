"""Readers sign in with a token, and are known by a cookie until they sign out."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe

from cds_service.store import Store
from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.readers import SessionRow, begin_session, end_session, session_of

LIFE = timedelta(hours=12)  # a working day
_BYTES = 32
_START = "cds-reader-"  # so that a token in the wrong place is recognised
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """A token for a reader, 256 bits of chance."""
    return _START + token_urlsafe(_BYTES)


def hash_of(secret: str) -> str:
    """What is kept of a token or a cookie: nobody can compute it backwards, nor guess 256 bits."""
    return sha256(secret.encode()).hexdigest()


def new_cookie() -> str:
    """The value of a cookie, for a visitor or a new session."""
    return token_urlsafe(_BYTES)


def is_cookie(value: str) -> bool:
    """Whether this may be a value that `new_cookie` made."""
    return _COOKIE.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has just begun: whose it is, and its cookie."""

    name: str
    cookie: str


class Sessions:
    """The sessions of readers, in the store: they outlive the service, and end when revoked.

    Everything here raises StoreUnavailable.
    """

    def __init__(self, store: Store, pseudonyms: Pseudonyms) -> None:
        self._store = store
        self._pseudonyms = pseudonyms

    def begin(self, token: str, now: datetime) -> Begun | None:
        """A session with a new cookie, for the reader with this token; None for a wrong token.

        The token is looked up by its hash, so the time that it takes tells nothing about it.
        """
        cookie = new_cookie()
        name = begin_session(self._store, hash_of(token), hash_of(cookie), now, now + LIFE)
        return Begun(name, cookie) if name is not None else None

    def of(self, cookie: str, now: datetime) -> SessionRow | None:
        """The session that this cookie opens, or None."""
        return session_of(self._store, hash_of(cookie), now) if is_cookie(cookie) else None

    def end(self, cookie: str) -> None:
        """End the session that this cookie opens."""
        end_session(self._store, hash_of(cookie))

    def form_token(self, cookie: str) -> str:
        """What a form sent with this cookie has to hold: pages of others cannot know it."""
        return self._pseudonyms.of("form", cookie)

    def is_form_token(self, text: str, cookie: str) -> bool:
        """Whether a form with this text came from a page of ours, made for this cookie."""
        return is_cookie(cookie) and hmac.compare_digest(
            text.encode(), self.form_token(cookie).encode()
        )
