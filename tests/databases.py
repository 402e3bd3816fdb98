"""PostgreSQL and Redis for tests: those that run beside them, if they do."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
import redis

from cds_service.store import open_store

SERVER = "postgresql://postgres@127.0.0.1:5432"
REDIS = "redis://127.0.0.1:6379/9"


@cache
def _postgresql_answers() -> bool:
    """Whether there is a server on which databases can be made."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True


@cache
def _redis_answers() -> bool:
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=10).ping()
    except redis.RedisError:
        return False
    return True


def redis_url() -> str:
    """The address of the Redis beside the tests. Skips the test that asks if there is none."""
    if not _redis_answers():
        pytest.skip("Redis: none listens on 127.0.0.1:6379")
    return REDIS


# Databases that are empty and not in use: to make one takes far longer than to empty it.
_empty: list[str] = []


@contextmanager
def new_database() -> Iterator[str]:
    """The address of an empty database of our own.

    Skips the test that asks if there is no PostgreSQL.
    """
    _need_postgresql()
    name = _empty.pop() if _empty else _create()
    try:
        yield f"{SERVER}/{name}"
    finally:
        _empty.append(_emptied(name))


def _need_postgresql() -> None:
    if not _postgresql_answers():
        pytest.skip("PostgreSQL: none listens on 127.0.0.1:5432 and lets in user postgres")


def _create(like: str = "template1") -> str:
    name = f"cds_test_{secrets.token_hex(6)}"
    with _connect("postgres") as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        # Days are those of UTC, wherever the server thinks it is.
        server.execute(f"ALTER DATABASE {name} SET timezone TO 'Pacific/Kiritimati'")
    return name


def _emptied(old: str) -> str:
    """The database, empty and with a new name: a writer of before does not find it."""
    new = f"cds_test_{secrets.token_hex(6)}"
    with _connect("postgres") as server:
        server.execute(f"ALTER DATABASE {old} ALLOW_CONNECTIONS false")
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [old],
        )
        server.execute(f"ALTER DATABASE {old} RENAME TO {new}")
        server.execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")
    with _connect(new) as database:
        database.execute("DROP SCHEMA public CASCADE")
        database.execute("CREATE SCHEMA public")
    return new


@contextmanager
def database_with_schema() -> Iterator[str]:
    """The address of a database of our own that has our schema and no rows.

    Skips the test that asks if there is no PostgreSQL.
    """
    _need_postgresql()
    name = _create(_with_schema())
    try:
        yield f"{SERVER}/{name}"
    finally:
        with _connect("postgres") as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _with_schema() -> str:
    """A database that others are copied from: migrations take far longer than a copy."""
    name = _create()
    make_schema(f"{SERVER}/{name}")
    _to_copy.append(name)
    return name


_to_copy: list[str] = []


def make_schema(url: str) -> None:
    """Bring an empty database up to our schema, as the service does it at its start."""
    store = open_store(url)
    assert store is not None
    store.close()


def sqlite_with_schema(path: Path) -> str:
    """The address of a new file of SQLite that has our schema and no rows."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(_file_with_schema())
    return f"sqlite:///{path}"


@cache
def _file_with_schema() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite3"
        make_schema(f"sqlite:///{path}")
        return path.read_bytes()


def drop_databases() -> None:
    """Drop what this process has made."""
    for name in (*_empty, *_to_copy):
        with _connect("postgres") as server:
            server.execute(f"DROP DATABASE {name}")
    _empty.clear()
    _to_copy.clear()
    _with_schema.cache_clear()


def _connect(name: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(f"{SERVER}/{name}", autocommit=True)
