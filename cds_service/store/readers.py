"""Readers and their sessions in the store. Tokens and cookies come here as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select, update

from cds_service.store.database import Store
from cds_service.store.tables import reader, reader_session

_PATIENCE = 3.0  # seconds that a page may wait


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """A reader; `revoked_at` is None while the token is good. Both times are aware."""

    name: str
    added_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A reader who has signed in, and until when."""

    name: str
    until: datetime


def add_reader(store: Store, name: str, token_hash: str, now: datetime) -> bool:
    """Add a reader; False if one of this name has a token already. Raises StoreUnavailable."""
    taken = select(reader.c.id).where(reader.c.name == name, reader.c.revoked_at.is_(None))
    row = {"name": name, "token_hash": token_hash, "added_at": now}
    with store.writing() as connection:
        if connection.execute(taken).first():
            return False
        connection.execute(reader.insert(), row)
    return True


def revoke_reader(store: Store, name: str, now: datetime) -> bool:
    """Revoke the token of a reader, and end every session at once; False if there is none.

    Raises StoreUnavailable.
    """
    good = (reader.c.name == name, reader.c.revoked_at.is_(None))
    sessions = reader_session.c.reader_id.in_(select(reader.c.id).where(*good))
    with store.writing() as connection:
        connection.execute(delete(reader_session).where(sessions))
        return connection.execute(update(reader).where(*good).values(revoked_at=now)).rowcount > 0


def all_readers(store: Store) -> Sequence[ReaderRow]:
    """Every reader, also those whose token is revoked, by name. Raises StoreUnavailable."""
    columns = (reader.c.name, reader.c.added_at, reader.c.revoked_at)
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(reader.c.name, reader.c.id))
        return [ReaderRow(*row) for row in rows]


def has_readers(store: Store) -> bool:
    """Whether a reader was ever added. Raises StoreUnavailable."""

    def read() -> bool:
        with store.reading() as connection:
            return bool(connection.execute(select(exists().select_from(reader))).scalar())

    return store.within(_PATIENCE, read)


def begin_session(
    store: Store, token_hash: str, key: str, now: datetime, until: datetime
) -> str | None:
    """Begin a session for the reader with this token; its name, or None if there is no such reader.

    Raises StoreUnavailable.
    """
    good = select(reader.c.id, reader.c.name).where(
        reader.c.token_hash == token_hash, reader.c.revoked_at.is_(None)
    )

    def write() -> str | None:
        with store.reading() as connection:  # a wrong token does not make others wait to write
            known = connection.execute(good).one_or_none()
        if known is None:
            return None
        with store.writing() as connection:
            connection.execute(delete(reader_session).where(reader_session.c.until <= now))
            row = {"key": key, "reader_id": known.id, "until": until}
            connection.execute(reader_session.insert(), row)
        return str(known.name)

    return store.within(_PATIENCE, write)


def session_of(store: Store, key: str, now: datetime) -> SessionRow | None:
    """The session with this key; None if it ended or its reader is revoked.

    Raises StoreUnavailable.
    """
    query = (
        select(reader.c.name, reader_session.c.until)
        .join(reader, reader.c.id == reader_session.c.reader_id)
        .where(reader_session.c.key == key, reader_session.c.until > now)
        .where(reader.c.revoked_at.is_(None))
    )

    def read() -> SessionRow | None:
        with store.reading() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else SessionRow(*row)

    return store.within(_PATIENCE, read)


def end_session(store: Store, key: str) -> None:
    """Sign out. Raises StoreUnavailable."""
    statement = delete(reader_session).where(reader_session.c.key == key)
    store.within(_PATIENCE, lambda: store.change(statement))
