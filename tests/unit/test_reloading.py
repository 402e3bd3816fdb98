"""New content without a restart: whole or not at all."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import NOW, ToyKnowledge, ToyService

from cds_service.current_knowledge import CurrentKnowledge
from cds_service.errors import KnowledgeError, SettingsError, StoreUnavailable
from cds_service.knowledge import Knowledge
from cds_service.reload_requests import ReloadWatch, Stamp, renew_on_hangup
from cds_service.store import Store
from cds_service.store.replicas import Replicas, replicas_in

OLD = ToyKnowledge({"toy": ToyService()}, "toy-1")
NEW = ToyKnowledge({"toy": ToyService()}, "toy-2")


def current(load: Callable[[], Knowledge]) -> CurrentKnowledge:
    return CurrentKnowledge(OLD, load, lambda: NOW)


def failing(error: Exception) -> Callable[[], Knowledge]:
    def load() -> Knowledge:
        raise error

    return load


def wait_for(holds: Callable[[], bool]) -> None:
    """Until it holds; a database on a busy machine may be asked again."""
    deadline = time.monotonic() + 60
    while not _answered(holds):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def _answered(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except StoreUnavailable:
        return False


def test_a_reload_swaps_the_knowledge() -> None:
    knowledge = current(lambda: NEW)
    assert (knowledge.current.version, knowledge.last_reload) == ("toy-1", None)
    done = knowledge.reload()
    assert knowledge.current.version == "toy-2"
    assert (done.state, done.at, done.problems) == ("done", NOW, 0)
    assert knowledge.last_reload == done


@pytest.mark.parametrize(
    "error, problems",
    [
        (KnowledgeError(["rules.yaml: R1: wrong", "facts.yaml: weak: wrong"]), 2),
        (SettingsError("CDS_DISABLED_RULES: there is no rule R1"), 1),
        (FileNotFoundError("service.yaml"), 1),
        (ZeroDivisionError("a fault of ours"), 1),
    ],
)
def test_with_any_error_the_old_knowledge_stays(error: Exception, problems: int) -> None:
    knowledge = current(failing(error))
    failed = knowledge.reload()
    assert knowledge.current is OLD
    assert (failed.state, failed.problems) == ("failed", problems)


def test_the_log_tells_every_problem(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        current(failing(KnowledgeError(["one: wrong", "two: wrong"]))).reload()
        current(lambda: NEW).reload()
    assert "one: wrong\ntwo: wrong" in caplog.text
    assert "reloaded knowledge=toy-2" in caplog.text


def test_a_stamp_is_of_a_folder_and_changes_when_it_is_renewed(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "run", tmp_path / "cards")
    assert stamp.read() is None
    stamp.renew()
    first = stamp.read()
    stamp.renew()
    assert None not in (first, stamp.read()) and stamp.read() != first
    assert Stamp(tmp_path / "run", tmp_path / "other").read() is None
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_a_stamp_stays_when_a_link_leads_to_other_content(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    link = tmp_path / "cards"
    link.symlink_to("old")
    watched = Stamp(tmp_path / "run", link)
    link.unlink()
    link.symlink_to("new")
    Stamp(tmp_path / "run", link).renew()
    assert watched.read() is not None


def test_a_stamp_is_not_written_through_a_link(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "run", tmp_path)
    stamp.renew()
    [path] = (tmp_path / "run").iterdir()
    precious = tmp_path / "precious"
    precious.write_text("kept")
    path.unlink()
    path.symlink_to(precious)
    stamp.renew()
    assert precious.read_text() == "kept" and not path.is_symlink()


def test_a_pipe_in_place_of_the_stamp_does_not_hang_the_start(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "run", tmp_path)
    stamp.renew()
    [path] = (tmp_path / "run").iterdir()
    path.unlink()
    os.mkfifo(path)
    assert stamp.read() is None


def test_a_link_and_a_file_that_others_may_write_are_not_read(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "run", tmp_path)
    stamp.renew()
    [path] = (tmp_path / "run").iterdir()
    path.chmod(0o666)
    assert stamp.read() is None
    path.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")
    assert stamp.read() is None


def test_no_stamp_is_left_in_a_folder_where_others_may_write(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(PermissionError, match="others"):
        Stamp(tmp_path / "run", tmp_path).renew()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        Stamp(tmp_path / "link", tmp_path).renew()


class _CountedStamp(Stamp):
    """Counts how often it was looked at."""

    looks = 0

    def read(self) -> str | None:
        self.looks += 1
        return super().read()

    def wait_for_looks(self, count: int) -> None:
        before = self.looks
        wait_for(lambda: self.looks >= before + count)


def test_a_watch_reloads_once_for_each_renewal_and_not_for_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.reload_requests.SECONDS_BETWEEN_LOOKS", 0.01)
    loads: list[None] = []

    def load() -> Knowledge:
        loads.append(None)
        return NEW

    stamp = _CountedStamp(tmp_path, tmp_path)
    stamp.renew()
    watch = ReloadWatch(stamp)
    try:
        watch.start(current(load))
        stamp.wait_for_looks(5)
        assert loads == []
        stamp.renew()
        wait_for(lambda: len(loads) == 1)
        stamp.wait_for_looks(5)
        assert len(loads) == 1
    finally:
        watch.stop()


def test_a_request_in_the_store_reaches_every_worker_once_and_each_says_what_it_serves(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.reload_requests.SECONDS_BETWEEN_LOOKS", 0.01)
    asking = Replicas(store, lambda: NOW)
    asking.ask_for_reload()
    loads: list[None] = []

    def load() -> Knowledge:
        loads.append(None)
        return NEW

    watches = [ReloadWatch(Stamp(tmp_path, tmp_path), asking.last_request()) for _ in range(2)]
    try:
        for watch in watches:
            watch.start(current(load), Replicas(store, lambda: NOW))
        wait_for(lambda: asking.workers_by_version() == {"toy-1": 2})
        assert loads == []
        asking.ask_for_reload()
        wait_for(lambda: asking.workers_by_version() == {"toy-2": 2})
        time.sleep(0.2)
        assert len(loads) == 2
    finally:
        for watch in watches:
            watch.stop()


def test_while_the_store_is_down_the_stamp_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.reload_requests.SECONDS_BETWEEN_LOOKS", 0.01)
    away = replicas_in("postgresql://postgres@127.0.0.1:1/nothing")
    knowledge, stamp = current(lambda: NEW), Stamp(tmp_path, tmp_path)
    watch = ReloadWatch(stamp)
    try:
        watch.start(knowledge, away)
        stamp.renew()
        wait_for(lambda: knowledge.current is NEW)
    finally:
        watch.stop()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hangup_renews_the_stamp(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path, tmp_path)
    before = signal.getsignal(signal.SIGHUP)
    try:
        renew_on_hangup(stamp)
        signal.raise_signal(signal.SIGHUP)
        assert stamp.read() is not None
    finally:
        signal.signal(signal.SIGHUP, before)
