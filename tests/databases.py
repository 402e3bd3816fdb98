"""PostgreSQL and Redis for tests: those that run beside them, if they do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
import pytest
import redis

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


@contextmanager
def new_database() -> Iterator[str]:
    """The address of a database of our own, which is dropped afterwards.

    Skips the test that asks if there is no PostgreSQL.
    """
    if not _postgresql_answers():
        pytest.skip("PostgreSQL: none listens on 127.0.0.1:5432 and lets in user postgres")
    name = f"cds_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        # Days are those of UTC, wherever the server thinks it is.
        server.execute(f"ALTER DATABASE \"{name}\" SET timezone TO 'Pacific/Kiritimati'")
        try:
            yield f"{SERVER}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
