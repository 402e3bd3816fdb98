"""Workers of several machines meet in the store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOW

from cds_service.errors import StoreUnavailable
from cds_service.store import Store, open_store, prune
from cds_service.store.replicas import FORGOTTEN_AFTER, Replicas, last_request_in, replicas_in


def test_a_request_for_a_reload_is_one_that_nobody_has_seen(store: Store) -> None:
    here, there = Replicas(store), Replicas(store)
    assert here.last_request() is None
    here.ask_for_reload()
    first = there.last_request()
    there.ask_for_reload()
    assert None not in (first, here.last_request()) and here.last_request() != first


def test_workers_are_counted_by_what_they_serve_until_they_are_forgotten(store: Store) -> None:
    time = [NOW]
    here, there = Replicas(store, lambda: time[0]), Replicas(store, lambda: time[0])
    assert here.workers_by_version() == {}
    here.note("2026.11.1")
    there.note("2026.11.1")
    assert here.workers_by_version() == {"2026.11.1": 2}
    time[0] += FORGOTTEN_AFTER / 2
    there.note("2026.12.9")
    assert here.workers_by_version() == {"2026.11.1": 1, "2026.12.9": 1}
    time[0] += FORGOTTEN_AFTER * 0.75
    assert here.workers_by_version() == {"2026.12.9": 1}
    deleted = prune(store, before=NOW - timedelta(days=30), now=time[0])
    assert (deleted["worker"], deleted["reload_request"]) == (1, 0)


def test_only_a_server_is_shared_by_machines(store_url: str) -> None:
    replicas = replicas_in(store_url)
    assert (replicas is not None) is store_url.startswith("postgresql")
    assert last_request_in(store_url) is None
    if replicas:
        replicas.ask_for_reload()
        assert last_request_in(store_url) == replicas.last_request()
        replicas.store.close()


def test_a_database_that_is_away_raises_and_does_not_stop_the_start() -> None:
    away = "postgresql://postgres@127.0.0.1:1/nothing"
    assert last_request_in(away) is None
    store = open_store(away)
    assert store is not None
    with pytest.raises(StoreUnavailable):
        Replicas(store).note("2026.11.1")


def test_without_a_store_there_is_nobody_to_meet() -> None:
    assert replicas_in("none") is None
