"""Databases for tests on the PostgreSQL that runs beside them, if one does."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
import redis

SERVER = "postgresql://postgres@127.0.0.1:5432"
REDIS = "redis://127.0.0.1:6379/9"


@cache
def postgresql_server() -> bool:
    """Whether there is a server on which databases can be made."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def new_database() -> Iterator[str]:
    """The address of an empty database, which is dropped afterwards."""
    name = f"cds_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        # Days are those of UTC, wherever the server thinks it is.
        server.execute(f"ALTER DATABASE \"{name}\" SET timezone TO 'Pacific/Kiritimati'")
        try:
            yield f"{SERVER}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def redis_url() -> str | None:
    """The address of a Redis, if one runs beside the tests."""
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=2).ping()
    except redis.RedisError:
        return None
    return REDIS
