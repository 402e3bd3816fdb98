"""A token is good once: on SQLite, PostgreSQL and Redis, however many workers try."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from builders import NOW
from databases import new_database, redis_url
from sqlalchemy import event, func, select

from cds_service.clients.used_tokens import RedisUsedTokens, UsedTokens, used_tokens_of
from cds_service.errors import SettingsError, StoreUnavailable, Unavailable
from cds_service.setting_types import Issuer
from cds_service.settings import Settings
from cds_service.store import open_store
from cds_service.store.tables import used_token
from cds_service.store.used_tokens import StoredUsedTokens

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[UsedTokens]]:
    """What two workers have open, on the same memory."""
    if request.param == "redis":
        url = redis_url()
        yield [RedisUsedTokens(url), RedisUsedTokens(url)]
    elif request.param == "sqlite":
        yield from _on(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    else:
        with new_database() as url:
            yield from _on(url)


def _on(url: str) -> Iterator[list[UsedTokens]]:
    stores = [store for store in (open_store(url), open_store(url)) if store]
    yield [StoredUsedTokens(store) for store in stores]
    for store in stores:
        store.close()


def test_a_token_is_good_once_whichever_worker_it_reaches(workers: list[UsedTokens]) -> None:
    first, second = workers
    key, other = uuid4().hex, uuid4().hex
    assert first.first_use(key, NOW + MINUTE, NOW)
    assert not second.first_use(key, NOW + MINUTE, NOW)
    assert not first.first_use(key, NOW + MINUTE, NOW)
    assert second.first_use(other, NOW + MINUTE, NOW)
    assert first.is_reachable()


def test_of_many_that_try_at_once_one_is_first(workers: list[UsedTokens]) -> None:
    keys = [uuid4().hex for _ in range(5)]
    with ThreadPoolExecutor(8) as pool:
        tries = [
            (key, pool.submit(worker.first_use, key, NOW + MINUTE, NOW))
            for key in keys
            for worker in workers * 4
        ]
        firsts = [key for key, future in tries if future.result()]
    assert sorted(firsts) == sorted(keys)


def test_a_use_is_one_statement_without_a_transaction_around_it(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    assert store is not None
    said: list[str] = []
    event.listen(
        store.engine, "before_cursor_execute", lambda *given: said.append(given[2].split()[0])
    )
    assert StoredUsedTokens(store).first_use(uuid4().hex, NOW + MINUTE, NOW)
    assert said == ["INSERT"]
    store.close()


def test_the_store_forgets_tokens_that_have_expired(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    assert store is not None
    used = StoredUsedTokens(store)
    for number in range(250):
        used.first_use(
            str(number), NOW + timedelta(seconds=number), NOW + timedelta(seconds=number)
        )
    with store.reading() as connection:
        kept = connection.scalar(select(func.count()).select_from(used_token))
    store.close()
    assert kept is not None and 50 <= kept <= 150


def test_redis_forgets_tokens_by_itself() -> None:
    used, key, now = RedisUsedTokens(redis_url()), uuid4().hex, datetime.now(UTC)
    assert used.first_use(key, now + timedelta(milliseconds=50), now)
    time.sleep(0.1)
    assert used.first_use(key, now + timedelta(milliseconds=50), now)


def test_a_memory_that_is_away_lets_nobody_in(tmp_path: Path) -> None:
    used = RedisUsedTokens("redis://127.0.0.1:9/0")
    with pytest.raises(Unavailable):
        used.first_use("key", NOW + MINUTE, NOW)
    assert not used.is_reachable()
    store = open_store("postgresql://postgres@127.0.0.1:9/nowhere")
    assert store is not None
    stored = StoredUsedTokens(store)
    with pytest.raises(StoreUnavailable):
        stored.first_use("key", NOW + MINUTE, NOW)
    assert not stored.is_reachable()
    store.close()


def test_redis_comes_before_the_store_and_without_both_nothing_starts(tmp_path: Path) -> None:
    issuers = (Issuer("ehr", "jwks.json"),)
    url = "redis://127.0.0.1:9/0"
    with_redis = Settings(issuers=issuers, redis_url=url, development=True)
    assert isinstance(used_tokens_of(with_redis, None), RedisUsedTokens)
    assert used_tokens_of(Settings(redis_url=url), None) is None
    with pytest.raises(SettingsError):
        used_tokens_of(Settings(issuers=issuers, development=True), None)
