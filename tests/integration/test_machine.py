"""What happens when the machine under the service fails: its disk, its database, its folders."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer

import pytest
import requests
from builders import feedback
from legs import ADDRESS, BODY, LEGS
from listeners import Listener
from servers import PROJECT, SERVE, Service, cluster, environment, free_port, service
from tokens import ISSUER, PUBLIC_URL, bearer_of_today, write_jwks

from benchmarks import processes

MOST_SECONDS_OF_A_CHECK = 3.0  # then the runtime ends it, and counts it as failed
LOCK = 3.0  # seconds in which feedback is answered while somebody else has the store


def _call(running: Service) -> int:
    headers = {"Content-Type": "application/json"}
    return requests.post(running.address + ADDRESS, BODY, headers=headers, timeout=30).status_code


def _answer(running: Service) -> int:
    body = {"feedback": [feedback()]}
    return requests.post(f"{running.address}{ADDRESS}/feedback", json=body, timeout=30).status_code


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("machine")
    settings = {
        "CDS_STORE_URL": f"sqlite:///{folder}/store.sqlite3",
        "CDS_RUNTIME_DIR": str(folder / "runtime"),
    }
    with service(**LEGS, **settings) as started:
        yield started


@contextmanager
def _full_disk(running: Service) -> Iterator[None]:
    """Its workers can write to no file."""
    limits = {worker: resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in running.workers}
    assert limits
    for worker, (_, most) in limits.items():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for worker, before in limits.items():
            resource.prlimit(worker, resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not processes.HAS_PROC, reason="a limit on a running process needs Linux")
def test_a_full_disk_is_said_by_readiness_and_calls_are_answered(running: Service) -> None:
    assert requests.get(running.address + "/health/ready").json()["checks"]["store"] == "ok"
    with _full_disk(running):
        assert _answer(running) == 503
        assert _call(running) == 200
        assert requests.get(running.address + "/health/ready").json()["checks"]["store"] == "failed"
    _wait_until_it_takes_answers(running)


def _wait_until_it_takes_answers(running: Service) -> None:
    """A store that failed is left alone for five seconds."""
    deadline = time.monotonic() + 60
    while _answer(running) != 204:
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.skipif(not processes.HAS_PROC, reason="a limit on a running process needs Linux")
def test_on_a_full_disk_no_token_is_let_in_and_readiness_says_so(tmp_path: Path) -> None:
    """A used token cannot be kept, so it could be used again."""
    settings = {
        "CDS_STORE_URL": f"sqlite:///{tmp_path}/store.sqlite3",
        "CDS_ISSUERS": f"{ISSUER}={write_jwks(tmp_path, 'ES384')}",
        "CDS_PUBLIC_URL": PUBLIC_URL,
    }
    with service(**LEGS, **settings) as closed:

        def call() -> int:
            headers = bearer_of_today(ISSUER, PUBLIC_URL + ADDRESS)
            url = closed.address + ADDRESS
            return requests.post(url, BODY, headers=headers, timeout=30).status_code

        assert call() == 200
        with _full_disk(closed):
            assert call() == 503
            ready = requests.get(closed.address + "/health/ready", timeout=30)
            assert (ready.status_code, ready.json()["checks"]["usedTokens"]) == (503, "failed")


def test_feedback_during_a_lock_is_refused_within_three_seconds(running: Service) -> None:
    path = running.settings["CDS_STORE_URL"].removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    without_core = processes.seconds_without_core(running.process.pid)
    began = time.monotonic()
    assert _answer(running) == 503
    seconds = time.monotonic() - began
    assert seconds - (processes.seconds_without_core(running.process.pid) - without_core) < LOCK
    other.execute("ROLLBACK")
    other.close()
    assert _answer(running) == 204


def _healthcheck(port: int, *options: str) -> tuple[int, str]:
    """How the command of the container ends, and the sentence that it prints."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    [command] = re.findall(r"HEALTHCHECK[^\n]*--timeout=3s[^\n]*\\\n\s*CMD (\[.*\])", text)
    assert json.loads(command) == ["cds-service", "healthcheck"]
    began = time.monotonic()
    checked = subprocess.Popen(
        [*SERVE[:-1], "healthcheck", *options],
        env=environment(
            {"CDS_PORT": str(port), "CDS_HOST": "0.0.0.0", "http_proxy": "http://[::1]:9"}
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    at_last = Timer(60, checked.kill)
    at_last.start()
    assert checked.stdout is not None
    with checked.stdout:
        said = checked.stdout.read()  # until it ends
    seconds = time.monotonic() - began
    if processes.HAS_PROC:
        os.waitid(os.P_PID, checked.pid, os.WEXITED | os.WNOWAIT)  # it is still in /proc
        seconds -= processes.seconds_without_core(checked.pid)
    status = checked.wait(60)
    at_last.cancel()
    assert seconds < MOST_SECONDS_OF_A_CHECK
    return status, said.strip()


def test_the_health_check_of_the_container_passes_while_postgresql_hangs() -> None:
    with (
        cluster() as database,
        service(**LEGS, CDS_STORE_URL=database.url, CDS_HASH_KEY="k" * 32) as running,
    ):
        frozen = database.processes()
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        try:
            assert _healthcheck(running.port) == (0, f"live on port {running.port}")
            assert _call(running) == 200
        finally:
            for process in frozen:
                os.kill(process, signal.SIGCONT)


def test_the_health_check_fails_with_one_sentence() -> None:
    port = free_port()
    assert _healthcheck(port) == (1, f"not live: nothing answers on port {port}")
    with Listener(status=503) as other:
        port = int(other.address.rpartition(":")[2])
        said = f"not ready: the answer on port {port} has status 503"
        assert _healthcheck(port, "--ready") == (1, said)
        assert other.paths == ["/health/ready"]


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-other\r\n"], ids=["silence", "another protocol"])
def test_the_health_check_fails_where_another_program_has_the_port(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            connection, _ = other.accept()
            connection.sendall(said)
            connection.recv(1000)
            time.sleep(3)
            connection.close()

        Thread(target=answer, daemon=True).start()
        assert _healthcheck(port) == (1, f"not live: nothing answers on port {port}")


def test_a_pipe_in_the_runtime_folder_does_not_hang_the_start(
    running: Service, tmp_path: Path
) -> None:
    folder = Path(running.settings["CDS_RUNTIME_DIR"])
    running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not (stamps := list(folder.glob("reload-*"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [stamp] = stamps
    os.mkfifo(tmp_path / stamp.name)  # another service of the same content asks with this name
    with service(**LEGS, CDS_STORE_URL="none", CDS_RUNTIME_DIR=str(tmp_path)) as other:
        assert _call(other) == 200


def test_a_runtime_folder_that_others_may_write_reloads_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir()
    folder.chmod(0o777)
    with service(**LEGS, CDS_STORE_URL="none", CDS_RUNTIME_DIR=str(folder)) as running:
        running.process.send_signal(signal.SIGHUP)
        running.wait_until_printed("others may write there")
        assert _call(running) == 200
        assert not any(folder.iterdir())


@pytest.fixture(scope="module")
def fetching() -> Iterator[tuple[Service, Listener]]:
    """A service that may fetch from one path of a server, and that server."""
    with (
        Listener() as server,
        service(**LEGS, CDS_STORE_URL="none", CDS_FHIR_SERVERS=server.address + "/r4") as started,
    ):
        yield started, server


@pytest.mark.parametrize(("path", "is_asked"), [("/r4", True), ("/r4/..;/x", False)])
def test_an_address_with_a_semicolon_is_of_no_server(
    path: str, is_asked: bool, fetching: tuple[Service, Listener]
) -> None:
    """`/r4/..;/x` is inside /r4 for some programs and outside for others."""
    running, server = fetching
    server.paths.clear()
    request = json.loads(BODY)
    del request["prefetch"]["conditions"]
    request["fhirServer"] = server.address + path
    request["fhirAuthorization"] = {
        "access_token": "token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "test",
    }
    answer = requests.post(running.address + ADDRESS, json=request, timeout=30)
    assert answer.status_code == 412
    assert bool(server.paths) is is_asked


def test_without_issuers_the_start_says_that_anybody_can_answer(running: Service) -> None:
    assert "anybody can answer a card" in running.printed()
