"""What happens when the machine under the service fails: its disk, its database, its folders."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from builders import feedback
from listeners import Listener
from servers import PROJECT, Service, cluster, environment, service
from tokens import ISSUER, PUBLIC_URL, bearer_of_today, write_jwks

from benchmarks import processes

ADDRESS = "/cds-services/anxiety-leg-weakness"
BODY = (PROJECT / "fixtures/requests/samuel-potassium-2-3.json").read_bytes()
LOCK = 3.0  # seconds in which feedback is answered while somebody else has the store


def _call(running: Service) -> int:
    headers = {"Content-Type": "application/json"}
    return requests.post(running.address + ADDRESS, BODY, headers=headers, timeout=30).status_code


def _answer(running: Service) -> int:
    body = {"feedback": [feedback()]}
    return requests.post(f"{running.address}{ADDRESS}/feedback", json=body, timeout=30).status_code


@pytest.mark.skipif(not processes.HAS_PROC, reason="a limit on a running process needs Linux")
def test_a_full_disk_is_said_by_readiness_and_calls_are_answered(tmp_path: Path) -> None:
    with service(CDS_STORE_URL=f"sqlite:///{tmp_path}/store.sqlite3") as running:
        assert requests.get(running.address + "/health/ready").json()["checks"]["store"] == "ok"
        for worker in running.workers:
            _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))
        assert _answer(running) == 503
        assert _call(running) == 200
        assert requests.get(running.address + "/health/ready").json()["checks"]["store"] == "failed"


@pytest.mark.skipif(not processes.HAS_PROC, reason="a limit on a running process needs Linux")
def test_on_a_full_disk_no_token_is_let_in_and_readiness_says_so(tmp_path: Path) -> None:
    """A used token cannot be kept, so it could be used again."""
    settings = {
        "CDS_STORE_URL": f"sqlite:///{tmp_path}/store.sqlite3",
        "CDS_ISSUERS": f"{ISSUER}={write_jwks(tmp_path, 'ES384')}",
        "CDS_PUBLIC_URL": PUBLIC_URL,
    }
    with service(**settings) as running:

        def call() -> int:
            headers = bearer_of_today(ISSUER, PUBLIC_URL + ADDRESS)
            url = running.address + ADDRESS
            return requests.post(url, BODY, headers=headers, timeout=30).status_code

        assert call() == 200
        for worker in running.workers:
            _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))
        assert call() == 503
        ready = requests.get(running.address + "/health/ready", timeout=30)
        assert (ready.status_code, ready.json()["checks"]["usedTokens"]) == (503, "failed")


def test_feedback_during_a_lock_is_refused_within_three_seconds(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with service(CDS_STORE_URL=f"sqlite:///{path}") as running:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert _answer(running) == 503
        assert time.monotonic() - began < LOCK
        other.execute("ROLLBACK")
        other.close()
        assert _answer(running) == 204


def test_the_health_check_of_the_container_passes_while_postgresql_hangs() -> None:
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    [command] = re.findall(r"HEALTHCHECK[^\n]*--timeout=3s[^\n]*\\\n\s*CMD (\[.*\])", text)
    python, *arguments = json.loads(command)
    assert python == "python"
    with (
        cluster() as database,
        service(CDS_STORE_URL=database.url, CDS_HASH_KEY="k" * 32) as running,
    ):
        frozen = database.processes()
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        try:
            began = time.monotonic()
            checked = subprocess.run(
                [sys.executable, *arguments],
                env=environment({"CDS_PORT": str(running.port)}),
                capture_output=True,
                timeout=60,
            )
            assert checked.returncode == 0, checked.stderr
            assert time.monotonic() - began < 3
            assert _call(running) == 200
        finally:
            for process in frozen:
                os.kill(process, signal.SIGCONT)


def test_a_pipe_in_the_runtime_folder_does_not_hang_the_start(tmp_path: Path) -> None:
    settings = {"CDS_STORE_URL": "none", "CDS_RUNTIME_DIR": str(tmp_path)}
    with service(**settings) as running:
        running.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while not any(tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for stamp in tmp_path.iterdir():
        stamp.unlink()
        os.mkfifo(stamp)
    with service(**settings) as running:
        assert _call(running) == 200


def test_a_runtime_folder_that_others_may_write_reloads_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir()
    folder.chmod(0o777)
    with service(CDS_STORE_URL="none", CDS_RUNTIME_DIR=str(folder)) as running:
        running.process.send_signal(signal.SIGHUP)
        running.wait_until_printed("others may write there")
        assert _call(running) == 200
        assert not any(folder.iterdir())


@pytest.mark.parametrize(("path", "is_asked"), [("/r4", True), ("/r4/..;/x", False)])
def test_an_address_with_a_semicolon_is_of_no_server(path: str, is_asked: bool) -> None:
    """`/r4/..;/x` is inside /r4 for some programs and outside for others."""
    request = json.loads(BODY)
    del request["prefetch"]["conditions"]
    request["fhirAuthorization"] = {
        "access_token": "token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "test",
    }
    with (
        Listener() as server,
        service(CDS_STORE_URL="none", CDS_FHIR_SERVERS=server.address + "/r4") as running,
    ):
        request["fhirServer"] = server.address + path
        answer = requests.post(running.address + ADDRESS, json=request, timeout=30)
        assert answer.status_code == 412
        assert bool(server.paths) is is_asked


def test_without_issuers_the_start_says_that_anybody_can_answer(tmp_path: Path) -> None:
    with service(CDS_STORE_URL=f"sqlite:///{tmp_path}/store.sqlite3") as running:
        assert "anybody can answer a card" in running.printed()
